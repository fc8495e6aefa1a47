//! Slows down whoever guesses passwords, without giving anyone a way to lock others out.
//!
//! Three subjects are counted: the pair of account and address (tight), the account (loose, against many addresses) and the
//! address (against many accounts). Each may make a burst of attempts; beyond it every attempt is followed by a wait that
//! doubles up to a limit, and attempts are forgotten over time. Nothing is ever refused for good. An address from which the
//! account was used lately is exempt from the account's limit: an attack from elsewhere cannot keep its owner out.
//!
//! The counters live in Redis, common to all members. Without Redis each member counts for itself, in bounded memory: the
//! limits then apply a member, which weakens them by the number of members and no further.

mod limit;
mod local;
mod shared;

use std::{net::IpAddr, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use nova_service::{ClientAddress, Redis};
use uuid::Uuid;

use crate::domain::Email;
pub use limit::Limit;
use local::Local;

/// The limits in force.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Logins and registrations of one account from one address.
    pub pair: Limit,
    /// Logins of one account.
    pub account: Limit,
    /// Logins from one address.
    pub address: Limit,
    /// Registrations from one address.
    pub registration: Limit,
    /// Attempts to change an account's password or to delete the account, from all addresses.
    pub password: Limit,
}

impl Default for Limits {
    fn default() -> Self {
        let limit = |burst, forget, longest| Limit {
            burst,
            forget: Duration::from_secs(forget),
            first_wait: Duration::from_secs(1),
            longest_wait: Duration::from_secs(longest),
        };
        Self {
            pair: limit(5, 120, 300),
            account: limit(100, 30, 60),
            address: limit(100, 1, 60),
            registration: limit(100, 5, 60),
            password: limit(20, 120, 300),
        }
    }
}

/// What is attempted.
pub enum Attempt<'a> {
    /// To log in.
    Login(&'a Email),
    /// To make an account.
    Register(&'a Email),
    /// To change the password of an account or to delete it, knowing the present one.
    Password(Uuid),
}

/// Counts attempts.
pub struct Throttle {
    limits: Limits,
    redis: Redis,
    local: Local,
}

/// One counter of an attempt.
#[derive(Debug, Clone)]
struct Counter {
    key: String,
    limit: Limit,
    /// Does not apply to an address that the account trusts.
    exemptible: bool,
}

impl Throttle {
    /// With these limits, counting in this Redis.
    pub fn new(limits: Limits, redis: Redis) -> Self {
        Self {
            limits,
            redis,
            local: Local::default(),
        }
    }

    /// Counts an attempt, or says how long to wait before the next. Counted *before* the password is looked at, so that
    /// attempts made at the same time do not slip through together.
    pub async fn attempt(&self, attempt: &Attempt<'_>, address: IpAddr) -> Result<(), Duration> {
        let (counters, trusted) = self.counters(attempt, address);
        let wait = match shared::attempt(&self.redis, &counters, &trusted).await {
            Ok(wait) => wait,
            Err(error) => {
                tracing::debug!(error = %error, "throttling by this member alone");
                metrics::counter!("nova_auth_throttle_local_total").increment(1);
                self.local.attempt(&counters)
            }
        };
        if wait.is_zero() { Ok(()) } else { Err(wait) }
    }

    /// The attempt was made by the account's owner: what the pair did wrong before is forgotten, and the address trusted.
    pub async fn succeeded(&self, attempt: &Attempt<'_>, address: IpAddr) {
        let (counters, trusted) = self.counters(attempt, address);
        let Some(pair) = counters.first() else { return };
        self.local.forget(&pair.key);
        if let Err(error) = shared::succeeded(&self.redis, &pair.key, &trusted).await {
            tracing::debug!(%error, "success not noted in redis");
        }
    }

    /// The counters of an attempt, the pair's first, and the key that marks the address as trusted.
    fn counters(&self, attempt: &Attempt<'_>, address: IpAddr) -> (Vec<Counter>, String) {
        let address = ClientAddress(address).network();
        let counter = |key, limit: &Limit| Counter {
            key,
            limit: limit.clone(),
            exemptible: false,
        };
        let pair = |kind: &str, subject: &str| counter(format!("{kind}:{subject}:{address}"), &self.limits.pair);
        match attempt {
            Attempt::Login(email) => {
                let subject = digest_of(email);
                let account = counter(format!("login:{subject}"), &self.limits.account);
                let counters = vec![
                    pair("login", &subject),
                    Counter {
                        exemptible: true,
                        ..account
                    },
                    counter(format!("login:{address}"), &self.limits.address),
                ];
                (counters, format!("trusted:{subject}:{address}"))
            }
            Attempt::Register(email) => {
                let subject = digest_of(email);
                let counters = vec![
                    pair("register", &subject),
                    counter(format!("register:{address}"), &self.limits.registration),
                ];
                (counters, format!("trusted:{subject}:{address}"))
            }
            Attempt::Password(account) => (
                // Whoever has an access token has time and addresses: the account is counted as well.
                vec![
                    pair("password", &account.to_string()),
                    counter(format!("password:{account}"), &self.limits.password),
                ],
                format!("trusted:{account}:{address}"),
            ),
        }
    }
}

/// E-mail addresses are personal data, and of any length: keys hold a digest.
fn digest_of(email: &Email) -> String {
    URL_SAFE_NO_PAD.encode(email.digest())
}
