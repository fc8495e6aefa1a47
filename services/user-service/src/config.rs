//! The settings of user-service: flags, and `NOVA_*` in the environment.

use clap::{Args, Parser};
use nova_service::config::{CallsConfig, IdentityConfig, PostgresConfig, ServerConfig};

/// Profiles, follows, posts and the home feed.
#[derive(Parser, Debug, Clone)]
#[command(name = "user-service", version)]
pub struct Config {
    /// The server.
    #[command(flatten)]
    pub server: ServerConfig,
    /// The database.
    #[command(flatten)]
    pub postgres: PostgresConfig,
    /// Who signs access tokens.
    #[command(flatten)]
    pub identity: IdentityConfig,
    /// Calls to other services.
    #[command(flatten)]
    pub calls: CallsConfig,
    /// This service's own.
    #[command(flatten)]
    pub users: UsersConfig,
}

/// The settings that only user-service has.
#[derive(Args, Debug, Clone, Copy)]
#[command(next_help_heading = "Users")]
pub struct UsersConfig {
    /// How many accounts one account may follow; the home feed asks for each of them
    #[arg(long = "users-max-following", env = "NOVA_USERS_MAX_FOLLOWING", default_value_t = 5_000, value_name = "COUNT",
        value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub max_following: u32,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Config::command().debug_assert();
    }
}
