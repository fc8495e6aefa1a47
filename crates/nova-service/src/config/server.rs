//! Where a service listens and what it lets a client do.

use std::net::SocketAddr;
use std::time::Duration;

use clap::{Args, ValueEnum};

use tracing_subscriber::EnvFilter;

use super::network::Network;
use super::origin::Origin;
use super::value::{duration, pause, port_address, url};

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// Readable text.
    Text,
}

/// Listening, limits, life and telemetry: the settings that every service has.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Server")]
pub struct ServerConfig {
    /// Address of the API.
    #[arg(long, env = "NOVA_LISTEN", value_name = "ADDRESS:PORT", value_parser = port_address)]
    pub listen: SocketAddr,
    /// Address of probes and metrics [default: the API's port + 1000].
    #[arg(long, env = "NOVA_OPERATIONS_LISTEN", value_name = "ADDRESS:PORT", value_parser = port_address)]
    pub operations_listen: Option<SocketAddr>,
    /// Log lines as JSON or text [default: text on a terminal, JSON otherwise].
    #[arg(long, env = "NOVA_LOG_FORMAT", value_enum)]
    pub log_format: Option<LogFormat>,
    /// What is logged, as a tracing filter such as `info,auth_service=debug`.
    #[arg(long, env = "NOVA_LOG", default_value = "info", value_name = "FILTER", value_parser = filter)]
    pub log_filter: String,
    /// Collector for traces over OTLP/HTTP, such as http://127.0.0.1:4318; none are sent without it.
    #[arg(long, env = "NOVA_OTLP_ENDPOINT", value_name = "URL", value_parser = url)]
    pub otlp_endpoint: Option<String>,
    /// A request that takes longer is answered 504; the time passes on to the calls that are made for it
    #[arg(long, env = "NOVA_REQUEST_TIMEOUT", default_value = "3s", value_name = "DURATION", value_parser = duration)]
    pub request_timeout: Duration,
    /// A client must have sent its request's header within this time; an idle connection is closed after it.
    #[arg(long, env = "NOVA_HEADER_TIMEOUT", default_value = "15s", value_name = "DURATION", value_parser = duration)]
    pub header_timeout: Duration,
    /// Largest request body in bytes.
    #[arg(long, env = "NOVA_MAX_BODY_BYTES", default_value = "65536", value_name = "BYTES", value_parser = clap::value_parser!(u32).range(1024..=67_108_864))]
    pub max_body_bytes: u32,
    /// Largest request header in bytes.
    #[arg(long, env = "NOVA_MAX_HEADER_BYTES", default_value = "16384", value_name = "BYTES", value_parser = clap::value_parser!(u32).range(8192..=1_048_576))]
    pub max_header_bytes: u32,
    /// Most header fields in a request.
    #[arg(long, env = "NOVA_MAX_HEADERS", default_value = "100", value_name = "COUNT", value_parser = clap::value_parser!(u16).range(8..=1000))]
    pub max_headers: u16,
    /// Requests in flight; one more is answered 503 at once.
    #[arg(long, env = "NOVA_MAX_IN_FLIGHT", default_value = "512", value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub max_in_flight: u32,
    /// Requests of one client (an address, or a /64 of IPv6) whose bodies are on their way; one more is answered 429.
    #[arg(long, env = "NOVA_MAX_UNFINISHED_PER_CLIENT", default_value = "64", value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub max_unfinished_per_client: u32,
    /// Open client connections; further ones wait in the kernel's queue.
    #[arg(long, env = "NOVA_MAX_CONNECTIONS", default_value = "2048", value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub max_connections: u32,
    /// Open connections of one address, or a /64 of IPv6, that is not a trusted proxy's; further ones are closed at once.
    #[arg(long, env = "NOVA_MAX_CONNECTIONS_PER_CLIENT", default_value = "1024", value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub max_connections_per_client: u32,
    /// Networks of the proxies whose X-Forwarded-For is believed
    #[arg(
        long,
        env = "NOVA_TRUSTED_PROXIES",
        default_value = "127.0.0.0/8,::1/128",
        value_name = "NETWORK,..",
        value_delimiter = ','
    )]
    pub trusted_proxies: Vec<Network>,
    /// How many of them stand between a client and this service. Each appends the address that it saw to X-Forwarded-For, so the
    /// client is this many entries from its end; whatever stands before that was written by the client itself
    #[arg(long, env = "NOVA_TRUSTED_HOPS", default_value = "1", value_name = "COUNT", value_parser = clap::value_parser!(u8).range(0..=8))]
    pub trusted_hops: u8,
    /// Networks of peers whose request ids and traces (x-request-id, traceparent) are taken over, as those of other services are
    #[arg(long, env = "NOVA_TRUSTED_PEERS", value_name = "NETWORK,..", value_delimiter = ',')]
    pub trusted_peers: Vec<Network>,
    /// Origins whose pages may use the API from a browser (CORS); none without it
    #[arg(long, env = "NOVA_CORS_ORIGINS", value_name = "ORIGIN,..", value_delimiter = ',')]
    pub cors_origins: Vec<Origin>,
    /// After SIGTERM, how long new work is still accepted, so that load balancers notice first.
    #[arg(long, env = "NOVA_DRAIN_DELAY", default_value = "1s", value_name = "DURATION", value_parser = pause)]
    pub drain_delay: Duration,
    /// After SIGTERM, how long work in flight may take.
    #[arg(long, env = "NOVA_DRAIN_TIMEOUT", default_value = "25s", value_name = "DURATION", value_parser = duration)]
    pub drain_timeout: Duration,
}

impl ServerConfig {
    /// Where probes and metrics are served.
    pub fn operations_address(&self) -> SocketAddr {
        self.operations_listen.unwrap_or_else(|| {
            let port = self.listen.port();
            // Port 0 asks the kernel for any free port, and so must the other one.
            SocketAddr::new(self.listen.ip(), if port == 0 { 0 } else { port.saturating_add(1000) })
        })
    }
}

fn filter(text: &str) -> Result<String, String> {
    match EnvFilter::try_new(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(format!("{error}; write it like info or info,auth_service=debug")),
    }
}
