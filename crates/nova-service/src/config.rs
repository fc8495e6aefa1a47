//! What every service can be told: flags with environment names, checked when the process starts.
//!
//! This is the only module of the chassis that reads the environment (through clap). A value that makes no sense is
//! refused by the parser, so the process ends with exit code 2 and a sentence naming the flag.

mod database;
mod identity;
mod redis;
mod server;
mod value;

pub use database::PostgresConfig;
pub use identity::IdentityConfig;
pub use redis::RedisConfig;
pub use server::{LogFormat, ServerConfig};
pub use value::{Address, SecretFile, duration, port_address};
