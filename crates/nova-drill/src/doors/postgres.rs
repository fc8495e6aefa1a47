//! Rows through the gateway's door to the primary. The table has no key, so that a row which is there twice is seen.

use std::borrow::Cow;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use nova_platform::provision::SUPERUSER_SECRET;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection};
use tokio::time::{sleep, timeout};

use super::{CONNECT, Client, Door, DoorError, PATIENCE, Site, WHOLE, secret};
use crate::judge::Found;
use crate::record::Outcome;
use crate::store::Store;

/// See the module.
pub(super) struct Postgres {
    options: PgConnectOptions,
}

/// Where the rows are; in the database that no service may enter.
const SCHEMA: &str = "nova_drill";
/// Pause after a write that was not acknowledged, as every pool of an application has one: without it eight clients are refused five
/// hundred times a second, and each time a server that is about to end or to lead has started a process for that.
const PAUSE: Duration = Duration::from_millis(50);
/// What a server says that is no longer the primary, or not yet.
const READ_ONLY: &str = "25006";

impl Postgres {
    pub(super) fn new(site: &Site<'_>) -> Result<Self, DoorError> {
        let primary = &site.endpoints.primary;
        let options = PgConnectOptions::new_without_pgpass()
            .host(&primary.host)
            .port(primary.port)
            .username("postgres")
            .password(&secret(site, SUPERUSER_SECRET)?)
            .database("postgres")
            .ssl_mode(PgSslMode::Disable)
            .application_name("nova-drill")
            .disable_statement_logging();
        Ok(Self { options })
    }

    async fn execute(&self, statements: &[String]) -> Result<(), DoorError> {
        let all = async {
            let mut connection = PgConnection::connect_with(&self.options).await?;
            for statement in statements {
                sqlx::query(AssertSqlSafe(statement.as_str()))
                    .execute(&mut connection)
                    .await?;
            }
            connection.close().await
        };
        within(all).await
    }
}

async fn within<T>(work: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, DoorError> {
    match timeout(WHOLE, work).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(DoorError::Postgres(error)),
        Err(_) => Err(DoorError::Silent { server: "PostgreSQL" }),
    }
}

fn table(run: u32) -> String {
    format!("{SCHEMA}.run_{run}")
}

impl Door for Postgres {
    fn store(&self) -> Store {
        Store::Postgres
    }

    fn prepare(&self, run: u32, _: u16) -> BoxFuture<'_, Result<(), DoorError>> {
        async move {
            let table = table(run);
            self.execute(&[
                format!("create schema if not exists {SCHEMA}"),
                format!("drop table if exists {table}"),
                format!("create table {table} (id bigint not null)"),
            ])
            .await
        }
        .boxed()
    }

    fn client(&self, run: u32, _: u16) -> Result<Box<dyn Client>, DoorError> {
        Ok(Box::new(Writer {
            options: self.options.clone(),
            insert: format!("insert into {} values ($1)", table(run)),
            connection: None,
        }))
    }

    fn found(&self, run: u32, _: u16) -> BoxFuture<'_, Result<Option<Found>, DoorError>> {
        async move {
            let select = format!("select id from {}", table(run));
            let read = async {
                let mut connection = PgConnection::connect_with(&self.options).await?;
                let ids: Vec<i64> = sqlx::query_scalar(AssertSqlSafe(select.as_str()))
                    .fetch_all(&mut connection)
                    .await?;
                connection.close().await?;
                Ok(ids)
            };
            let ids = within(read).await?;
            Ok(Some(Found {
                ids: ids.into_iter().map(i64::cast_unsigned).collect(),
                ordered: false,
            }))
        }
        .boxed()
    }

    fn remove(&self, run: u32, _: u16) -> BoxFuture<'_, Result<(), DoorError>> {
        async move { self.execute(&[format!("drop table if exists {}", table(run))]).await }.boxed()
    }

    fn leave(&self) -> BoxFuture<'_, Result<(), DoorError>> {
        async move { self.execute(&[format!("drop schema if exists {SCHEMA} cascade")]).await }.boxed()
    }
}

struct Writer {
    options: PgConnectOptions,
    insert: String,
    connection: Option<PgConnection>,
}

impl Client for Writer {
    fn write(&mut self, id: u64) -> BoxFuture<'_, Outcome> {
        async move {
            let outcome = self.insert(id).await;
            if outcome != Outcome::Acknowledged {
                sleep(PAUSE).await;
            }
            outcome
        }
        .boxed()
    }
}

impl Writer {
    async fn insert(&mut self, id: u64) -> Outcome {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => match timeout(CONNECT, PgConnection::connect_with(&self.options)).await {
                Ok(Ok(connection)) => connection,
                // Nothing was sent.
                Ok(Err(_)) | Err(_) => return Outcome::Failed,
            },
        };
        let insert = sqlx::query(AssertSqlSafe(self.insert.as_str()))
            .bind(id.cast_signed())
            .execute(&mut connection);
        match timeout(PATIENCE, insert).await {
            Ok(Ok(_)) => {
                self.connection = Some(connection);
                Outcome::Acknowledged
            }
            Ok(Err(error)) => {
                let outcome = refusal(&error);
                // Who is about to be promoted takes the next write on the same connection; the gateway cuts it should another lead.
                // Any other connection is dropped: a commit that is under way is not cancelled, and may come to pass.
                if is_read_only(&error) {
                    self.connection = Some(connection);
                }
                outcome
            }
            Err(_) => Outcome::Unknown,
        }
    }
}

/// Only what the server refused before it did anything has failed for certain; one that is being shut down (class 57) may
/// have the commit on disk already.
fn refusal(error: &sqlx::Error) -> Outcome {
    match code(error).as_deref() {
        Some(READ_ONLY | "57P03" | "53300") => Outcome::Failed,
        _ => Outcome::Unknown,
    }
}

fn is_read_only(error: &sqlx::Error) -> bool {
    code(error).as_deref() == Some(READ_ONLY)
}

fn code(error: &sqlx::Error) -> Option<Cow<'_, str>> {
    error.as_database_error()?.code()
}
