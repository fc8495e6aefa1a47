//! A superuser's connection that remembers what it changed.

use std::time::Duration;

use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::QueryAs;
use sqlx::{AssertSqlSafe, Connection, FromRow, PgConnection, Postgres};

use super::ProvisionError;
use crate::endpoints::HostPort;
use crate::postgres_login::Login;

/// See the module.
pub(super) struct Session {
    connection: PgConnection,
    address: HostPort,
    changes: Vec<String>,
}

impl Session {
    pub(super) async fn open(
        login: &Login,
        address: &HostPort,
        database: &str,
        limit: Duration,
    ) -> Result<Self, ProvisionError> {
        match login.connect(address, database, limit).await {
            Ok(connection) => Ok(Self {
                connection,
                address: address.clone(),
                changes: Vec::new(),
            }),
            Err(error) => Err(ProvisionError::refused(
                format!("connect to database {database}"),
                address,
                &error,
            )),
        }
    }

    /// What was changed so far, a line each.
    pub(super) fn changes(&self) -> &[String] {
        &self.changes
    }

    /// Ends the connection properly: a lingering one would keep `template1` from being copied.
    pub(super) async fn close(self) -> Result<Vec<String>, ProvisionError> {
        let Self {
            connection,
            address,
            changes,
        } = self;
        connection
            .close()
            .await
            .map_err(|error| ProvisionError::refused("end the session", &address, &error))?;
        Ok(changes)
    }

    /// Rows of a query that looks.
    pub(super) async fn query<'q, T>(
        &mut self,
        looking: &str,
        query: QueryAs<'q, Postgres, T, PgArguments>,
    ) -> Result<Vec<T>, ProvisionError>
    where
        T: for<'r> FromRow<'r, PgRow> + Send + Unpin,
    {
        query
            .fetch_all(&mut self.connection)
            .await
            .map_err(|error| ProvisionError::refused(looking, &self.address, &error))
    }

    /// Runs a statement whose names are quoted already, and remembers `change` once it is done: "created role auth_app".
    pub(super) async fn change(&mut self, change: String, statement: String) -> Result<(), ProvisionError> {
        self.run(&format!("reach the state \"{change}\""), statement).await?;
        tracing::debug!(%change, "provisioned");
        self.changes.push(change);
        Ok(())
    }

    /// Runs a statement that changes nothing by itself.
    pub(super) async fn run(&mut self, action: &str, statement: String) -> Result<(), ProvisionError> {
        sqlx::raw_sql(AssertSqlSafe(statement))
            .execute(&mut self.connection)
            .await
            .map(drop)
            .map_err(|error| ProvisionError::refused(action, &self.address, &error))
    }
}
