//! What every route works with.

use std::sync::Arc;

use axum::extract::FromRef;
use nova_service::{DatabaseError, Postgres, Problem, TokenVerifier};
use sqlx::pool::PoolConnection;
use tokio::sync::Notify;
use uuid::Uuid;

use crate::accounts::Accounts;
use crate::config::UsersConfig;
use crate::errors;
use crate::known_accounts::KnownAccounts;
use crate::limits::Limits;
use crate::store;

/// The state of the service. Cloning is cheap.
#[derive(Clone)]
pub(crate) struct App {
    pub(crate) postgres: Postgres,
    pub(crate) settings: UsersConfig,
    pub(crate) accounts: Accounts,
    pub(crate) known: Arc<KnownAccounts>,
    pub(crate) limits: Arc<Limits>,
    /// Told when a request leaves something for later.
    pub(crate) backlog: Arc<Notify>,
    verifier: TokenVerifier,
}

impl App {
    pub(crate) fn new(postgres: Postgres, verifier: TokenVerifier, accounts: Accounts, settings: UsersConfig) -> Self {
        Self {
            postgres,
            settings,
            accounts,
            known: Arc::default(),
            limits: Arc::new(Limits::new(&settings)),
            backlog: Arc::default(),
            verifier,
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

    /// Makes the account's profile unless it has one; refuses an account that was deleted.
    pub(crate) async fn ensure_profile(&self, account: Uuid) -> Result<(), Problem> {
        if self.known.contains(account) {
            return Ok(());
        }
        // Looking first keeps a restarted member from writing for each account that comes back, and lets reads go on while
        // PostgreSQL has no leader.
        let (exists, deleted) = store::profiles::state(&mut *self.read().await?, account).await?;
        if deleted {
            return Err(errors::account_deleted());
        }
        if !exists {
            let made = self.postgres.write::<_, DatabaseError, _>(|connection| {
                Box::pin(async move { store::profiles::create(connection, account).await })
            });
            if !made.await? {
                return Err(errors::account_deleted());
            }
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
