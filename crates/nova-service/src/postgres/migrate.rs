//! Migrations at start-up: as the owner, under a lock, forward only.

use std::borrow::Cow;
use std::time::Duration;

use anyhow::Context;
use futures::future::BoxFuture;
use sqlx::migrate::Migrator;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use super::{Postgres, idempotency, pool};

/// How long all of it may take, waiting for another member's migration included.
const DEADLINE: Duration = Duration::from_secs(5 * 60);
const CONNECT: Duration = Duration::from_secs(3);

impl Postgres {
    /// Brings the schema up to date. Members that start together wait for each other.
    pub async fn migrate(&self, migrator: &'static Migrator) -> anyhow::Result<()> {
        let user = self.inner.config.user.clone();
        self.as_owner(|connection| Box::pin(async move { apply(connection, migrator, &user).await }))
            .await
    }

    /// Does something as the schema's owner, on a connection of its own to the primary.
    pub(crate) async fn as_owner<F>(&self, work: F) -> anyhow::Result<()>
    where
        F: for<'c> FnOnce(&'c mut PgConnection) -> BoxFuture<'c, anyhow::Result<()>>,
    {
        let config = &self.inner.config;
        let options = pool::owner_options(config);
        let connecting = PgConnection::connect_with(&options);
        let mut connection = tokio::time::timeout(CONNECT, connecting)
            .await
            .context("connecting to the primary took too long")?
            .with_context(|| {
                format!(
                    "cannot connect to the primary at {} as {}",
                    config.primary, config.owner
                )
            })?;
        tokio::time::timeout(DEADLINE, work(&mut connection))
            .await
            .context("the migrations took too long")??;
        // The work is done; a broken goodbye changes nothing.
        let _ = connection.close().await;
        Ok(())
    }
}

async fn apply(connection: &mut PgConnection, migrator: &'static Migrator, user: &str) -> anyhow::Result<()> {
    let mut migrator = Migrator {
        migrations: Cow::Borrowed(&*migrator.migrations),
        table_name: migrator.table_name.clone(),
        ..Migrator::DEFAULT
    };
    // During a rolling update a member of the version before starts on the newer schema, and must.
    migrator.set_ignore_missing(true);
    // What `run` calls; `run` itself hides from the compiler that its future is `Send` (a limit of sqlx's `Acquire`).
    migrator
        .run_direct(None, &mut *connection, false)
        .await
        .context("a migration failed")?;
    idempotency::prepare(connection)
        .await
        .context("cannot prepare the table of idempotency keys")?;
    // Default privileges gave the application role write access to the history of migrations as to any table.
    // The role's name was checked to be a plain identifier when the settings were parsed.
    let revoke = format!("revoke insert, update, delete on {} from {user}", migrator.table_name);
    sqlx::query(AssertSqlSafe(revoke))
        .execute(connection)
        .await
        .context("cannot protect the history of migrations")?;
    Ok(())
}
