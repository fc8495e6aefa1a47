//! Tells user-service of deleted accounts, until it has heard.
//!
//! The deletion and its row in the queue are one transaction, so none is forgotten, whatever ends in between. Each member
//! takes what is due by a lease and calls without holding a transaction; user-service's answer to a repeated call is the
//! same, so that a call whose answer was lost is simply made again. A failure is tried again after 1 s to 5 min. An account that
//! wrote much takes many calls: 202 says that user-service works on it, which is progress and no failure.

use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderMap, StatusCode, header};
use futures::future::join_all;
use nova_service::{Answer, Client, DatabaseError, EraseAccounts, Postgres, ProblemBody, Scope};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::access_token::Signer;
use crate::store;
use crate::store::deletions::Taken;

/// How many are told of at the same time.
const AT_ONCE: i64 = 8;
/// Nobody else takes a deletion for this long: longer than any call takes with all its attempts.
const LEASE: Duration = Duration::from_secs(30);
/// How often a member looks for what another one left, and for what is due again.
const LOOK_EVERY: Duration = Duration::from_secs(1);
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// What the queue says of an account that user-service is erasing.
const ERASING: &str = "erasing";
/// How a user-service of the version before says the same, by a 503.
const UNFINISHED: &str = "deletion_unfinished";
/// As much of a reason is kept in the queue.
const LONGEST_REASON: usize = 300;

/// Names of the queue's metrics.
pub mod metric {
    /// Deletions of which user-service does not know yet.
    pub const PENDING: &str = "nova_auth_account_deletions_pending";
    /// Age of the oldest of them.
    pub const OLDEST: &str = "nova_auth_account_deletions_oldest_seconds";
    /// Attempts to tell user-service, by outcome.
    pub const ATTEMPTS: &str = "nova_auth_account_deletion_attempts_total";
}

/// What the task works with.
pub struct Deletions {
    postgres: Postgres,
    signer: Arc<Signer>,
    user_service: Client,
    wake: Notify,
}

/// What came of a call.
enum Told {
    Done,
    /// user-service works on it and wants to be asked again after this pause.
    Erasing(Duration),
    Failed(String),
}

impl Deletions {
    /// Tells this user-service, with tokens of this signer.
    pub fn new(postgres: Postgres, signer: Arc<Signer>, user_service: Client) -> Self {
        Self {
            postgres,
            signer,
            user_service,
            wake: Notify::new(),
        }
    }

    /// There is something new in the queue.
    pub fn wake(&self) {
        self.wake.notify_one();
    }

    /// Works on the queue until `stop`. What is in work then is taken up after its lease, here or elsewhere.
    pub async fn run(&self, stop: CancellationToken) {
        stop.run_until_cancelled(self.work()).await;
    }

    async fn work(&self) {
        let mut failing = false;
        loop {
            match self.work_once().await {
                // There may be more.
                Ok(worked) if worked > 0 => {
                    failing = false;
                    continue;
                }
                Ok(_) => failing = false,
                // The watcher of the database logs an outage; this is for everything else, and once.
                Err(error) if !failing => {
                    tracing::warn!(%error, "queue of account deletions not read, tried again");
                    failing = true;
                }
                Err(_) => {}
            }
            let _ = tokio::time::timeout(LOOK_EVERY, self.wake.notified()).await;
        }
    }

    /// Takes what is due and tells user-service: how many that were.
    async fn work_once(&self) -> Result<usize, DatabaseError> {
        let Ok(pool) = self.postgres.primary() else {
            return Ok(0);
        };
        let taken = store::deletions::take(pool, AT_ONCE, LEASE).await?;
        let results = join_all(taken.iter().map(|taken| self.work_on(taken))).await;
        results.into_iter().collect::<Result<(), _>>()?;
        let backlog = store::deletions::backlog(self.postgres.primary()?).await?;
        // Counts far beyond 2^52 rows lose precision, and nothing else.
        metrics::gauge!(metric::PENDING).set(backlog.pending as f64);
        metrics::gauge!(metric::OLDEST).set(backlog.oldest);
        Ok(taken.len())
    }

    async fn work_on(&self, taken: &Taken) -> Result<(), DatabaseError> {
        let told = self.tell(taken.account_id).await;
        let pool = self.postgres.primary()?;
        match told {
            Told::Done => {
                metrics::counter!(metric::ATTEMPTS, "outcome" => "done").increment(1);
                store::deletions::finish(pool, taken.account_id).await
            }
            Told::Erasing(pause) => {
                metrics::counter!(metric::ATTEMPTS, "outcome" => "erasing").increment(1);
                store::deletions::postpone(pool, taken, pause, false, ERASING).await
            }
            Told::Failed(reason) => {
                metrics::counter!(metric::ATTEMPTS, "outcome" => "failed").increment(1);
                let failures = taken.failures.saturating_add(1);
                let pause = pause_after(failures);
                tracing::warn!(account = %taken.account_id, failures, reason, ?pause,
                    "user-service not told of a deleted account, tried again");
                store::deletions::postpone(pool, taken, pause, true, &reason).await
            }
        }
    }

    async fn tell(&self, account: Uuid) -> Told {
        let Ok(token) = self
            .signer
            .sign_service(crate::NAME, EraseAccounts::AUDIENCE, EraseAccounts::NAME)
        else {
            return Told::Failed("no token could be signed".to_owned());
        };
        let call = self
            .user_service
            .delete(&format!("/api/v1/internal/accounts/{account}"))
            .bearer(&token);
        match call.send().await {
            Ok(answer) => judge(&answer),
            Err(error) => Told::Failed(shortened(&chain(&error))),
        }
    }
}

fn judge(answer: &Answer) -> Told {
    let code = || answer.json::<ProblemBody>().map(|problem| problem.code);
    match answer.status {
        StatusCode::ACCEPTED => Told::Erasing(retry_after(&answer.headers)),
        // An unknown account is a success there too. A 404 is a member of an older version, which has no such route, or
        // somebody else at its address.
        status if status.is_success() => Told::Done,
        StatusCode::SERVICE_UNAVAILABLE if code().is_ok_and(|code| code == UNFINISHED) => {
            Told::Erasing(retry_after(&answer.headers))
        }
        status => Told::Failed(format!("user-service answered {status}")),
    }
}

fn retry_after(headers: &HeaderMap) -> Duration {
    let seconds = headers
        .get(header::RETRY_AFTER)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.parse().ok());
    seconds.map_or(FIRST_PAUSE, Duration::from_secs).min(LONGEST_PAUSE)
}

/// Doubles with each failure in a row up to the longest, and is at least half of that, so that members and rows do not march in step.
fn pause_after(failures: i32) -> Duration {
    let doublings = u32::try_from(failures - 1).unwrap_or(0).min(16);
    let pause = (FIRST_PAUSE * 2u32.pow(doublings)).min(LONGEST_PAUSE);
    pause.mul_f64(rand::random_range(0.5..=1.0))
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

fn shortened(text: &str) -> String {
    // NUL is the one character that PostgreSQL refuses in text.
    text.chars().filter(|char| *char != '\0').take(LONGEST_REASON).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_from_a_second_to_five_minutes() {
        for (failures, full) in [(0, 1), (1, 1), (2, 2), (5, 16), (9, 256), (10, 300), (i32::MAX, 300)] {
            let (pause, full) = (pause_after(failures), Duration::from_secs(full));
            assert!(pause >= full / 2 && pause <= full, "{pause:?} after {failures}");
        }
    }

    #[test]
    fn what_the_other_side_says_about_time_is_bounded() {
        let after = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::RETRY_AFTER, header::HeaderValue::from_static(text));
            retry_after(&headers)
        };
        assert_eq!(after("2"), Duration::from_secs(2));
        assert_eq!(after("99999999"), LONGEST_PAUSE);
        assert_eq!(after("soon"), FIRST_PAUSE);
        assert_eq!(retry_after(&HeaderMap::new()), FIRST_PAUSE);
    }
}
