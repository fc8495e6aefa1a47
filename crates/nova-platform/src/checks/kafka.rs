//! Kafka: records that every in-sync replica acknowledged are read again as committed, from a topic with a partition for
//! each broker to lead; each broker is registered; no copy lags behind.

mod client;
mod quorum;
mod topic;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use futures::future::join_all;
use tokio::time::{Instant, timeout_at};

use super::{CheckKind, CheckResult, MemberRole};
use crate::bounded::{Stage, Verdict, check, first_answer};
use crate::components::Kind;
use crate::endpoints::{Endpoints, HostPort, MemberEndpoint};
use crate::spec::KafkaSpec;
use client::{Client, View};
use quorum::Quorum;

/// The topic of the checks.
pub const CHECK_TOPIC: &str = "nova.check";

/// See the module.
pub(super) struct Kafka {
    spec: KafkaSpec,
    members: Vec<MemberEndpoint>,
    client: Mutex<Option<Arc<Client>>>,
}

impl Kafka {
    pub(super) fn new(spec: &KafkaSpec, endpoints: &Endpoints) -> Self {
        Self {
            spec: spec.clone(),
            members: endpoints.of(Kind::Kafka),
            client: Mutex::default(),
        }
    }

    pub(super) async fn checks(&self, until: Instant) -> Vec<CheckResult> {
        let view = &self.view_before(until).await;
        // The first check of all makes the topic: what is in sync then is judged by what it saw.
        let settled = OnceLock::new();
        let write = check(CheckKind::WriteRead, until, async |stage| {
            self.write_and_read(view.clone()?, &settled, &stage).await
        });
        let brokers = join_all(self.members.iter().map(|member| {
            check(CheckKind::Broker.of_member(&member.member), until, async move |stage| {
                broker(member, view, &stage).await
            })
        }));
        let (write, brokers) = tokio::join!(write, brokers);
        let in_sync = check(CheckKind::InSync, until, async |_| match settled.get() {
            Some(view) => judge_in_sync(view, &self.members, self.spec.replication_factor),
            None => judge_in_sync(&view.clone()?, &self.members, self.spec.replication_factor),
        });
        [write, in_sync.await].into_iter().chain(brokers).collect()
    }

    pub(super) async fn roles(&self, until: Instant) -> Vec<MemberRole> {
        let quorum = async {
            let ask = async |member: &MemberEndpoint| quorum::describe(&member.address).await;
            timeout_at(until, first_answer(&self.members, None, ask))
                .await
                .ok()?
                .ok()
        };
        let answering = join_all(
            self.members
                .iter()
                .map(async |member| matches!(timeout_at(until, quorum::answers(&member.address)).await, Ok(Ok(())))),
        );
        let view = async { timeout_at(until, self.view(until)).await.ok()?.ok() };
        let (quorum, answering, view) = tokio::join!(quorum, answering, view);
        judge_roles(&self.members, &answering, quorum.as_ref(), view.as_ref())
    }

    /// As [`Kafka::view`], and leaves some time for finding out why there is no answer.
    async fn view_before(&self, until: Instant) -> Result<View, String> {
        let begin = Instant::now();
        let left = until.saturating_duration_since(begin);
        let until = until - (left / 4).min(Duration::from_millis(250));
        let within = || {
            format!(
                "no broker answered for metadata within {} ms",
                begin.elapsed().as_millis()
            )
        };
        timeout_at(until, self.view(until))
            .await
            .unwrap_or_else(|_| Err(within()))
    }

    /// Brokers and the topic of the checks, as the cluster sees them now.
    async fn view(&self, until: Instant) -> Result<View, String> {
        let view = self.client()?.view(until).await;
        if view.is_err() {
            self.forget_client();
        }
        view
    }

    async fn write_and_read(&self, view: View, settled: &OnceLock<View>, stage: &Stage) -> Verdict {
        let view = match view.partitions.is_empty() {
            false => view,
            true => {
                stage.enter(format!("topic {CHECK_TOPIC} to be made"));
                topic::create(&self.spec, &self.members, &view, stage).await?;
                self.settled(stage).await?
            }
        };
        let view = settled.get_or_init(|| view);
        stage.enter(format!(
            "{} partitions of {CHECK_TOPIC} to acknowledge a record each",
            view.partitions.len()
        ));
        let client = self.client()?;
        let result = client.write_and_read(view, stage).await;
        if result.is_err() {
            self.forget_client();
        }
        result
    }

    /// Waits until a new topic has its leaders.
    async fn settled(&self, stage: &Stage) -> Result<View, String> {
        stage.enter(format!(
            "all partitions of the new topic {CHECK_TOPIC} to have a leader"
        ));
        let mut pause = Duration::from_millis(10);
        loop {
            let view = self.view(stage.until()).await?;
            if !view.partitions.is_empty() && view.partitions.iter().all(|partition| partition.leader >= 0) {
                return Ok(view);
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(100));
        }
    }

    fn client(&self) -> Result<Arc<Client>, String> {
        let mut kept = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = kept.as_ref() {
            return Ok(client.clone());
        }
        let client = Arc::new(Client::new(&self.members)?);
        *kept = Some(client.clone());
        Ok(client)
    }

    /// After a failure a new client starts from nothing: without backoff, without a fatal error from before.
    fn forget_client(&self) {
        self.client.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

async fn broker(member: &MemberEndpoint, view: &Result<View, String>, stage: &Stage) -> Verdict {
    let who = format!("{} ({})", member.member, member.address);
    stage.enter(format!("{who} to say what it speaks"));
    let unanswered = |error| format!("{}: {error}", member.member);
    quorum::answers(&member.address).await.map_err(unanswered)?;
    let view = view.as_ref().map_err(|error| format!("{who} answers, but {error}"))?;
    match view.broker_at(&member.address) {
        Some(_) => Ok(()),
        None => Err(format!(
            "{who} answers, but the cluster does not count it among its brokers: {}",
            view.listed()
        )),
    }
}

fn judge_in_sync(view: &View, members: &[MemberEndpoint], replication_factor: u16) -> Verdict {
    if view.partitions.is_empty() {
        return Err(format!("topic {CHECK_TOPIC} does not exist yet"));
    }
    let names =
        |ids: &mut dyn Iterator<Item = i32>| ids.map(|id| view.name_of(id, members)).collect::<Vec<_>>().join(", ");
    let mut complaints = Vec::new();
    for partition in &view.partitions {
        let missing = names(
            &mut partition
                .replicas
                .iter()
                .copied()
                .filter(|id| !partition.in_sync.contains(id)),
        );
        if !missing.is_empty() {
            let has = names(&mut partition.in_sync.iter().copied());
            complaints.push(format!(
                "partition {} of {CHECK_TOPIC} is in sync on {has}, and not on {missing}",
                partition.id
            ));
        }
        if partition.replicas.len() != usize::from(replication_factor) {
            complaints.push(format!(
                "partition {} of {CHECK_TOPIC} has {} copies, the description wants {replication_factor}",
                partition.id,
                partition.replicas.len()
            ));
        }
    }
    if complaints.is_empty() {
        Ok(())
    } else {
        Err(complaints.join("; "))
    }
}

/// A member that answers is a broker, and the one that leads the quorum of controllers is the controller. The lag is that of
/// its copy of the cluster's metadata, in records, which are no bytes: so none is told.
fn judge_roles(
    members: &[MemberEndpoint],
    answering: &[bool],
    quorum: Option<&Quorum>,
    view: Option<&View>,
) -> Vec<MemberRole> {
    let view = view.cloned().unwrap_or_default();
    let controller = quorum.map(|quorum| view.name_of(quorum.leader, members));
    let role = |(member, answers): (&MemberEndpoint, &bool)| {
        let role = match answers {
            true if controller.as_ref() == Some(&member.member) => Some("controller"),
            true => Some("broker"),
            false => None,
        };
        MemberRole {
            member: member.member.clone(),
            role: role.map(str::to_owned),
            lag_bytes: None,
        }
    };
    members.iter().zip(answering).map(role).collect()
}

/// Brokers by id.
type Brokers = BTreeMap<i32, HostPort>;

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]
mod tests {
    use super::client::{Partition, View};
    use super::{HostPort, MemberEndpoint, Quorum, judge_in_sync, judge_roles};

    fn members() -> Vec<MemberEndpoint> {
        let member = |n| MemberEndpoint {
            member: format!("kafka-{n}"),
            address: HostPort::new(format!("127.77.0.{n}"), 9092),
        };
        (1..=3).map(member).collect()
    }

    fn view(in_sync: &[i32]) -> View {
        View {
            brokers: members()
                .into_iter()
                .zip(1..)
                .map(|(member, id)| (id, member.address))
                .collect(),
            partitions: vec![Partition {
                id: 0,
                leader: 1,
                replicas: vec![1, 2, 3],
                in_sync: in_sync.to_vec(),
            }],
        }
    }

    #[test]
    fn a_copy_that_lags_is_named() {
        assert_eq!(judge_in_sync(&view(&[3, 1, 2]), &members(), 3), Ok(()));
        let error = judge_in_sync(&view(&[1, 3]), &members(), 3).unwrap_err();
        assert_eq!(
            error,
            "partition 0 of nova.check is in sync on kafka-1, kafka-3, and not on kafka-2"
        );
        let error = judge_in_sync(&view(&[1, 2, 3]), &members(), 2).unwrap_err();
        assert_eq!(error, "partition 0 of nova.check has 3 copies, the description wants 2");
        assert!(
            judge_in_sync(
                &View {
                    partitions: Vec::new(),
                    ..view(&[])
                },
                &members(),
                3
            )
            .is_err()
        );
    }

    #[test]
    fn the_leader_of_the_quorum_is_the_controller() {
        let roles = judge_roles(
            &members(),
            &[true, true, false],
            Some(&Quorum { leader: 2 }),
            Some(&view(&[])),
        );
        let told: Vec<_> = roles.iter().map(|role| role.role.as_deref()).collect();
        assert_eq!(told, [Some("broker"), Some("controller"), None]);
    }
}
