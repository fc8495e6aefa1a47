//! The settings of cdc-service: flags, and `NOVA_*` in the environment.

use std::time::Duration;

use clap::{Args, Parser};
use nova_service::config::{Address, KafkaConfig, SecretFile, ServerConfig, duration};

use crate::failpoint::Failpoint;

/// Publishes in Kafka what services wrote into PostgreSQL's log.
#[derive(Parser, Debug, Clone)]
#[command(name = "cdc-service", version)]
pub struct Config {
    /// The server.
    #[command(flatten)]
    pub server: ServerConfig,
    /// Where it reads.
    #[command(flatten)]
    pub database: DatabaseConfig,
    /// Where it writes.
    #[command(flatten)]
    pub kafka: KafkaConfig,
    /// This service's own.
    #[command(flatten)]
    pub events: EventsConfig,
}

/// The database whose log is read. The role needs the attribute REPLICATION and `pg_monitor`, and no table.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "PostgreSQL")]
pub struct DatabaseConfig {
    /// Door to the primary
    #[arg(
        id = "database-primary",
        long = "database-primary",
        env = "NOVA_DATABASE_PRIMARY",
        value_name = "HOST:PORT"
    )]
    pub primary: Address,
    /// Database name
    #[arg(
        id = "database-name",
        long = "database-name",
        env = "NOVA_DATABASE_NAME",
        value_name = "NAME"
    )]
    pub name: String,
    /// Role that may read the stream
    #[arg(
        id = "database-user",
        long = "database-user",
        env = "NOVA_DATABASE_USER",
        value_name = "ROLE"
    )]
    pub user: String,
    /// File with its password
    #[arg(
        id = "database-password-file",
        long = "database-password-file",
        env = "NOVA_DATABASE_PASSWORD_FILE",
        value_name = "FILE"
    )]
    pub password: SecretFile,
}

/// The settings that only cdc-service has.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Events")]
pub struct EventsConfig {
    /// The replication slot that the working member owns
    #[arg(
        long = "events-slot",
        env = "NOVA_EVENTS_SLOT",
        default_value = "nova_events",
        value_name = "NAME"
    )]
    pub slot: String,
    /// The publication that pgoutput asks for; it may be empty
    #[arg(
        long = "events-publication",
        env = "NOVA_EVENTS_PUBLICATION",
        default_value = "nova_events",
        value_name = "NAME"
    )]
    pub publication: String,
    /// How long an event waits for others to be published together with
    #[arg(long = "events-batch-time", env = "NOVA_EVENTS_BATCH_TIME", default_value = "5ms", value_name = "DURATION", value_parser = duration)]
    pub batch_time: Duration,
    /// The most events that are published together; a larger transaction is published in parts
    #[arg(long = "events-batch-events", env = "NOVA_EVENTS_BATCH_EVENTS", default_value_t = 2_000, value_name = "COUNT",
        value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub batch_events: u32,
    /// Likewise, the most bytes
    #[arg(long = "events-batch-bytes", env = "NOVA_EVENTS_BATCH_BYTES", default_value_t = 4 * 1024 * 1024, value_name = "BYTES",
        value_parser = clap::value_parser!(u32).range(1..=64 * 1024 * 1024))]
    pub batch_bytes: u32,
    /// After this without a word PostgreSQL takes the slot from a member that hangs
    #[arg(long = "events-owner-timeout", env = "NOVA_EVENTS_OWNER_TIMEOUT", default_value = "3s", value_name = "DURATION", value_parser = duration)]
    pub owner_timeout: Duration,
    /// How often a member that stands by asks whether the slot is free
    #[arg(long = "events-stand-by", env = "NOVA_EVENTS_STAND_BY", default_value = "200ms", value_name = "DURATION", value_parser = duration)]
    pub stand_by: Duration,
    /// How long one publication may take, with the brokers' answers
    #[arg(long = "events-publish-timeout", env = "NOVA_EVENTS_PUBLISH_TIMEOUT", default_value = "10s", value_name = "DURATION", value_parser = duration)]
    pub publish_timeout: Duration,
    /// How long the synchronous standbys may take to have what is to be published, before the member starts over
    #[arg(long = "events-quorum-timeout", env = "NOVA_EVENTS_QUORUM_TIMEOUT", default_value = "30s", value_name = "DURATION", value_parser = duration)]
    pub quorum_timeout: Duration,
    /// For tests: what happens at which step, as `after-commit:crash:3`
    #[arg(
        long = "events-failpoint",
        env = "NOVA_EVENTS_FAILPOINT",
        hide = true,
        value_name = "STEP:ACTION:TIME"
    )]
    pub failpoint: Option<Failpoint>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Config;

    #[test]
    fn the_command_line_is_sound() {
        Config::command().debug_assert();
    }
}
