//! The settings of user-service: flags, and `NOVA_*` in the environment.

use std::time::Duration;

use clap::{Args, Parser};
use nova_service::config::{CallsConfig, CredentialsConfig, IdentityConfig, PostgresConfig, ServerConfig, duration};

/// Profiles, follows, posts and the home feed.
#[derive(Parser, Debug, Clone)]
#[command(name = "user-service", version)]
pub struct Config {
    /// The server.
    #[command(flatten)]
    pub server: ServerConfig,
    /// The database.
    #[command(flatten)]
    pub postgres: PostgresConfig,
    /// Who signs access tokens.
    #[command(flatten)]
    pub identity: IdentityConfig,
    /// How it gets tokens of its own.
    #[command(flatten)]
    pub credentials: CredentialsConfig,
    /// Calls to other services.
    #[command(flatten)]
    pub calls: CallsConfig,
    /// This service's own.
    #[command(flatten)]
    pub users: UsersConfig,
}

/// The settings that only user-service has.
#[derive(Args, Debug, Clone, Copy)]
#[command(next_help_heading = "Users")]
pub struct UsersConfig {
    /// How many accounts one account may follow; the home feed asks for each of them
    #[arg(long = "users-max-following", env = "NOVA_USERS_MAX_FOLLOWING", default_value_t = 5_000, value_name = "COUNT",
        value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub max_following: u32,
    /// How long one's own profile waits for auth-service's part of it; without an answer it is given without it
    #[arg(long = "users-account-timeout", env = "NOVA_USERS_ACCOUNT_TIMEOUT", default_value = "1s",
        value_name = "DURATION", value_parser = account_timeout)]
    pub account_timeout: Duration,
    /// What one account may read from one member in a second; ten seconds' worth may come at once. 0: no limit
    #[arg(long = "users-reads-per-second", env = "NOVA_USERS_READS_PER_SECOND", default_value_t = 1_000, value_name = "COUNT",
        value_parser = clap::value_parser!(u32).range(0..=1_000_000))]
    pub reads_per_second: u32,
    /// Likewise, what it may write
    #[arg(long = "users-writes-per-second", env = "NOVA_USERS_WRITES_PER_SECOND", default_value_t = 200, value_name = "COUNT",
        value_parser = clap::value_parser!(u32).range(0..=1_000_000))]
    pub writes_per_second: u32,
}

impl Default for UsersConfig {
    fn default() -> Self {
        Self {
            max_following: 5_000,
            account_timeout: Duration::from_secs(1),
            reads_per_second: 1_000,
            writes_per_second: 200,
        }
    }
}

/// A caller waits 3 s in all, and the profile itself needs some of that.
fn account_timeout(text: &str) -> Result<Duration, String> {
    let value = duration(text)?;
    if value > Duration::from_secs(2) {
        return Err("longer than 2s, which would leave too little of a caller's 3s for the profile itself".to_owned());
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, FromArgMatches};

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Config::command().debug_assert();
    }

    #[test]
    fn the_default_is_what_the_command_line_says() {
        let own = UsersConfig::augment_args(clap::Command::new("test")).get_matches_from(["test"]);
        let (own, default) = (
            UsersConfig::from_arg_matches(&own).expect("defaults"),
            UsersConfig::default(),
        );
        assert_eq!(own.max_following, default.max_following);
        assert_eq!(own.account_timeout, default.account_timeout);
        assert_eq!(own.reads_per_second, default.reads_per_second);
        assert_eq!(own.writes_per_second, default.writes_per_second);
    }

    #[test]
    fn waiting_for_the_account_leaves_room_for_the_rest() {
        assert!(account_timeout("2s").is_ok());
        for wrong in ["0s", "2001ms", "1h", "-1s", "1"] {
            assert!(account_timeout(wrong).is_err(), "{wrong:?}");
        }
    }
}
