//! Real logins of the services' roles that try to get out: into other databases, other schemas, other services' tables.

use futures::future::{BoxFuture, FutureExt};
use futures::stream::{self, StreamExt, TryStreamExt};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use super::{Resident, Schema};
use crate::bounded::Stage;
use crate::endpoints::HostPort;
use crate::postgres_login::{explain, identifier, sqlstate};

/// Logins at once: each is a process and a password derivation on the server.
const AT_ONCE: usize = 6;
/// insufficient_privilege, and what `pg_hba.conf` refuses with.
const REFUSALS: [&str; 2] = ["42501", "28000"];
/// Made and rolled back where something can be made that should not.
const PROBE: &str = "nova_isolation_probe";

/// All attempts; what succeeded is returned, in words. An error means that an attempt proved nothing.
pub(super) async fn all(
    address: &HostPort,
    residents: &[Resident<'_>],
    databases: &[String],
    schemas: &[Schema],
    stage: &Stage,
) -> Result<Vec<String>, String> {
    let (mut home, mut elsewhere): (Vec<Running<'_>>, Vec<Running<'_>>) = (Vec::new(), Vec::new());
    for resident in residents {
        let attempt = Attempt {
            address,
            resident: *resident,
            stage,
        };
        home.push(attempt.at_home(schemas).boxed());
        let others = databases.iter().filter(|database| **database != resident.home.database);
        elsewhere.extend(others.map(|database| attempt.elsewhere(database).boxed()));
    }
    // A role that cannot even come home proves nothing by being refused elsewhere, so that comes first.
    let mut succeeded: Vec<String> = Vec::new();
    for attempts in [home, elsewhere] {
        let found: Vec<Vec<String>> = stream::iter(attempts).buffered(AT_ONCE).try_collect().await?;
        succeeded.extend(found.into_iter().flatten());
    }
    Ok(succeeded)
}

type Running<'a> = BoxFuture<'a, Result<Vec<String>, String>>;

#[derive(Clone, Copy)]
struct Attempt<'a> {
    address: &'a HostPort,
    resident: Resident<'a>,
    stage: &'a Stage,
}

impl<'a> Attempt<'a> {
    async fn connect(&self, database: &str) -> Result<PgConnection, sqlx::Error> {
        self.resident
            .role
            .login()
            .connect(self.address, database, self.stage.remaining())
            .await
    }

    fn role(&self) -> &str {
        &self.resident.role.name
    }

    async fn elsewhere(self, database: &'a str) -> Result<Vec<String>, String> {
        match self.connect(database).await {
            Ok(_) => Ok(vec![format!("role {} connected to database {database}", self.role())]),
            Err(error) if is_refusal(&error) => Ok(Vec::new()),
            Err(error) => Err(format!(
                "role {} at database {database}: {}",
                self.role(),
                explain(&error)
            )),
        }
    }

    async fn at_home(self, schemas: &'a [Schema]) -> Result<Vec<String>, String> {
        let home = self.resident.home;
        let mut connection = self.connect(&home.database).await.map_err(|error| {
            format!(
                "role {} cannot log in to its own database {}: {}",
                self.role(),
                home.database,
                explain(&error)
            )
        })?;
        let mut succeeded = Vec::new();
        for (statement, meaning) in self.statements(schemas) {
            if self.succeeds(&mut connection, statement).await? {
                succeeded.push(format!("role {} {meaning}", self.role()));
            }
        }
        Ok(succeeded)
    }

    /// Statements that must be refused, and what it means when one is not.
    fn statements(&self, schemas: &[Schema]) -> Vec<(String, String)> {
        let home = self.resident.home;
        let mut statements = vec![
            (
                format!("create schema {PROBE}"),
                format!("created a schema in database {}", home.database),
            ),
            (
                format!("create temporary table {PROBE} ()"),
                format!("created a temporary table in database {}", home.database),
            ),
        ];
        for schema in schemas.iter().filter(|schema| schema.database == home.database) {
            let own = home.schema() == Some(schema.name.as_str());
            let quoted = identifier(&schema.name);
            if !(own && self.resident.role.owner) {
                statements.push((
                    format!("create table {quoted}.{PROBE} ()"),
                    format!("created a table in schema {}", schema.name),
                ));
            }
            if own {
                continue;
            }
            for table in &schema.tables {
                let read = format!("select from {quoted}.{} limit 0", identifier(table));
                statements.push((read, format!("read {}.{table}", schema.name)));
            }
        }
        statements
    }

    async fn succeeds(&self, connection: &mut PgConnection, statement: String) -> Result<bool, String> {
        let of = |error: sqlx::Error| format!("role {} in its own database: {}", self.role(), explain(&error));
        let mut transaction = connection.begin().await.map_err(of)?;
        let result = sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut *transaction).await;
        transaction.rollback().await.map_err(of)?;
        match result {
            Ok(_) => Ok(true),
            Err(error) if is_refusal(&error) => Ok(false),
            Err(error) => Err(of(error)),
        }
    }
}

fn is_refusal(error: &sqlx::Error) -> bool {
    sqlstate(error).is_some_and(|code| REFUSALS.contains(&code.as_str()))
}
