//! Where Redis's Sentinels are and how long a command may take.

use std::time::Duration;

use clap::Args;

use super::value::{Address, SecretFile, duration};

/// Redis, found through Sentinel.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Redis")]
pub struct RedisConfig {
    /// Sentinels, separated by commas.
    #[arg(
        id = "redis-sentinels",
        long = "redis-sentinels",
        env = "NOVA_REDIS_SENTINELS",
        value_name = "HOST:PORT,..",
        value_delimiter = ',',
        required = true
    )]
    pub sentinels: Vec<Address>,
    /// Name under which the Sentinels watch the master.
    #[arg(
        id = "redis-master",
        long = "redis-master",
        env = "NOVA_REDIS_MASTER",
        default_value = "nova",
        value_name = "NAME"
    )]
    pub master: String,
    /// File with Redis's password.
    #[arg(
        id = "redis-password-file",
        long = "redis-password-file",
        env = "NOVA_REDIS_PASSWORD_FILE",
        value_name = "FILE"
    )]
    pub password: Option<SecretFile>,
    /// File with the Sentinels' password.
    #[arg(
        id = "redis-sentinel-password-file",
        long = "redis-sentinel-password-file",
        env = "NOVA_REDIS_SENTINEL_PASSWORD_FILE",
        value_name = "FILE"
    )]
    pub sentinel_password: Option<SecretFile>,
    /// Connections.
    #[arg(id = "redis-pool", long = "redis-pool", env = "NOVA_REDIS_POOL", default_value = "2", value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..=100))]
    pub pool: u16,
    /// How long one command may take.
    #[arg(id = "redis-timeout", long = "redis-timeout", env = "NOVA_REDIS_TIMEOUT", default_value = "200ms", value_name = "DURATION", value_parser = duration)]
    pub timeout: Duration,
}
