//! The row that proves that PostgreSQL works: a counter in a table of the superuser's, in the maintenance database that no
//! service may enter. The table is made when it is first missed, so the check works before anything was provisioned.

use std::time::Duration;

use sqlx::{Connection, FromRow};
use tokio::time::{Instant, timeout_at};

use super::sessions::{Session, Sessions};
use crate::bounded::Stage;
use crate::postgres_login::{explain, sqlstate};

/// Value of the counter.
pub(super) type Beat = i64;

/// Rows of the table: each checker takes one, so that two seldom wait for each other's lock.
const SLOTS: i16 = 64;
/// Kept from the deadline of a commit, to find out what it was waiting for.
const DIAGNOSIS: Duration = Duration::from_millis(250);

const WRITE: &str = "insert into nova.liveness as kept values ($1, 1, now()) \
                     on conflict (slot) do update set beat = kept.beat + 1, written_at = now() returning beat";
const READ: &str = "select pg_is_in_recovery() as in_recovery, \
                           exists (select from pg_stat_wal_receiver where status = 'streaming') as streaming, \
                           (select beat from nova.liveness where slot = $1) as beat";
const READ_NOTHING: &str = "select pg_is_in_recovery() as in_recovery, \
                           exists (select from pg_stat_wal_receiver where status = 'streaming') as streaming, \
                           null::bigint as beat";
const CREATE: [&str; 2] = [
    "create schema if not exists nova",
    "create table if not exists nova.liveness \
         (slot smallint primary key, beat bigint not null, written_at timestamptz not null) with (fillfactor = 50)",
];

/// See the module.
#[derive(Clone, Copy)]
pub(super) struct Liveness {
    slot: i16,
}

/// What a server holds.
#[derive(FromRow)]
pub(super) struct Found {
    pub(super) in_recovery: bool,
    pub(super) streaming: bool,
    pub(super) beat: Option<Beat>,
}

impl Liveness {
    pub(super) fn new() -> Self {
        Self {
            slot: rand::random_range(0..SLOTS),
        }
    }

    /// Writes on a leader and reads it there. `who` names it in errors.
    pub(super) async fn write_and_read(&self, sessions: &Sessions, who: &str, stage: &Stage) -> Result<Beat, String> {
        stage.enter(format!("a connection to {who}"));
        let mut session = sessions
            .take(stage.remaining())
            .await
            .map_err(|error| format!("{who}: {}", explain(&error)))?;
        let beat = self.write_or_explain(&mut session, sessions, who, stage).await?;
        stage.enter(format!("{who} to read beat {beat} again"));
        let found = self
            .read(&mut session)
            .await
            .map_err(|error| format!("{who}: {}", explain(&error)))?;
        if found.in_recovery {
            return Err(format!("{who} is in recovery: it is no leader any more"));
        }
        if found.beat < Some(beat) {
            return Err(format!("{who} acknowledged beat {beat} and then read {:?}", found.beat));
        }
        sessions.put_back(session);
        Ok(beat)
    }

    /// What a server holds now.
    pub(super) async fn read(&self, session: &mut Session) -> Result<Found, sqlx::Error> {
        match sqlx::query_as(READ)
            .bind(self.slot)
            .fetch_one(session.connection())
            .await
        {
            // A replica that has not replayed the table itself.
            Err(error) if is_missing(&error) => sqlx::query_as(READ_NOTHING).fetch_one(session.connection()).await,
            found => found,
        }
    }

    async fn write_or_explain(
        &self,
        session: &mut Session,
        sessions: &Sessions,
        who: &str,
        stage: &Stage,
    ) -> Result<Beat, String> {
        stage.enter(format!("the commit of a write on {who}"));
        let backend = session.backend();
        let begin = Instant::now();
        let mut stuck = StuckCommit {
            sessions,
            backend,
            armed: true,
        };
        let patience = stage.until() - DIAGNOSIS.min(stage.remaining() / 4);
        let written = timeout_at(patience, self.write(session)).await;
        match written {
            Ok(result) => {
                stuck.armed = false;
                result.map_err(|error| format!("{who} refused a write: {}", explain(&error)))
            }
            Err(_) => {
                let waited = sessions.end_backend(backend).await;
                stuck.armed = false;
                let after = begin.elapsed().as_millis();
                Err(match waited {
                    Ok(event) if event == "SyncRep" => format!(
                        "a write on {who} was not acknowledged within {after} ms: its commit waits for a synchronous standby (SyncRep)"
                    ),
                    Ok(event) => {
                        format!("a write on {who} was not acknowledged within {after} ms: it was waiting for {event}")
                    }
                    Err(error) => {
                        format!("a write on {who} was not acknowledged within {after} ms, and why is unknown: {error}")
                    }
                })
            }
        }
    }

    async fn write(&self, session: &mut Session) -> Result<Beat, sqlx::Error> {
        let write = async |session: &mut Session| {
            sqlx::query_scalar(WRITE)
                .bind(self.slot)
                .fetch_one(session.connection())
                .await
        };
        match write(session).await {
            Err(error) if is_missing(&error) => {
                create(session).await?;
                write(session).await
            }
            result => result,
        }
    }
}

async fn create(session: &mut Session) -> Result<(), sqlx::Error> {
    let mut transaction = session.connection().begin().await?;
    for statement in CREATE {
        match sqlx::query(statement).execute(&mut *transaction).await {
            // Another checker was faster, between "if not exists" and the catalogue: it is there now.
            Err(error) if sqlstate(&error).as_deref() == Some("23505") => return transaction.rollback().await,
            result => {
                result?;
            }
        }
    }
    transaction.commit().await
}

fn is_missing(error: &sqlx::Error) -> bool {
    // undefined_table, invalid_schema_name
    matches!(sqlstate(error).as_deref(), Some("42P01" | "3F000"))
}

/// Ends the backend of a commit that nobody waits for any more, when the check around it was given up.
struct StuckCommit<'a> {
    sessions: &'a Sessions,
    backend: i32,
    armed: bool,
}

impl Drop for StuckCommit<'_> {
    fn drop(&mut self) {
        if self.armed
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            let sessions = self.sessions.another();
            let backend = self.backend;
            runtime.spawn(async move { sessions.end_backend(backend).await });
        }
    }
}
