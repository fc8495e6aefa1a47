//! Keeps the state of both doors: which is open, proved by a statement.

use std::time::Duration;

use sqlx::{Connection, PgConnection, PgPool};
use tokio_util::sync::CancellationToken;

use super::pool::{self, Door};
use super::{Postgres, suspicion};
use crate::backoff::Backoff;
use crate::service::PartState;

/// How often an open door is tried. Failing requests cause a trial at once, so this only matters without traffic.
const CALM: Duration = Duration::from_secs(1);
const FIRST: Duration = Duration::from_millis(50);
/// Requests fail until a trial finds the door open again, so what is left of a pause then is added to every failover.
const LONGEST: Duration = Duration::from_millis(250);
/// How often a start looks whether the watcher has found the door open; the start's own deadline bounds it.
const LOOK: Duration = Duration::from_millis(5);
/// How long one trial of an open door may take.
const DEADLINE: Duration = Duration::from_secs(2);
/// And of a closed one, with nothing to lose: a gateway that is gone may swallow packets, and the next trial leads to another.
const DEADLINE_IN_DOUBT: Duration = Duration::from_secs(1);

impl Postgres {
    /// Waits until the watcher has found the primary's door open.
    pub(crate) async fn until_primary(&self) {
        while self.inner.primary_state.check().is_err() {
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Watches both doors until `stop`.
    pub(crate) async fn watch(self, stop: CancellationToken) {
        let primary = self.watch_door(Door::Primary, &self.inner.primary, &self.inner.primary_state);
        let replicas = self.watch_door(Door::Replicas, &self.inner.replicas, &self.inner.replicas_state);
        stop.run_until_cancelled(async { futures::join!(primary, replicas) })
            .await;
    }

    async fn watch_door(&self, door: Door, pool: &PgPool, state: &PartState) {
        let mut suspicions = suspicion::subscribe();
        let mut backoff = Backoff::new(FIRST, LONGEST);
        let mut silences = 0;
        loop {
            let deadline = if state.check().is_ok() {
                DEADLINE
            } else {
                DEADLINE_IN_DOUBT
            };
            match tokio::time::timeout(deadline, self.try_door(door, pool, state)).await {
                Ok(Ok(())) => {
                    state.set_up();
                    silences = 0;
                    backoff.reset();
                }
                Ok(Err(error)) => state.set_down(&error.to_string()),
                // One slow answer may be a busy machine; two are a dead server.
                Err(_) => {
                    silences += 1;
                    if silences > 1 || state.check().is_err() {
                        state.set_down("no answer in time");
                    }
                }
            }
            if state.check().is_err() {
                tokio::time::sleep(backoff.next_pause()).await;
            } else {
                let _ = tokio::time::timeout(CALM, suspicions.changed()).await;
                suspicions.mark_unchanged();
                // However many requests fail, the door is tried at most so often.
                tokio::time::sleep(FIRST).await;
            }
        }
    }

    /// Proves the door open: by an unused connection of the pool if there is one, else by a new one.
    async fn try_door(&self, door: Door, pool: &PgPool, state: &PartState) -> Result<(), sqlx::Error> {
        if let Some(mut connection) = pool.try_acquire() {
            if pool::test(&mut connection, door).await.is_ok() {
                return Ok(());
            }
            // The server may just have changed; a new connection tells.
            let _ = connection.detach().close_hard().await;
        } else if state.check().is_ok()
            && pool.size() >= self.inner.config.pool
            && !suspicion::recent()
            && !suspicion::recently_busy()
        {
            // All connections are at work, which is proof enough; one more would be one more than allowed.
            return Ok(());
        }
        let mut connection = PgConnection::connect_with(&pool::options(&self.inner.config, door)).await?;
        pool::test(&mut connection, door).await?;
        let _ = connection.close().await;
        Ok(())
    }
}
