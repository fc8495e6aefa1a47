//! Whose access tokens a service accepts.

use std::time::Duration;

use clap::Args;

use super::value::{duration, url};

/// The issuer of access tokens, for a service that verifies them.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Identity")]
pub struct IdentityConfig {
    /// The `iss` that a token must carry.
    #[arg(long = "identity-issuer", env = "NOVA_IDENTITY_ISSUER", value_name = "URL")]
    pub issuer: String,
    /// The `aud` that a token must carry.
    #[arg(
        long = "identity-audience",
        env = "NOVA_IDENTITY_AUDIENCE",
        default_value = "nova",
        value_name = "NAME"
    )]
    pub audience: String,
    /// Where the issuer publishes its keys.
    #[arg(long = "identity-jwks-url", env = "NOVA_IDENTITY_JWKS_URL", value_name = "URL", value_parser = url)]
    pub jwks_url: String,
    /// How often the keys are fetched again; a key is published a minute before it signs.
    #[arg(long = "identity-refresh", env = "NOVA_IDENTITY_REFRESH", default_value = "30s", value_name = "DURATION", value_parser = duration)]
    pub refresh: Duration,
}
