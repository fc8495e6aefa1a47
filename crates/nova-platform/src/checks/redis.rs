//! Redis as its clients meet it: Sentinels name the master, a write there reaches a replica, and the Sentinels could fail over.

mod node;
mod settings;

use std::collections::BTreeMap;
use std::time::Duration;

use fred::types::Value;
use futures::future::join_all;
use futures::stream::{FuturesUnordered, StreamExt};
use secrecy::SecretString;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout_at};

use super::{CheckKind, CheckResult, MemberRole};
use crate::bounded::{Stage, Verdict, check};
use crate::components::Kind;
use crate::endpoints::{Endpoints, HostPort};
use crate::spec::RedisSpec;
use node::Node;
use nova_member::MASTER_NAME;

/// How long the other Sentinels may take once one has answered.
const PATIENCE_AFTER_FIRST: Duration = Duration::from_millis(300);
/// Time after which Redis itself drops what a check wrote.
const EXPIRES_AFTER_MS: &str = "30000";

/// See the module.
pub(super) struct Redis {
    spec: RedisSpec,
    servers: Vec<Node>,
    sentinels: Vec<Node>,
    /// Replicas that must have a write, as far as there are any.
    replicas_wanted: i64,
}

/// What the replicas are to find, `None` until the write has ended.
type Written = Option<Result<String, ()>>;

/// What `ROLE` says.
#[derive(Debug, PartialEq)]
enum Role {
    Master { offset: u64 },
    Replica { of: HostPort, link: String, offset: u64 },
    Other(String),
}

impl Redis {
    pub(super) fn new(
        spec: &RedisSpec,
        endpoints: &Endpoints,
        password: &SecretString,
        sentinel: &SecretString,
    ) -> Self {
        let nodes = |members: &[_], password: &SecretString| {
            members
                .iter()
                .map(|member| Node::new(member, password.clone()))
                .collect()
        };
        Self {
            spec: spec.clone(),
            servers: nodes(&endpoints.of(Kind::Redis), password),
            sentinels: nodes(&endpoints.of(Kind::Sentinel), sentinel),
            replicas_wanted: i64::from(spec.members > 1),
        }
    }

    pub(super) async fn checks(&self, until: Instant) -> Vec<CheckResult> {
        let begin = Instant::now();
        let (master, named) = match timeout_at(until, self.masters_named()).await {
            Ok(named) => (agree(&named), named),
            Err(_) => (
                Err(format!(
                    "the Sentinels did not answer within {} ms",
                    begin.elapsed().as_millis()
                )),
                Vec::new(),
            ),
        };
        let (written, _) = watch::channel(Written::None);
        let write = check(CheckKind::WriteRead, until, async |stage| {
            let key = match &master {
                Ok(address) => self.write_and_read(address, &stage).await,
                Err(error) => Err(error.clone()),
            };
            written.send_replace(Some(key.as_ref().cloned().map_err(drop)));
            key.map(drop)
        });
        let is_master = |node: &Node| master.as_ref().is_ok_and(|address| *address == *node.address());
        let reads = join_all(self.servers.iter().filter(|node| !is_master(node)).map(|node| {
            let written = written.subscribe();
            let master = master.as_ref().ok();
            check(
                CheckKind::ReplicaRead.of_member(node.member()),
                until,
                async move |stage| read_on_replica(node, master, written, &stage).await,
            )
        }));
        let sentinels = join_all(self.sentinels.iter().enumerate().map(|(index, node)| {
            let named = named
                .get(index)
                .and_then(|named| named.as_ref().ok())
                .zip(master.as_ref().ok());
            check(
                CheckKind::Ckquorum.of_member(node.member()),
                until,
                async move |stage| sentinel(node, named, &stage).await,
            )
        }));
        let (write, reads, sentinels) = tokio::join!(write, reads, sentinels);
        std::iter::once(write).chain(reads).chain(sentinels).collect()
    }

    pub(super) async fn roles(&self, until: Instant) -> Vec<MemberRole> {
        let servers = join_all(
            self.servers
                .iter()
                .map(async |node| timeout_at(until, role(node)).await.ok()?.ok()),
        );
        let sentinels = join_all(self.sentinels.iter().map(async |node| {
            let answers = matches!(timeout_at(until, node.ask(&["PING"])).await, Ok(Ok(_)));
            let role = answers.then(|| "sentinel".to_owned());
            MemberRole {
                member: node.member().to_owned(),
                role,
                lag_bytes: None,
            }
        }));
        let (servers, sentinels) = tokio::join!(servers, sentinels);
        let end = servers.iter().flatten().find_map(|role| match role {
            Role::Master { offset } => Some(*offset),
            _ => None,
        });
        let told = |(node, role): (&Node, &Option<Role>)| {
            let (role, lag_bytes) = match role {
                Some(Role::Master { .. }) => (Some("master"), Some(0)),
                Some(Role::Replica { offset, .. }) => (Some("replica"), end.map(|end| end.saturating_sub(*offset))),
                Some(Role::Other(_)) | None => (None, None),
            };
            MemberRole {
                member: node.member().to_owned(),
                role: role.map(str::to_owned),
                lag_bytes,
            }
        };
        self.servers.iter().zip(&servers).map(told).chain(sentinels).collect()
    }

    /// Whom each Sentinel names as master, in their order.
    async fn masters_named(&self) -> Vec<Result<HostPort, String>> {
        let ask = async |node: &Node| {
            let answer = node.ask(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER_NAME]).await?;
            address_in(&answer).ok_or_else(|| format!("{node} knows no master named {MASTER_NAME}"))
        };
        let silent = |node: &Node| Err(format!("{node} did not answer"));
        let mut named: Vec<_> = self.sentinels.iter().map(silent).collect();
        let asked = self.sentinels.iter().enumerate();
        let mut asked: FuturesUnordered<_> = asked.map(async |(index, node)| (index, ask(node).await)).collect();
        // A silent Sentinel must not cost the others their whole time. One that is silent alone is; on a busy machine all are slow.
        let mut until = None;
        loop {
            let came = match until {
                Some(until) => timeout_at(until, asked.next()).await.ok().flatten(),
                None => asked.next().await,
            };
            let Some((index, answer)) = came else {
                return named;
            };
            if answer.is_ok() {
                until.get_or_insert_with(|| Instant::now() + PATIENCE_AFTER_FIRST);
            }
            named[index] = answer;
        }
    }

    async fn write_and_read(&self, master: &HostPort, stage: &Stage) -> Result<String, String> {
        let node = self
            .servers
            .iter()
            .find(|node| node.address() == master)
            .ok_or_else(|| format!("the Sentinels name {master} as master, which is no member of this platform"))?;
        stage.enter(format!("the role of {node}, which the Sentinels name as master"));
        match role(node).await? {
            Role::Master { .. } => {}
            other => {
                return Err(format!(
                    "the Sentinels name {node} as master, which says that it is {other}"
                ));
            }
        }
        let key = format!("nova:check:{}", uuid::Uuid::new_v4());
        stage.enter(format!("{node} to write {key}"));
        // One client, so that WAIT speaks of this write.
        node.ask(&["SET", &key, &key, "PX", EXPIRES_AFTER_MS]).await?;
        if self.replicas_wanted > 0 {
            stage.enter(format!("a replica to acknowledge a write on {node}"));
            let patience = (stage.remaining().as_millis() / 2).max(1).to_string();
            let acknowledged = node
                .ask(&["WAIT", &self.replicas_wanted.to_string(), &patience])
                .await?
                .as_i64();
            if acknowledged.is_none_or(|count| count < self.replicas_wanted) {
                return Err(format!(
                    "no replica acknowledged a write on {node} within {patience} ms"
                ));
            }
        }
        let read = node.ask(&["GET", &key]).await?;
        if read.as_str().as_deref() != Some(key.as_str()) {
            return Err(format!("{node} acknowledged a write of {key} and then read {read:?}"));
        }
        Ok(key)
    }
}

async fn read_on_replica(
    node: &Node,
    master: Option<&HostPort>,
    mut written: watch::Receiver<Written>,
    stage: &Stage,
) -> Verdict {
    stage.enter(format!("the role of {node}"));
    match (role(node).await?, master) {
        (Role::Replica { of, link, .. }, Some(master)) if of != *master => {
            return Err(format!("{node} follows {of} (link {link}), not the master {master}"));
        }
        (Role::Replica { .. }, _) | (Role::Other(_), None) => {}
        (other, _) => return Err(format!("{node} says that it is {other} and not a replica")),
    }
    stage.enter("the write on the master, which this member is to have");
    let Ok(Some(Ok(key))) = written.wait_for(Option::is_some).await.map(|written| written.clone()) else {
        return Err(format!(
            "{node} answers, but nothing could be written that it should have"
        ));
    };
    let mut pause = Duration::from_millis(2);
    loop {
        if node.ask(&["GET", &key]).await?.as_str().as_deref() == Some(key.as_str()) {
            return Ok(());
        }
        let link = match role(node).await? {
            Role::Replica { link, .. } => format!("its link to the master is {link}"),
            other => format!("it is {other} now"),
        };
        stage.enter(format!("{node} to have {key}; {link}"));
        sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}

/// `named` is what this Sentinel names as master, and what most name.
async fn sentinel(node: &Node, named: Option<(&HostPort, &HostPort)>, stage: &Stage) -> Verdict {
    stage.enter(format!("SENTINEL CKQUORUM on {node}"));
    // Refused with the reason, when too few Sentinels are reachable.
    node.ask(&["SENTINEL", "CKQUORUM", MASTER_NAME]).await?;
    match named {
        Some((own, most)) if own != most => Err(format!("{node} names {own} as master, most name {most}")),
        _ => Ok(()),
    }
}

async fn role(node: &Node) -> Result<Role, String> {
    Ok(role_in(&node.ask(&["ROLE"]).await?))
}

/// The address that most Sentinels name; on a tie, what one of them names must still prove itself by its role.
fn agree(named: &[Result<HostPort, String>]) -> Result<HostPort, String> {
    let mut votes = BTreeMap::<&HostPort, usize>::new();
    for address in named.iter().flatten() {
        *votes.entry(address).or_default() += 1;
    }
    let refusals = || {
        named
            .iter()
            .filter_map(|named| named.as_ref().err())
            .cloned()
            .collect::<Vec<_>>()
            .join("; ")
    };
    match votes.into_iter().max_by_key(|(_, votes)| *votes) {
        Some((address, _)) => Ok(address.clone()),
        None => Err(format!("no Sentinel names a master: {}", refusals())),
    }
}

fn address_in(answer: &Value) -> Option<HostPort> {
    match answer {
        Value::Array(parts) => Some(HostPort::new(
            parts.first()?.as_string()?,
            parts.get(1)?.as_string()?.parse().ok()?,
        )),
        _ => None,
    }
}

fn role_in(answer: &Value) -> Role {
    let parse = || {
        let Value::Array(parts) = answer else { return None };
        let part = |index: usize| parts.get(index);
        match part(0)?.as_string()?.as_str() {
            "master" => Some(Role::Master {
                offset: part(1)?.as_u64()?,
            }),
            "slave" => Some(Role::Replica {
                of: HostPort::new(part(1)?.as_string()?, u16::try_from(part(2)?.as_u64()?).ok()?),
                link: part(3)?.as_string()?,
                // -1 before the first synchronisation.
                offset: part(4)?.as_u64().unwrap_or(0),
            }),
            _ => None,
        }
    };
    parse().unwrap_or_else(|| Role::Other(format!("{answer:?}")))
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Master { .. } => f.write_str("a master"),
            Self::Replica { of, link, .. } => write!(f, "a replica of {of} (link {link})"),
            Self::Other(answer) => write!(f, "something else: {answer}"),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]
mod tests {
    use super::{HostPort, Role, Value, address_in, agree, role_in};

    fn array(parts: &[&str]) -> Value {
        Value::Array(parts.iter().map(|part| Value::String((*part).into())).collect())
    }

    #[test]
    fn roles_are_understood() {
        let master = Value::Array(vec![
            Value::String("master".into()),
            Value::Integer(77),
            Value::Array(Vec::new()),
        ]);
        assert_eq!(role_in(&master), Role::Master { offset: 77 });
        let replica = Value::Array(vec![
            Value::String("slave".into()),
            Value::String("127.77.0.1".into()),
            Value::Integer(6379),
            Value::String("connected".into()),
            Value::Integer(-1),
        ]);
        let of = HostPort::new("127.77.0.1", 6379);
        assert_eq!(
            role_in(&replica),
            Role::Replica {
                of,
                link: "connected".to_owned(),
                offset: 0
            }
        );
        for odd in [Value::Null, array(&[]), array(&["slave"]), array(&["sentinel"])] {
            assert!(matches!(role_in(&odd), Role::Other(_)), "{odd:?}");
        }
    }

    #[test]
    fn most_sentinels_decide() {
        let [one, two] = [1, 2].map(|n| HostPort::new(format!("127.77.0.{n}"), 6379));
        let named = [Ok(one.clone()), Ok(two.clone()), Ok(two.clone())];
        assert_eq!(agree(&named), Ok(two));
        let named = [Err("sentinel-1: connection refused".to_owned()), Ok(one.clone())];
        assert_eq!(agree(&named), Ok(one));
        let none = [
            Err("sentinel-1: connection refused".to_owned()),
            Err("sentinel-2: silent".to_owned()),
        ];
        let error = agree(&none).unwrap_err();
        assert_eq!(
            error,
            "no Sentinel names a master: sentinel-1: connection refused; sentinel-2: silent"
        );
    }

    #[test]
    fn addresses_are_understood() {
        assert_eq!(
            address_in(&array(&["127.77.0.1", "6379"])),
            Some(HostPort::new("127.77.0.1", 6379))
        );
        for odd in [Value::Null, array(&["127.77.0.1"]), array(&["127.77.0.1", "x"])] {
            assert_eq!(address_in(&odd), None);
        }
    }
}
