//! Redis through a Sentinel. Sentinel's own failover asks the old master nothing: it goes on acknowledging writes for some eight
//! seconds, which are lost when it is demoted. So its writes are paused first, and it is demoted as soon as the new master leads.

use std::time::Duration;

use fred::clients::Client;
use fred::interfaces::ClientLike;
use fred::types::config::{Config, ServerConfig};
use fred::types::{Builder, ClusterHash, ConnectHandle, CustomCommand, Value};
use futures::future::join_all;
use nova_platform::checks::MASTER_NAME;
use nova_platform::components::Kind;
use nova_platform::endpoints::HostPort;
use tokio::time::{sleep, timeout};

use super::SwitchoverError;
use crate::doors::{Site, secret};

/// Longest pause of a Redis master's writes, which ends by itself should nobody end it.
const PAUSED_MS: &str = "15000";
/// Sentinels name the new master within this.
const LIMIT: Duration = Duration::from_secs(12);
/// The other Sentinels hear of it from the one that was asked; one that is dead must not hold the clients back for longer.
const ALL_LIMIT: Duration = Duration::from_millis(500);
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// How often a Sentinel asks its servers for their state, in milliseconds: its own default.
const STATE_PERIOD_MS: &str = "10000";
/// Time in which a Sentinel that asks all the time has asked everyone.
const ASKS_EVERYONE: Duration = Duration::from_millis(200);
/// How long after that the failover begins. A failover has promoted the replica after 0.13 to 0.26 s.
const BEFORE_FAILOVER: Duration = Duration::from_millis(720);

/// Moves the master's role from `leader` to a replica of the Sentinels' choice.
pub(super) async fn switch(leader: &str, site: &Site<'_>) -> Result<(), SwitchoverError> {
    let mut servers = site.endpoints.of(Kind::Redis).into_iter();
    let old = servers.find(|member| member.member == leader);
    let old = &old
        .ok_or_else(|| SwitchoverError::NoMember {
            leader: leader.to_owned(),
            store: "Redis",
        })?
        .address;
    let master = Node::connect(old, secret(site, "redis")?).await?;
    let sentinels = sentinels(site, &secret(site, "redis-sentinel")?).await?;
    choose_the_moment(&sentinels[0]).await;
    master.ask("CLIENT", &["PAUSE", PAUSED_MS, "WRITE"]).await?;
    let switched = move_master(&master, &sentinels).await;
    // Whoever is still connected looks for the master anew. A failure here ends with the pause.
    let _ = master.ask("CLIENT", &["KILL", "TYPE", "normal", "SKIPME", "yes"]).await;
    let unpaused = master.ask("CLIENT", &["UNPAUSE"]).await;
    switched.and(unpaused.map(drop))
}

/// During a failover a Sentinel asks a server for its state once a second, and names the new master only when that says so: a
/// second of outage for a promotion that takes a quarter. So everyone is asked shortly before, and the next question comes
/// just after the promotion. Nothing depends on it: a Sentinel without that command, or a late promotion, takes its second.
async fn choose_the_moment(sentinel: &Node) {
    if sentinel.ask("SENTINEL", &["DEBUG", "INFO-PERIOD", "1"]).await.is_err() {
        return;
    }
    sleep(ASKS_EVERYONE).await;
    let _ = sentinel
        .ask("SENTINEL", &["DEBUG", "INFO-PERIOD", STATE_PERIOD_MS])
        .await;
    sleep(BEFORE_FAILOVER).await;
}

async fn move_master(master: &Node, sentinels: &[Node]) -> Result<(), SwitchoverError> {
    let asked = &sentinels[0];
    // As the Sentinels call it: they know addresses where others know names.
    let old = named_master(asked).await?;
    asked.ask("SENTINEL", &["FAILOVER", MASTER_NAME]).await?;
    let Ok(new) = timeout(LIMIT, another_master(asked, &old)).await else {
        return Err(SwitchoverError::NoNewMaster { within: LIMIT });
    };
    if let [host, port] = new?.as_slice() {
        master.ask("REPLICAOF", &[host, port]).await?;
    }
    // A client asks any Sentinel. Sent away before that one knows, it finds the old master again and pauses for longer than this.
    let all = join_all(sentinels[1..].iter().map(|sentinel| another_master(sentinel, &old)));
    let _ = timeout(ALL_LIMIT, all).await;
    Ok(())
}

/// Whom `sentinel` names as soon as that is not `old` any more.
async fn another_master(sentinel: &Node, old: &[String]) -> Result<Vec<String>, SwitchoverError> {
    loop {
        let named = named_master(sentinel).await?;
        if named.len() == 2 && named != old {
            return Ok(named);
        }
        sleep(LOOK_EVERY).await;
    }
}

async fn named_master(sentinel: &Node) -> Result<Vec<String>, SwitchoverError> {
    let named = sentinel
        .ask("SENTINEL", &["GET-MASTER-ADDR-BY-NAME", MASTER_NAME])
        .await?;
    Ok(named.convert().unwrap_or_default())
}

/// Every Sentinel that answers, one at least.
async fn sentinels(site: &Site<'_>, password: &str) -> Result<Vec<Node>, SwitchoverError> {
    let every = site.endpoints.of(Kind::Sentinel);
    let tried = join_all(
        every
            .iter()
            .map(|sentinel| Node::connect(&sentinel.address, password.to_owned())),
    )
    .await;
    let (nodes, refusals): (Vec<_>, Vec<_>) = tried.into_iter().partition(Result::is_ok);
    if nodes.is_empty() {
        let refusals: Vec<_> = refusals.into_iter().filter_map(Result::err).collect();
        return Err(SwitchoverError::NoSentinel(refusals));
    }
    Ok(nodes.into_iter().flatten().collect())
}

/// One server, and the task that serves the connection to it.
struct Node {
    client: Client,
    task: ConnectHandle,
    address: String,
}

impl Node {
    async fn connect(address: &HostPort, password: String) -> Result<Self, SwitchoverError> {
        let config = Config {
            server: ServerConfig::new_centralized(address.host.as_str(), address.port),
            password: Some(password),
            fail_fast: true,
            ..Config::default()
        };
        let connected = async {
            let client = Builder::from_config(config).build()?;
            let task = client.init().await?;
            Ok::<_, fred::error::Error>((client, task))
        };
        let address = address.to_string();
        let (client, task) = match connected.await {
            Ok(connected) => connected,
            Err(error) => return Err(SwitchoverError::Redis { address, error }),
        };
        Ok(Self { client, task, address })
    }

    async fn ask(&self, name: &'static str, arguments: &[&str]) -> Result<Value, SwitchoverError> {
        let command = CustomCommand::new_static(name, ClusterHash::FirstKey, false);
        let sent = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        let answer = self.client.custom::<Value, String>(command, sent).await;
        answer.map_err(|error| SwitchoverError::RedisRefused {
            address: self.address.clone(),
            command: format!("{name} {}", arguments.join(" ")),
            error,
        })
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.task.abort();
    }
}
