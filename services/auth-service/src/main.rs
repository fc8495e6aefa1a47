//! The auth-service program. Its life: read the settings, start, serve, drain.

use std::process::ExitCode;

use auth_service::Config;
use clap::Parser;

fn main() -> ExitCode {
    let config = Config::parse();
    let server = config.server.clone();
    nova_service::start("auth-service", &server, async move {
        auth_service::service(config)?.run().await
    })
}
