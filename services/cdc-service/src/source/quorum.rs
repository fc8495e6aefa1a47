//! What of the log no failover can undo: what the synchronous standbys have flushed. Logical decoding runs ahead of them, because it
//! reads what the primary itself has flushed; so before anything is published, PostgreSQL is asked what its standbys have.

use std::time::Duration;

use sqlx::PgConnection;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::OwnError;
use crate::judge::lsn;

/// Pauses between two questions.
const FIRST: Duration = Duration::from_millis(1);
const LONGEST: Duration = Duration::from_millis(20);
/// One answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// What PostgreSQL says of itself and its standbys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Standbys {
    /// How many must have a commit; none when nobody is waited for.
    pub(crate) needed: usize,
    /// What those that count have flushed.
    flushed: Vec<u64>,
    /// What the primary itself has.
    pub(crate) end: u64,
}

impl Standbys {
    /// Whether enough of them have everything before `reach`.
    fn have(&self, reach: u64) -> bool {
        self.needed == 0 || self.flushed.iter().filter(|lsn| **lsn >= reach).count() >= self.needed
    }
}

/// The connection that asks.
pub(crate) struct Quorum {
    control: PgConnection,
}

impl Quorum {
    pub(super) fn new(control: PgConnection) -> Self {
        Self { control }
    }

    /// Asks.
    pub(crate) async fn ask(&mut self) -> Result<Standbys, OwnError> {
        timeout(PATIENCE, self.asked())
            .await
            .unwrap_or_else(|_| Err(OwnError::Unusable(format!("no answer within {} s", PATIENCE.as_secs()))))
    }

    /// Waits until the quorum has everything before `reach`. `waiting` is told when it does not have it at once.
    pub(crate) async fn until(
        &mut self,
        reach: u64,
        limit: Duration,
        mut waiting: impl FnMut(),
    ) -> Result<Standbys, OwnError> {
        let deadline = Instant::now() + limit;
        let mut pause = FIRST;
        loop {
            let standbys = self.ask().await?;
            if standbys.have(reach) {
                return Ok(standbys);
            }
            if pause == LONGEST {
                waiting();
            }
            let over = || {
                OwnError::Unusable(format!(
                    "its synchronous standbys have not flushed what is to be published within {} s",
                    limit.as_secs()
                ))
            };
            timeout_at(deadline, sleep(pause)).await.map_err(|_| over())?;
            pause = (pause * 2).min(LONGEST);
        }
    }

    async fn asked(&mut self) -> Result<Standbys, OwnError> {
        // A standby counts as PostgreSQL counts it: one that is still catching up, or that is not named, is neither of the two.
        let (names, end, flushed): (String, String, Vec<String>) = sqlx::query_as(
            "select current_setting('synchronous_standby_names'), pg_current_wal_flush_lsn()::text,
                    array(select flush_lsn::text from pg_stat_replication
                          where sync_state in ('sync', 'quorum') and flush_lsn is not null)",
        )
        .fetch_one(&mut self.control)
        .await?;
        let place = |text: &str| lsn(text).ok_or_else(|| OwnError::Unusable(format!("{text} is no place in the log")));
        Ok(Standbys {
            needed: needed(&names),
            flushed: flushed.iter().map(|text| place(text)).collect::<Result<_, _>>()?,
            end: place(&end)?,
        })
    }
}

/// How many standbys `synchronous_standby_names` asks for: `ANY 2 (a, b, c)`, `FIRST 1 (a, b)`, `2 (a, b)`, `a, b`, `*`.
fn needed(names: &str) -> usize {
    let names = names.trim();
    if names.is_empty() {
        return 0;
    }
    let before = names.split_once('(').map_or("", |(before, _)| before);
    let number = before.split_whitespace().last().and_then(|word| word.parse().ok());
    number.unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::{Standbys, needed};

    #[test]
    fn what_postgresql_is_told_is_understood() {
        for (names, wanted) in [
            ("", 0),
            ("*", 1),
            ("a, b", 1),
            ("\"postgres-2\"", 1),
            ("ANY 1 (\"postgres-2\",\"postgres-3\")", 1),
            ("any 2 (a,b,c)", 2),
            ("FIRST 2 (a, b)", 2),
            ("3(a,b,c)", 3),
        ] {
            assert_eq!(needed(names), wanted, "{names:?}");
        }
    }

    #[test]
    fn enough_must_have_it() {
        let standbys = |needed, flushed: &[u64]| Standbys {
            needed,
            flushed: flushed.to_vec(),
            end: 20,
        };
        assert!(standbys(0, &[]).have(20));
        assert!(!standbys(1, &[]).have(20));
        assert!(standbys(1, &[19, 20]).have(20));
        assert!(!standbys(2, &[19, 20]).have(20));
    }
}
