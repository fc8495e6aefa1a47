//! Redis through Sentinel: every command bounded, its absence an error that callers degrade on.

use std::sync::Arc;
use std::time::Duration;

use fred::clients::{Client, Pool};
use fred::error::Error;
use fred::interfaces::{ClientLike, KeysInterface};
use fred::types::Builder;
use fred::types::Expiration;
use fred::types::config::{Config, ReconnectPolicy, ServerConfig, TcpConfig, UnresponsiveConfig};
use secrecy::ExposeSecret;
use tokio_util::sync::CancellationToken;

use crate::backoff::Backoff;
use crate::config::RedisConfig;
use crate::service::{PartState, Unavailable};

/// How often the connections are tried.
const CALM: Duration = Duration::from_secs(1);
const FIRST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(1);
/// A server that is silent for this long while a command waits is given up, and Sentinel asked for the master again.
const SILENCE: Duration = Duration::from_secs(1);
/// Of the first command on a connection.
const GREETING: Duration = Duration::from_secs(1);
/// The address of a master that is gone may swallow packets instead of refusing them, and its successor is named within a second or two.
const CONNECT: Duration = Duration::from_millis(250);

/// A service's connections to the Redis master. Cloning is cheap.
#[derive(Clone)]
pub struct Redis {
    inner: Arc<Inner>,
}

struct Inner {
    pool: Pool,
    state: PartState,
    timeout: Duration,
}

impl Redis {
    /// Prepares the connections; none is opened yet.
    pub fn new(config: &RedisConfig) -> anyhow::Result<Self> {
        let pool = builder(config).build_pool(usize::from(config.pool))?;
        Ok(Self {
            inner: Arc::new(Inner {
                pool,
                state: PartState::new("redis"),
                timeout: config.timeout,
            }),
        })
    }

    /// The connections to the master. Fails at once while Redis is down. Each command takes at most the configured
    /// time; treat its failure like Redis being down, and never let it fail a request that could do without.
    pub fn client(&self) -> Result<&Pool, Unavailable> {
        self.inner.state.check()?;
        Ok(&self.inner.pool)
    }

    /// How long a command may take.
    pub(crate) fn timeout(&self) -> Duration {
        self.inner.timeout
    }

    pub(crate) fn state(&self) -> &PartState {
        &self.inner.state
    }

    /// Connects, keeps connected and keeps the state, until `stop`.
    pub(crate) async fn watch(self, stop: CancellationToken) {
        let connections = self.inner.pool.clients().iter().map(keep_connected);
        let watching = async { futures::join!(futures::future::join_all(connections), self.keep_state()) };
        stop.run_until_cancelled(watching).await;
    }

    async fn keep_state(&self) {
        let mut backoff = Backoff::new(FIRST, LONGEST);
        loop {
            let writes = self
                .inner
                .pool
                .clients()
                .iter()
                .enumerate()
                .map(|(number, client)| try_write(client, number));
            match futures::future::try_join_all(writes).await {
                Ok(_) => {
                    self.inner.state.set_up();
                    backoff.reset();
                    tokio::time::sleep(CALM).await;
                }
                Err(error) => {
                    self.inner.state.set_down(&error.to_string());
                    tokio::time::sleep(backoff.next_pause()).await;
                }
            }
        }
    }
}

impl std::fmt::Debug for Redis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Redis")
            .field("state", &self.inner.state)
            .finish_non_exhaustive()
    }
}

/// A write, because a demoted master and one without its replicas still answer reads.
async fn try_write(client: &Client, number: usize) -> Result<(), Error> {
    let key = format!("nova:probe:{number}");
    client.set(key, 1, Some(Expiration::PX(5_000)), None, false).await
}

/// The client reconnects by itself; should its task end all the same, it is started again.
async fn keep_connected(client: &Client) {
    let mut backoff = Backoff::new(FIRST, LONGEST);
    loop {
        if let Ok(Err(error)) = client.connect().await {
            tracing::debug!(%error, "connection to redis ended");
        }
        tokio::time::sleep(backoff.next_pause()).await;
    }
}

fn builder(config: &RedisConfig) -> Builder {
    let expose = |secret: &crate::config::SecretFile| secret.secret().expose_secret().to_owned();
    let mut builder = Builder::from_config(Config {
        fail_fast: false,
        password: config.password.as_ref().map(expose),
        server: ServerConfig::Sentinel {
            hosts: config
                .sentinels
                .iter()
                .map(|address| (address.host.clone(), address.port).into())
                .collect(),
            service_name: config.master.clone(),
            username: None,
            password: config.sentinel_password.as_ref().map(expose),
        },
        ..Config::default()
    });
    builder
        .with_performance_config(|performance| performance.default_command_timeout = config.timeout)
        .with_connection_config(|connection| {
            connection.connection_timeout = CONNECT;
            connection.internal_command_timeout = GREETING;
            // A command whose answer was lost is not sent again: an increment would count twice.
            connection.max_command_attempts = 1;
            connection.max_command_buffer_len = 1024;
            connection.reconnect_on_auth_error = true;
            connection.unresponsive = UnresponsiveConfig {
                max_timeout: Some(SILENCE),
                interval: SILENCE / 4,
            };
            connection.tcp = TcpConfig {
                nodelay: Some(true),
                ..TcpConfig::default()
            };
        })
        // Without end; READONLY and LOADING answers of a demoted or starting server reconnect too, by default. Pauses stay short
        // against a failover: one that begins just before the new master is known is added to the outage.
        .set_policy(reconnect());
    builder
}

fn reconnect() -> ReconnectPolicy {
    let mut policy = ReconnectPolicy::new_exponential(0, 20, 200, 2);
    // What is added at random is up to 100 ms by default: most of the first pause.
    policy.set_jitter(20);
    policy
}
