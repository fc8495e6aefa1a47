//! What every route works with.

use std::sync::Arc;

use axum::extract::FromRef;
use nova_service::{DatabaseError, Postgres, TokenVerifier};
use sqlx::pool::PoolConnection;
use uuid::Uuid;

use crate::config::UsersConfig;
use crate::known_accounts::KnownAccounts;
use crate::store;

/// The state of the service. Cloning is cheap.
#[derive(Clone)]
pub(crate) struct App {
    pub(crate) postgres: Postgres,
    pub(crate) settings: UsersConfig,
    verifier: TokenVerifier,
    known: Arc<KnownAccounts>,
}

impl App {
    pub(crate) fn new(postgres: Postgres, verifier: TokenVerifier, settings: UsersConfig) -> Self {
        Self {
            postgres,
            settings,
            verifier,
            known: Arc::default(),
        }
    }

    /// A connection for reading: to the primary, so that everyone sees their own writes; to a replica while there is none.
    pub(crate) async fn read(&self) -> Result<PoolConnection<sqlx::Postgres>, DatabaseError> {
        let pool = match self.postgres.primary() {
            Ok(primary) => primary,
            Err(_) => self.postgres.replicas()?,
        };
        Ok(pool.acquire().await?)
    }

    /// Makes the account's profile unless it has one.
    pub(crate) async fn ensure_profile(&self, account: Uuid) -> Result<(), DatabaseError> {
        if self.known.contains(account) {
            return Ok(());
        }
        // Looking first keeps a restarted member from writing for each account that comes back, and lets reads go on while
        // PostgreSQL has no leader.
        let exists = store::profiles::exists(&mut *self.read().await?, account).await?;
        if !exists {
            store::profiles::create(self.postgres.primary()?, account).await?;
        }
        self.known.insert(account);
        Ok(())
    }
}

impl FromRef<App> for TokenVerifier {
    fn from_ref(app: &App) -> Self {
        app.verifier.clone()
    }
}
