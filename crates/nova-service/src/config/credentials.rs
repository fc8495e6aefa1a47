//! How a service proves to others who it is.

use clap::Args;

use super::value::{SecretFile, url};

/// Where a service gets its own tokens, and by which secret.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Calls")]
pub struct CredentialsConfig {
    /// Where auth-service is reached.
    #[arg(
        long = "auth-service-url",
        env = "NOVA_AUTH_SERVICE_URL",
        default_value = "http://127.0.0.1:8084",
        value_name = "URL",
        value_parser = url
    )]
    pub auth_service_url: String,
    /// File with the secret by which this service gets its tokens.
    #[arg(long = "client-secret-file", env = "NOVA_CLIENT_SECRET_FILE", value_name = "FILE")]
    pub client_secret: SecretFile,
}
