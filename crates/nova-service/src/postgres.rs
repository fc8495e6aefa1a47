//! PostgreSQL behind the gateway's two doors: pools that survive a failover, writes whose outcome is told truthfully.
//!
//! The pools connect lazily. A watcher (`watch`) keeps each door's state, so that a request fails at once while
//! PostgreSQL is known to be down, and the door opens again by itself. `suspicion` is how a failed statement makes the
//! pools distrust every connection that they hold.

mod error;
pub mod idempotency;
mod migrate;
mod pool;
mod suspicion;
mod watch;

use std::sync::Arc;

use futures::future::BoxFuture;
use metrics::gauge;
use sqlx::{PgConnection, PgPool, Postgres as Driver, Transaction};

pub use error::DatabaseError;
pub(crate) use suspicion::suspect;

use crate::config::PostgresConfig;
use crate::service::{PartState, Unavailable};
use crate::telemetry::names;

/// A service's two pools. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct Postgres {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    config: PostgresConfig,
    primary: PgPool,
    replicas: PgPool,
    primary_state: PartState,
    replicas_state: PartState,
}

impl Postgres {
    /// Prepares both pools; nothing is connected yet. Must be called inside the runtime.
    pub fn new(config: &PostgresConfig) -> Self {
        let inner = Inner {
            primary: pool::lazy(config, pool::Door::Primary),
            replicas: pool::lazy(config, pool::Door::Replicas),
            primary_state: PartState::new("database"),
            replicas_state: PartState::new("database-replicas"),
            config: config.clone(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// The pool for writes and for reads that must see the latest commit. Fails at once while the primary is down.
    pub fn primary(&self) -> Result<&PgPool, Unavailable> {
        self.inner.primary_state.check()?;
        Ok(&self.inner.primary)
    }

    /// The pool for reads that may lag a little; the primary while no replica answers.
    pub fn replicas(&self) -> Result<&PgPool, Unavailable> {
        match self.inner.replicas_state.check() {
            Ok(()) => Ok(&self.inner.replicas),
            Err(_) => self.primary(),
        }
    }

    /// Runs `work` in a transaction on the primary and commits it. When the answer to the COMMIT is lost, the error is
    /// [`DatabaseError::OutcomeUnknown`]: the transaction may have happened. An error of `work` rolls back.
    pub async fn write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        E: From<DatabaseError>,
        F: for<'t> FnOnce(&'t mut PgConnection) -> BoxFuture<'t, Result<T, E>>,
    {
        let pool = self.primary().map_err(DatabaseError::from)?;
        let mut transaction = pool.begin().await.map_err(DatabaseError::from)?;
        // A dropped transaction rolls back before its connection returns to the pool.
        let value = work(&mut transaction).await?;
        commit(transaction).await?;
        Ok(value)
    }

    /// The settings in force.
    pub(crate) fn config(&self) -> &PostgresConfig {
        &self.inner.config
    }

    /// The state of the primary, for readiness.
    pub(crate) fn primary_state(&self) -> &PartState {
        &self.inner.primary_state
    }

    /// The state of the replicas, for readiness.
    pub(crate) fn replicas_state(&self) -> &PartState {
        &self.inner.replicas_state
    }

    /// Publishes how the pools are used.
    pub(crate) fn measure(&self) {
        for (name, pool) in [("primary", &self.inner.primary), ("replicas", &self.inner.replicas)] {
            let idle = u32::try_from(pool.num_idle()).unwrap_or(u32::MAX);
            let used = pool.size().saturating_sub(idle);
            gauge!(names::DB_CONNECTIONS, "pool" => name, "state" => "idle").set(f64::from(idle));
            gauge!(names::DB_CONNECTIONS, "pool" => name, "state" => "used").set(f64::from(used));
            gauge!(names::DB_CONNECTIONS_MAX, "pool" => name).set(f64::from(self.inner.config.pool));
        }
    }

    /// Closes both pools; connections in use are given back first.
    pub(crate) async fn close(&self) {
        futures::join!(self.inner.primary.close(), self.inner.replicas.close());
    }
}

/// Commits, and tells a lost answer from a refusal. Use it in place of `Transaction::commit`.
pub async fn commit(transaction: Transaction<'_, Driver>) -> Result<(), DatabaseError> {
    transaction.commit().await.map_err(DatabaseError::from_write)
}
