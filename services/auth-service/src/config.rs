//! The settings of auth-service: flags, and `NOVA_*` in the environment.

use std::{path::PathBuf, str::FromStr, time::Duration};

use clap::{Args, Parser};
use nova_service::config::{CallsConfig, IdentityConfig, PostgresConfig, RedisConfig, ServerConfig, duration, url};

use crate::{
    access_token::SERVICE_TOKEN_LIFE,
    hashing::{Cost, HasherConfig},
    keys::Timing,
    service_clients::ServiceClient,
    store::sessions::Lifetimes,
    throttle::{Limit, Limits},
};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Clocks of verifiers may differ from ours by this much.
const LEEWAY: Duration = Duration::from_secs(60);

/// Accounts, sessions and the tokens that every other service trusts.
#[derive(Parser, Debug, Clone)]
#[command(name = "auth-service", version)]
pub struct Config {
    /// The server.
    #[command(flatten)]
    pub server: ServerConfig,
    /// The database.
    #[command(flatten)]
    pub postgres: PostgresConfig,
    /// The throttling counters.
    #[command(flatten)]
    pub redis: RedisConfig,
    /// What the tokens say about their issuer.
    #[command(flatten)]
    pub identity: IdentityConfig,
    /// Calls to other services.
    #[command(flatten)]
    pub calls: CallsConfig,
    /// This service's own.
    #[command(flatten)]
    pub auth: AuthConfig,
}

/// The settings that only auth-service has.
#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "Authentication")]
pub struct AuthConfig {
    /// File with the keys that sign access tokens: {"keys":[{"kid","created_at","private_key_pem"}]}
    #[arg(
        long = "auth-signing-keys-file",
        env = "NOVA_AUTH_SIGNING_KEYS_FILE",
        value_name = "FILE"
    )]
    pub signing_keys_file: PathBuf,
    /// How often that file is looked at.
    #[arg(long = "auth-signing-keys-poll", env = "NOVA_AUTH_SIGNING_KEYS_POLL", default_value = "2s",
        value_name = "DURATION", value_parser = duration)]
    pub signing_keys_poll: Duration,
    /// How long a new key is published before it signs
    #[arg(long = "auth-key-publish-delay", env = "NOVA_AUTH_KEY_PUBLISH_DELAY", default_value = "60s",
        value_name = "DURATION", value_parser = duration)]
    pub key_publish_delay: Duration,
    /// Life of an access token
    #[arg(long = "auth-access-token-life", env = "NOVA_AUTH_ACCESS_TOKEN_LIFE", default_value = "15m",
        value_name = "DURATION", value_parser = duration)]
    pub access_token_life: Duration,
    /// A session ends this long after its login, whatever happens
    #[arg(long = "auth-session-life", env = "NOVA_AUTH_SESSION_LIFE", default_value = "30d",
        value_name = "DURATION", value_parser = long_duration)]
    pub session_life: Duration,
    /// A session ends this long after its last refresh
    #[arg(long = "auth-session-idle", env = "NOVA_AUTH_SESSION_IDLE", default_value = "7d",
        value_name = "DURATION", value_parser = long_duration)]
    pub session_idle: Duration,
    /// For this long after a refresh its answer is given again to whoever shows the token before, however often
    #[arg(long = "auth-refresh-grace", env = "NOVA_AUTH_REFRESH_GRACE", default_value = "10s",
        value_name = "DURATION", value_parser = duration)]
    pub refresh_grace: Duration,
    /// After that it is given again this often, until the new refresh token is used
    #[arg(long = "auth-refresh-repeats", env = "NOVA_AUTH_REFRESH_REPEATS", default_value = "10",
        value_name = "COUNT", value_parser = clap::value_parser!(u16).range(0..=1000))]
    pub refresh_repeats: u16,
    /// Audit rows are removed at this age; 31 days at least
    #[arg(long = "auth-audit-retention", env = "NOVA_AUTH_AUDIT_RETENTION", default_value = "90d",
        value_name = "DURATION", value_parser = retention)]
    pub audit_retention: Duration,
    /// Memory of one password hash in KiB
    #[arg(long = "auth-hash-memory", env = "NOVA_AUTH_HASH_MEMORY", default_value = "19456",
        value_name = "KIB", value_parser = clap::value_parser!(u32).range(19_456..=262_144))]
    pub hash_memory: u32,
    /// Passes of one password hash
    #[arg(long = "auth-hash-iterations", env = "NOVA_AUTH_HASH_ITERATIONS", default_value = "2",
        value_name = "COUNT", value_parser = clap::value_parser!(u32).range(2..=20))]
    pub hash_iterations: u32,
    /// Password hashes at a time [default: the number of cores]
    #[arg(long = "auth-hash-threads", env = "NOVA_AUTH_HASH_THREADS",
        value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub hash_threads: Option<u16>,
    /// Password hashes that may wait
    #[arg(long = "auth-hash-queue", env = "NOVA_AUTH_HASH_QUEUE", default_value = "64",
        value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub hash_queue: u16,
    /// How long one may wait
    #[arg(long = "auth-hash-deadline", env = "NOVA_AUTH_HASH_DEADLINE", default_value = "3s",
        value_name = "DURATION", value_parser = duration)]
    pub hash_deadline: Duration,
    /// The memory of hashes is given back after this long without one
    #[arg(long = "auth-hash-idle", env = "NOVA_AUTH_HASH_IDLE", default_value = "10s",
        value_name = "DURATION", value_parser = duration)]
    pub hash_idle: Duration,
    /// The services that get tokens of their own, each with the file of its secret
    #[arg(
        long = "auth-clients",
        env = "NOVA_AUTH_CLIENTS",
        value_name = "SERVICE=FILE,..",
        value_delimiter = ','
    )]
    pub clients: Vec<ServiceClient>,
    /// Where user-service is reached, which is told of deleted accounts
    #[arg(long = "user-service-url", env = "NOVA_USER_SERVICE_URL", default_value = "http://127.0.0.1:8080",
        value_name = "URL", value_parser = url)]
    pub user_service_url: String,
    /// Logins and registrations of one account from one address: a burst / the time after which one more is free
    #[arg(
        long = "auth-pair-limit",
        env = "NOVA_AUTH_PAIR_LIMIT",
        default_value = "5/2m",
        value_name = "BURST/DURATION"
    )]
    pub pair_limit: Rate,
    /// Logins of one account from all addresses that it does not know
    #[arg(
        long = "auth-account-limit",
        env = "NOVA_AUTH_ACCOUNT_LIMIT",
        default_value = "100/30s",
        value_name = "BURST/DURATION"
    )]
    pub account_limit: Rate,
    /// Logins from one address
    #[arg(
        long = "auth-address-limit",
        env = "NOVA_AUTH_ADDRESS_LIMIT",
        default_value = "100/1s",
        value_name = "BURST/DURATION"
    )]
    pub address_limit: Rate,
    /// Registrations from one address
    #[arg(
        long = "auth-registration-limit",
        env = "NOVA_AUTH_REGISTRATION_LIMIT",
        default_value = "100/5s",
        value_name = "BURST/DURATION"
    )]
    pub registration_limit: Rate,
    /// Attempts to change the password of one account or to delete it, from all addresses
    #[arg(
        long = "auth-password-limit",
        env = "NOVA_AUTH_PASSWORD_LIMIT",
        default_value = "20/2m",
        value_name = "BURST/DURATION"
    )]
    pub password_limit: Rate,
    /// Attempts that were turned away and are alike are recorded together for this long
    #[arg(long = "auth-audit-window", env = "NOVA_AUTH_AUDIT_WINDOW", default_value = "60s",
        value_name = "DURATION", value_parser = duration)]
    pub audit_window: Duration,
}

/// A burst, and the time after which one more is free.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How many at once.
    pub burst: u32,
    /// After this long one is forgotten.
    pub forget: Duration,
}

impl AuthConfig {
    /// How passwords are hashed.
    pub fn hasher(&self) -> HasherConfig {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        HasherConfig {
            cost: Cost {
                memory_kib: self.hash_memory,
                iterations: self.hash_iterations,
                lanes: 1,
            },
            threads: self.hash_threads.map_or_else(cores, usize::from),
            queue: usize::from(self.hash_queue),
            deadline: self.hash_deadline,
            idle: self.hash_idle,
        }
    }

    /// When keys sign and when they go.
    pub fn key_timing(&self) -> Timing {
        Timing {
            publish_delay: self.key_publish_delay,
            retire_after: self.access_token_life.max(SERVICE_TOKEN_LIFE) + LEEWAY,
        }
    }

    /// How long sessions last.
    pub fn lifetimes(&self) -> Lifetimes {
        Lifetimes {
            absolute: self.session_life,
            idle: self.session_idle,
            grace: self.refresh_grace,
            repeats: self.refresh_repeats,
        }
    }

    /// How attempts are throttled.
    pub fn limits(&self) -> Limits {
        let limit = |rate: Rate, longest| Limit {
            burst: rate.burst,
            forget: rate.forget,
            first_wait: Duration::from_secs(1),
            longest_wait: Duration::from_secs(longest),
        };
        Limits {
            pair: limit(self.pair_limit, 300),
            account: limit(self.account_limit, 60),
            address: limit(self.address_limit, 60),
            registration: limit(self.registration_limit, 60),
            password: limit(self.password_limit, 300),
        }
    }
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no limit; write it like 100/5s");
        let (burst, forget) = text.split_once('/').ok_or_else(wrong)?;
        match burst.trim().parse() {
            Ok(burst @ 1..=1_000_000) => Ok(Self {
                burst,
                forget: duration(forget.trim())?,
            }),
            _ => Err(wrong()),
        }
    }
}

/// A duration of days.
fn long_duration(text: &str) -> Result<Duration, String> {
    let Some(days) = text.trim().strip_suffix('d') else {
        return duration(text);
    };
    match days.parse::<u32>() {
        Ok(days @ 1..=3650) => Ok(DAY * days),
        _ => Err("not a sane number of days; write it like 30d".to_owned()),
    }
}

/// The database refuses to remove audit rows of the last 30 days.
fn retention(text: &str) -> Result<Duration, String> {
    let age = long_duration(text)?;
    if age < DAY * 31 {
        Err("audit rows are kept for 31 days at least".to_owned())
    } else {
        Ok(age)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail by panicking")]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Config::command().debug_assert();
    }

    #[test]
    fn rates_have_a_burst_and_a_time() {
        assert_eq!(
            "100/5s".parse::<Rate>().unwrap(),
            Rate {
                burst: 100,
                forget: Duration::from_secs(5)
            }
        );
        for wrong in ["", "100", "0/1s", "-1/1s", "5/0s", "5/1", "x/1s"] {
            assert!(wrong.parse::<Rate>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn days_are_durations_and_the_audit_is_kept() {
        assert_eq!(long_duration("30d").unwrap(), DAY * 30);
        for wrong in ["0d", "-1d", "4000d", "d", "1.5d"] {
            assert!(long_duration(wrong).is_err(), "{wrong:?}");
        }
        assert!(retention("30d").is_err());
        assert!(retention("31d").is_ok());
    }
}
