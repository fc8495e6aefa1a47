//! Stand-in: settings of calls to other services.

use std::time::Duration;

use clap::Args;

use super::value::duration;

/// Calls to other services.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Calls")]
pub struct CallsConfig {
    /// Total time of a call.
    #[arg(long = "http-timeout", env = "NOVA_HTTP_TIMEOUT", default_value = "3s", value_name = "DURATION", value_parser = duration)]
    pub timeout: Duration,
}

impl Default for CallsConfig {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(3),
        }
    }
}
