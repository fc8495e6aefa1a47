//! One Redis server or Sentinel, and a connection to it that is kept between rounds and dropped on any error.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fred::clients::Client;
use fred::interfaces::ClientLike;
use fred::types::config::{Config, ServerConfig};
use fred::types::{Builder, ClusterHash, ConnectHandle, CustomCommand, Value};
use secrecy::{ExposeSecret, SecretString};

use crate::endpoints::{HostPort, MemberEndpoint};

/// A loopback or cluster connection that takes longer than this will not come.
const CONNECT_LIMIT: Duration = Duration::from_secs(1);
/// Longest answer, WAIT included; the check's own deadline is mostly shorter.
const COMMAND_LIMIT: Duration = Duration::from_secs(5);

/// See the module.
pub(super) struct Node {
    endpoint: MemberEndpoint,
    password: SecretString,
    kept: Mutex<Option<Connected>>,
    /// Held while connecting, so that two at once share what one of them made.
    connecting: tokio::sync::Mutex<()>,
}

/// A client and the task that serves it. Once that task has ended, with the connection, commands would wait for ever.
#[derive(Clone)]
struct Connected {
    client: Client,
    task: Arc<ConnectHandle>,
}

impl Node {
    pub(super) fn new(endpoint: &MemberEndpoint, password: SecretString) -> Self {
        Self {
            endpoint: endpoint.clone(),
            password,
            kept: Mutex::default(),
            connecting: tokio::sync::Mutex::default(),
        }
    }

    pub(super) fn member(&self) -> &str {
        &self.endpoint.member
    }

    pub(super) fn address(&self) -> &HostPort {
        &self.endpoint.address
    }

    /// Sends a command, its name first, and returns the answer; an error answer is an error that names the node.
    pub(super) async fn ask(&self, command: &[&str]) -> Result<Value, String> {
        let [name, arguments @ ..] = command else {
            return Err("an empty command".to_owned());
        };
        let (client, reused) = self
            .client()
            .await
            .map_err(|error| format!("{self}: {}", error.details()))?;
        match send(&client, name, arguments).await {
            Ok(answer) => Ok(answer),
            // The server itself said this, so the connection is good.
            Err(error) if is_answer(&error) => Err(format!(
                "{self} answered {} with: {}",
                command.join(" "),
                error.details()
            )),
            Err(error) => {
                self.forget(&client);
                // A kept connection may have ended long ago, with the server's restart: that is no finding. But WAIT
                // speaks of writes on its own connection, so on another one its answer would mean nothing.
                if reused && *name != "WAIT" {
                    return Box::pin(self.ask(command)).await;
                }
                Err(format!("{self}, {name}: {}", error.details()))
            }
        }
    }

    /// The kept client, or a new one; and whether it was kept.
    async fn client(&self) -> Result<(Client, bool), fred::error::Error> {
        if let Some(client) = self.kept_client() {
            return Ok((client, true));
        }
        let _connecting = self.connecting.lock().await;
        if let Some(client) = self.kept_client() {
            return Ok((client, true));
        }
        let (client, task) = self.connect().await?;
        *self.kept() = Some(Connected {
            client: client.clone(),
            task: Arc::new(task),
        });
        Ok((client, false))
    }

    fn kept_client(&self) -> Option<Client> {
        let mut kept = self.kept();
        kept.take_if(|kept| kept.task.is_finished());
        kept.as_ref().map(|kept| kept.client.clone())
    }

    /// Ends a client that failed.
    fn forget(&self, failed: &Client) {
        let taken = self.kept().take_if(|kept| kept.client.id() == failed.id());
        if let Some(Connected { task, .. }) = taken {
            task.abort();
        }
    }

    async fn connect(&self) -> Result<(Client, ConnectHandle), fred::error::Error> {
        let address = &self.endpoint.address;
        let config = Config {
            server: ServerConfig::new_centralized(address.host.as_str(), address.port),
            password: Some(self.password.expose_secret().to_owned()),
            fail_fast: true,
            ..Config::default()
        };
        let client = Builder::from_config(config)
            .with_connection_config(|connection| {
                connection.connection_timeout = CONNECT_LIMIT;
                connection.internal_command_timeout = CONNECT_LIMIT;
                connection.max_command_attempts = 1;
                connection.reconnect_errors = Vec::new();
            })
            .with_performance_config(|performance| {
                performance.default_command_timeout = COMMAND_LIMIT;
                performance.broadcast_channel_capacity = 1;
            })
            .build()?;
        let task = client.init().await?;
        Ok((client, task))
    }

    fn kept(&self) -> MutexGuard<'_, Option<Connected>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn send(client: &Client, name: &str, arguments: &[&str]) -> Result<Value, fred::error::Error> {
    let command = CustomCommand::new(name, ClusterHash::FirstKey, false);
    client
        .custom(
            command,
            arguments.iter().map(|argument| (*argument).to_owned()).collect(),
        )
        .await
}

/// Whether the server itself said this, as opposed to the connection's end.
fn is_answer(error: &fred::error::Error) -> bool {
    use fred::error::ErrorKind;
    !matches!(
        error.kind(),
        ErrorKind::IO | ErrorKind::Timeout | ErrorKind::Canceled | ErrorKind::Protocol | ErrorKind::Backpressure
    )
}

impl Drop for Node {
    fn drop(&mut self) {
        // A task that goes on would keep its client, and the connection, for ever.
        if let Some(Connected { task, .. }) = self.kept().take() {
            task.abort();
        }
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.endpoint.member, self.endpoint.address)
    }
}
