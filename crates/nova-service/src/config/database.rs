//! Where PostgreSQL is and as whom the service connects.

use std::time::Duration;

use clap::Args;

use super::value::{Address, SecretFile, duration};

/// PostgreSQL: the two doors of the gateway, the roles, the pool.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "PostgreSQL")]
pub struct PostgresConfig {
    /// Door to the primary.
    #[arg(
        id = "database-primary",
        long = "database-primary",
        env = "NOVA_DATABASE_PRIMARY",
        value_name = "HOST:PORT"
    )]
    pub primary: Address,
    /// Door to the replicas.
    #[arg(
        id = "database-replicas",
        long = "database-replicas",
        env = "NOVA_DATABASE_REPLICAS",
        value_name = "HOST:PORT"
    )]
    pub replicas: Address,
    /// Database name.
    #[arg(id = "database-name", long = "database-name", env = "NOVA_DATABASE_NAME", value_name = "NAME", value_parser = identifier)]
    pub database: String,
    /// Schema that the service owns.
    #[arg(id = "database-schema", long = "database-schema", env = "NOVA_DATABASE_SCHEMA", value_name = "NAME", value_parser = identifier)]
    pub schema: String,
    /// Role for everyday work: it reads and writes rows, and nothing else.
    #[arg(id = "database-user", long = "database-user", env = "NOVA_DATABASE_USER", value_name = "ROLE", value_parser = identifier)]
    pub user: String,
    /// File with that role's password.
    #[arg(
        id = "database-password-file",
        long = "database-password-file",
        env = "NOVA_DATABASE_PASSWORD_FILE",
        value_name = "FILE"
    )]
    pub password: SecretFile,
    /// Role that owns the schema; migrations run as it.
    #[arg(id = "database-owner", long = "database-owner", env = "NOVA_DATABASE_OWNER", value_name = "ROLE", value_parser = identifier)]
    pub owner: String,
    /// File with the owner's password.
    #[arg(
        id = "database-owner-password-file",
        long = "database-owner-password-file",
        env = "NOVA_DATABASE_OWNER_PASSWORD_FILE",
        value_name = "FILE"
    )]
    pub owner_password: SecretFile,
    /// Connections to the primary, and as many to the replicas.
    #[arg(id = "database-pool", long = "database-pool", env = "NOVA_DATABASE_POOL", default_value = "10", value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=500))]
    pub pool: u32,
    /// How long a request waits for a connection before it is answered 503.
    #[arg(id = "database-acquire-timeout", long = "database-acquire-timeout", env = "NOVA_DATABASE_ACQUIRE_TIMEOUT", default_value = "1s", value_name = "DURATION", value_parser = duration)]
    pub acquire_timeout: Duration,
    /// How long one statement may run.
    #[arg(id = "database-statement-timeout", long = "database-statement-timeout", env = "NOVA_DATABASE_STATEMENT_TIMEOUT", default_value = "2s", value_name = "DURATION", value_parser = duration)]
    pub statement_timeout: Duration,
}

/// Names that PostgreSQL takes without quotes; anything else is a mistake or an attempt at injection.
fn identifier(text: &str) -> Result<String, String> {
    let first = text.chars().next().is_some_and(|c| c.is_ascii_lowercase() || c == '_');
    let rest = text
        .chars()
        .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if first && rest && text.len() <= 63 {
        Ok(text.to_owned())
    } else {
        Err("not a plain PostgreSQL name; use a-z, 0-9 and _, at most 63 characters".to_owned())
    }
}
