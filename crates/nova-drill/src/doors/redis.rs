//! List elements on the master that the Sentinels name, with the services' own client settings. A list a writer, so that an
//! element which is there twice is seen.

use std::time::Duration;

use fred::clients::Client as RedisClient;
use fred::error::{Error, ErrorKind};
use fred::interfaces::ClientLike;
use fred::types::config::{Config, ReconnectPolicy, ServerConfig, TcpConfig, UnresponsiveConfig};
use fred::types::{Builder, ClusterHash, ConnectHandle, CustomCommand, Value};
use futures::FutureExt;
use futures::future::BoxFuture;
use nova_platform::checks::MASTER_NAME;
use nova_platform::components::Kind;
use tokio::time::timeout;

use super::{CONNECT, Client, Door, DoorError, REACH, Site, WHOLE, secret};
use crate::judge::Found;
use crate::record::Outcome;
use crate::store::Store;

/// A server that is silent for this long while a command waits is given up.
const SILENCE: Duration = Duration::from_secs(1);
/// Longest wait for an answer to one command.
const ANSWER: Duration = Duration::from_secs(1);
/// A killed drill's lists do not stay for ever.
const KEEP_SECONDS: &str = "7200";

/// See the module.
pub(super) struct Redis {
    config: Config,
}

impl Redis {
    pub(super) fn new(site: &Site<'_>) -> Result<Self, DoorError> {
        let hosts = site.endpoints.of(Kind::Sentinel);
        let config = Config {
            fail_fast: false,
            password: Some(secret(site, "redis")?),
            server: ServerConfig::Sentinel {
                hosts: hosts
                    .into_iter()
                    .map(|at| (at.address.host, at.address.port).into())
                    .collect(),
                service_name: MASTER_NAME.to_owned(),
                username: None,
                password: Some(secret(site, "redis-sentinel")?),
            },
            ..Config::default()
        };
        Ok(Self { config })
    }

    fn build(&self) -> Result<RedisClient, DoorError> {
        let mut builder = Builder::from_config(self.config.clone());
        builder
            .with_performance_config(|performance| performance.default_command_timeout = ANSWER)
            .with_connection_config(|connection| {
                connection.connection_timeout = REACH;
                connection.internal_command_timeout = CONNECT;
                // A command whose answer was lost is not sent again: the element would be there twice.
                connection.max_command_attempts = 1;
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
            .set_policy(Self::reconnect());
        builder.build().map_err(DoorError::RedisClient)
    }

    /// As the services do.
    fn reconnect() -> ReconnectPolicy {
        let mut policy = ReconnectPolicy::new_exponential(0, 20, 200, 2);
        policy.set_jitter(20);
        policy
    }

    /// Commands on a connection of their own.
    async fn each(&self, commands: Vec<(&'static str, Vec<String>)>) -> Result<Vec<Value>, DoorError> {
        let connection = Connected::start(self.build()?);
        let all = async {
            connection.client.wait_for_connect().await?;
            let mut answers = Vec::new();
            for (name, arguments) in commands {
                answers.push(send(&connection.client, name, arguments).await?);
            }
            Ok::<_, Error>(answers)
        };
        match timeout(WHOLE, all).await {
            Ok(Ok(answers)) => Ok(answers),
            Ok(Err(error)) => Err(DoorError::Redis(error)),
            Err(_) => Err(DoorError::Silent { server: "Redis" }),
        }
    }
}

async fn send(client: &RedisClient, name: &'static str, arguments: Vec<String>) -> Result<Value, Error> {
    let command = CustomCommand::new_static(name, ClusterHash::FirstKey, false);
    client.custom(command, arguments).await
}

fn key(run: u32, writer: u16) -> String {
    format!("nova:drill:{run}:{writer}")
}

impl Door for Redis {
    fn store(&self) -> Store {
        Store::Redis
    }

    fn prepare(&self, run: u32, writers: u16) -> BoxFuture<'_, Result<(), DoorError>> {
        self.remove(run, writers)
    }

    fn client(&self, run: u32, writer: u16) -> Result<Box<dyn Client>, DoorError> {
        Ok(Box::new(Writer {
            connection: Connected::start(self.build()?),
            key: key(run, writer),
            bounded: false,
        }))
    }

    fn found(&self, run: u32, writers: u16) -> BoxFuture<'_, Result<Option<Found>, DoorError>> {
        async move {
            let range = |writer| ("LRANGE", vec![key(run, writer), "0".to_owned(), "-1".to_owned()]);
            let lists = self.each((0..writers).map(range).collect()).await?;
            let mut ids = Vec::new();
            for list in lists {
                let Value::Array(elements) = list else { continue };
                for element in elements {
                    let id = element.as_string().and_then(|text| text.parse().ok());
                    ids.push(id.ok_or_else(|| DoorError::Foreign {
                        place: "Redis".to_owned(),
                        what: format!("{element:?}, which no writer wrote"),
                    })?);
                }
            }
            Ok(Some(Found { ids, ordered: false }))
        }
        .boxed()
    }

    fn remove(&self, run: u32, writers: u16) -> BoxFuture<'_, Result<(), DoorError>> {
        let keys = (0..writers).map(move |writer| key(run, writer)).collect();
        async move { self.each(vec![("DEL", keys)]).await.map(drop) }.boxed()
    }

    fn leave(&self) -> BoxFuture<'_, Result<(), DoorError>> {
        async { Ok(()) }.boxed()
    }
}

/// A client and the task that keeps it connected, which would otherwise go on for ever.
struct Connected {
    client: RedisClient,
    task: ConnectHandle,
}

impl Connected {
    fn start(client: RedisClient) -> Self {
        let task = client.connect();
        Self { client, task }
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Writer {
    connection: Connected,
    key: String,
    bounded: bool,
}

impl Client for Writer {
    fn write(&mut self, id: u64) -> BoxFuture<'_, Outcome> {
        async move {
            let client = &self.connection.client;
            let pushed = timeout(
                2 * ANSWER,
                send(client, "RPUSH", vec![self.key.clone(), id.to_string()]),
            )
            .await;
            if !self.bounded && matches!(pushed, Ok(Ok(_))) {
                let expire = send(client, "EXPIRE", vec![self.key.clone(), KEEP_SECONDS.to_owned()]);
                self.bounded = matches!(timeout(2 * ANSWER, expire).await, Ok(Ok(_)));
            }
            match pushed {
                Ok(Ok(_)) => Outcome::Acknowledged,
                Ok(Err(error)) if is_refusal(&error) => Outcome::Failed,
                Ok(Err(_)) | Err(_) => Outcome::Unknown,
            }
        }
        .boxed()
    }
}

/// Whether the server itself said no, before it did anything: READONLY, NOREPLICAS, LOADING.
fn is_refusal(error: &Error) -> bool {
    let said = error.details();
    !matches!(
        error.kind(),
        ErrorKind::IO | ErrorKind::Timeout | ErrorKind::Canceled | ErrorKind::Protocol | ErrorKind::Backpressure
    ) && ["READONLY", "NOREPLICAS", "LOADING", "MASTERDOWN"]
        .iter()
        .any(|word| said.contains(word))
}
