//! The cdc-service program. Its life: read the settings, start, publish, drain.

use std::process::ExitCode;

use cdc_service::Config;
use clap::Parser;

fn main() -> ExitCode {
    let config = Config::parse();
    let server = config.server.clone();
    nova_service::start(cdc_service::NAME, &server, async move {
        cdc_service::service(config)?.run().await
    })
}
