//! The user-service program. Its life: read the settings, start, serve, drain.

use std::process::ExitCode;

use clap::Parser;
use user_service::Config;

fn main() -> ExitCode {
    let config = Config::parse();
    let server = config.server.clone();
    nova_service::start("user-service", &server, async move {
        user_service::service(config)?.run().await
    })
}
