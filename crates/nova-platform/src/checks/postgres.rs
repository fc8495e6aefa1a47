//! PostgreSQL: a write on the leader that Patroni names, the same row read on every other member, and a synchronous
//! standby. Connects to the members themselves; the way through the gateway is the gateway's check.

use std::sync::Arc;

use futures::future::join_all;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::isolation::Isolation;
use super::liveness::{Beat, Liveness};
use super::sessions::Sessions;
use super::{CheckKind, CheckResult};
use crate::bounded::{Stage, Verdict, check};
use crate::checks::Depth;
use crate::endpoints::{Endpoints, PostgresEndpoint};
use crate::patroni::Patroni;
use crate::postgres_login::{Login, explain};
use crate::provision::Tenancy;
use crate::spec::{PostgresSpec, SynchronousMode};

/// See the module.
pub(super) struct Postgres {
    spec: PostgresSpec,
    patroni: Patroni,
    members: Vec<(PostgresEndpoint, Arc<Sessions>)>,
    liveness: Liveness,
    isolation: Isolation,
}

/// What the replicas are to find; `None` until the write has ended.
type Written = Option<Result<Beat, ()>>;

impl Postgres {
    pub(super) fn new(
        spec: &PostgresSpec,
        endpoints: &Endpoints,
        superuser: &Login,
        tenancies: Vec<Tenancy>,
        patroni: Patroni,
        liveness: Liveness,
    ) -> Self {
        let sessions = |member: &PostgresEndpoint| Arc::new(Sessions::new(superuser.clone(), member.postgres.clone()));
        Self {
            spec: spec.clone(),
            patroni,
            members: endpoints
                .postgres()
                .into_iter()
                .map(|member| {
                    let sessions = sessions(&member);
                    (member, sessions)
                })
                .collect(),
            liveness,
            isolation: Isolation::new(superuser.clone(), tenancies),
        }
    }

    pub(super) fn patroni(&self) -> &Patroni {
        &self.patroni
    }

    pub(super) async fn checks(&self, depth: Depth, until: Instant) -> Vec<CheckResult> {
        let (written, _) = watch::channel(Written::None);
        let finding = Stage::new(until);
        let begin = Instant::now();
        let leader = match tokio::time::timeout_at(until, self.patroni.leader_told_to(Some(&finding))).await {
            Ok(leader) => leader,
            Err(_) => Err(format!(
                "no Patroni named a leader within {} ms",
                begin.elapsed().as_millis()
            )),
        };
        let leader = leader.as_ref().map_err(|error| format!("no leader: {error}"));
        let name = leader.as_ref().ok().map(|leader| leader.member.as_str());

        let write = check(CheckKind::WriteRead, until, async |stage| {
            let write = async {
                let beat = match &leader {
                    Ok(leader) => self.write_and_read(leader, &stage).await,
                    Err(error) => Err(error.clone()),
                };
                written.send_replace(Some(beat.as_ref().copied().map_err(drop)));
                beat.map(drop)
            };
            // One of two that lead takes the write as well.
            let (write, one) = tokio::join!(write, self.patroni.is_one(&stage));
            one.and(write)
        });
        let replicas = self
            .members
            .iter()
            .filter(|(member, _)| Some(member.member.as_str()) != name);
        let reads = join_all(replicas.map(|(member, sessions)| {
            let written = written.subscribe();
            check(
                CheckKind::ReplicaRead.of_member(&member.member),
                until,
                async move |stage| self.read_on_replica(member, sessions, written, &stage).await,
            )
        }));
        let standby = async {
            let wanted = self.spec.synchronous_mode != SynchronousMode::Off && self.spec.members > 1;
            let body = async |stage: Stage| self.synchronous_standby(leader.clone()?, &stage).await;
            if wanted {
                Some(check(CheckKind::SynchronousStandby, until, body).await)
            } else {
                None
            }
        };
        let isolation = async {
            let body = async |stage: Stage| self.isolation.verify(&leader.clone()?.postgres, &stage).await;
            if depth == Depth::Full {
                Some(check(CheckKind::Isolation, until, body).await)
            } else {
                None
            }
        };
        let (write, reads, standby, isolation) = tokio::join!(write, reads, standby, isolation);
        std::iter::once(write)
            .chain(reads)
            .chain(standby)
            .chain(isolation)
            .collect()
    }

    fn sessions(&self, member: &PostgresEndpoint) -> Result<&Sessions, String> {
        let found = self.members.iter().find(|(known, _)| known == member);
        found
            .map(|(_, sessions)| sessions.as_ref())
            .ok_or_else(|| format!("{} is no member", member.member))
    }

    async fn write_and_read(&self, leader: &PostgresEndpoint, stage: &Stage) -> Result<Beat, String> {
        let who = format!("{} ({}, leader)", leader.member, leader.postgres);
        self.liveness.write_and_read(self.sessions(leader)?, &who, stage).await
    }

    async fn read_on_replica(
        &self,
        member: &PostgresEndpoint,
        sessions: &Sessions,
        mut written: watch::Receiver<Written>,
        stage: &Stage,
    ) -> Verdict {
        let who = format!("{} ({})", member.member, member.postgres);
        stage.enter(format!("a connection to {who}"));
        let mut session = sessions
            .take(stage.remaining())
            .await
            .map_err(|error| format!("{who}: {}", explain(&error)))?;
        stage.enter("the write on the leader, which this member is to replay");
        let beat = match written.wait_for(Option::is_some).await.map(|written| *written) {
            Ok(Some(Ok(beat))) => beat,
            _ => {
                sessions.put_back(session);
                return Err(format!(
                    "{who} accepts connections, but nothing could be written that it should replay"
                ));
            }
        };
        let mut pause = std::time::Duration::from_millis(2);
        loop {
            let found = self
                .liveness
                .read(&mut session)
                .await
                .map_err(|error| format!("{who}: {}", explain(&error)))?;
            if !found.in_recovery {
                return Err(format!(
                    "{who} is not in recovery, although it does not hold the leader key"
                ));
            }
            if found.beat >= Some(beat) {
                sessions.put_back(session);
                return Ok(());
            }
            let has = found
                .beat
                .map_or_else(|| "none yet".to_owned(), |beat| beat.to_string());
            let receiver = if found.streaming {
                "it is streaming"
            } else {
                "it is not streaming from anybody"
            };
            stage.enter(format!(
                "{who} to replay beat {beat} of the leader; it has {has}, and {receiver}"
            ));
            sleep(pause).await;
            pause = (pause * 2).min(std::time::Duration::from_millis(50));
        }
    }

    async fn synchronous_standby(&self, leader: &PostgresEndpoint, stage: &Stage) -> Verdict {
        let who = format!("{} ({})", leader.member, leader.postgres);
        stage.enter(format!("pg_stat_replication of {who}"));
        let sessions = self.sessions(leader)?;
        let of = |error| format!("{who}: {}", explain(&error));
        let mut session = sessions.take(stage.remaining()).await.map_err(of)?;
        let query = sqlx::query_as::<_, (String, String, String)>(
            "select application_name, coalesce(state, 'unknown'), coalesce(sync_state, 'unknown') \
             from pg_stat_replication order by 1",
        );
        let standbys = query.fetch_all(session.connection()).await.map_err(of)?;
        sessions.put_back(session);
        judge_standbys(&standbys, self.spec.synchronous_node_count).map_err(|reason| format!("{who} {reason}"))
    }
}

/// Standbys as (name, state, synchronous state).
fn judge_standbys(standbys: &[(String, String, String)], wanted: u16) -> Verdict {
    let synchronous = |(_, state, sync): &&(String, String, String)| {
        state == "streaming" && ["sync", "quorum"].contains(&sync.as_str())
    };
    let count = standbys.iter().filter(synchronous).count();
    let wanted = usize::from(wanted.max(1));
    if count >= wanted {
        return Ok(());
    }
    let seen: Vec<_> = standbys
        .iter()
        .map(|(name, state, sync)| format!("{name} is {state} ({sync})"))
        .collect();
    let seen = if seen.is_empty() {
        "no standby is connected".to_owned()
    } else {
        seen.join(", ")
    };
    Err(format!("has {count} synchronous standbys of {wanted}: {seen}"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]
mod tests {
    use super::judge_standbys;

    fn standby(name: &str, state: &str, sync: &str) -> (String, String, String) {
        (name.to_owned(), state.to_owned(), sync.to_owned())
    }

    #[test]
    fn a_standby_counts_only_when_commits_wait_for_it() {
        assert!(judge_standbys(&[standby("postgres-2", "streaming", "quorum")], 1).is_ok());
        assert!(judge_standbys(&[standby("postgres-2", "streaming", "sync")], 1).is_ok());
        let only_async = [
            standby("postgres-2", "streaming", "async"),
            standby("postgres-3", "catchup", "quorum"),
        ];
        assert_eq!(
            judge_standbys(&only_async, 1).unwrap_err(),
            "has 0 synchronous standbys of 1: postgres-2 is streaming (async), postgres-3 is catchup (quorum)"
        );
        assert_eq!(
            judge_standbys(&[], 1).unwrap_err(),
            "has 0 synchronous standbys of 1: no standby is connected"
        );
        assert!(judge_standbys(&[standby("postgres-2", "streaming", "quorum")], 2).is_err());
    }
}
