//! Connections to one PostgreSQL server, and its errors in words. Shared by the checks and by provisioning.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sqlx::{ConnectOptions, Connection};

use crate::endpoints::HostPort;

/// The superuser that Patroni makes.
pub(crate) const SUPERUSER: &str = "postgres";
/// The database that only superusers and Patroni's own roles may enter.
pub(crate) const MAINTENANCE_DATABASE: &str = "postgres";

/// A role and its password.
#[derive(Clone)]
pub(crate) struct Login {
    pub(crate) role: String,
    pub(crate) password: SecretString,
}

impl Login {
    /// The superuser.
    pub(crate) fn superuser(password: SecretString) -> Self {
        Self {
            role: SUPERUSER.to_owned(),
            password,
        }
    }

    /// Connects to `database` at `address`. Locks are waited for `lock_timeout` at most, so that nothing hangs behind
    /// somebody else's transaction; passwords and verifiers never reach the server's log.
    pub(crate) async fn connect(
        &self,
        address: &HostPort,
        database: &str,
        lock_timeout: Duration,
    ) -> Result<PgConnection, sqlx::Error> {
        let options = PgConnectOptions::new_without_pgpass()
            .host(&address.host)
            .port(address.port)
            .username(&self.role)
            .password(self.password.expose_secret())
            .database(database)
            .ssl_mode(PgSslMode::Disable)
            .application_name("nova-check")
            .options([("lock_timeout", lock_timeout.as_millis().to_string())])
            .disable_statement_logging();
        PgConnection::connect_with(&options).await
    }
}

/// What a database error says, with its SQLSTATE, on one line.
pub(crate) fn explain(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(error) => match error.code() {
            Some(code) => format!("{} (SQLSTATE {code})", error.message()),
            None => error.message().to_owned(),
        },
        // As by a gateway that finds nobody behind a door.
        sqlx::Error::Io(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            "the other side closed the connection".to_owned()
        }
        sqlx::Error::Io(error) => error.to_string(),
        other => other.to_string(),
    }
}

/// The SQLSTATE of a refusal by the server itself.
pub(crate) fn sqlstate(error: &sqlx::Error) -> Option<String> {
    Some(error.as_database_error()?.code()?.into_owned())
}

/// A name as SQL takes it, whatever it contains.
pub(crate) fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text as SQL takes it, whatever it contains. For statements that take no parameters.
pub(crate) fn literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if quoted.contains('\\') {
        format!("E'{}'", quoted.replace('\\', "\\\\"))
    } else {
        format!("'{quoted}'")
    }
}

#[cfg(test)]
mod tests {
    use super::{identifier, literal};

    #[test]
    fn names_and_texts_cannot_end_their_quotes() {
        assert_eq!(identifier(r#"a"; drop"#), r#""a""; drop""#);
        assert_eq!(literal("o'clock"), "'o''clock'");
        assert_eq!(literal(r"\'"), r"E'\\'''");
    }
}
