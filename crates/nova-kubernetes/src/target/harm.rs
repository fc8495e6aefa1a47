//! What drills do to members here: pods end, a server ends inside its container, a node takes no pods for a while.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::future::{join_all, try_join_all};
use k8s_openapi::api::core::v1::{Node, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Status;
use kube::Api;
use kube::api::{AttachParams, DeleteParams, ListParams, Patch, PatchParams};
use nova_platform::components::facts;
use nova_platform::target::Harm;
use serde_json::json;
use tokio::io::AsyncReadExt;
use tokio::time::timeout;

use super::{KubernetesError, KubernetesTarget};
use crate::names::MANAGER;
use crate::workloads::POSTGRES_PID_FILE;

/// Annotation of a node that a drill took pods away from; its value is the platform.
const TAKEN_DOWN: &str = "nova/taken-down-by-a-drill";
/// The server below Patroni, by the file that it keeps its process id in.
const END_POSTGRES: &str = "read -r pid < \"$0\" && kill -9 \"$pid\"";
/// Everything in the container but the first process, which then ends by itself.
const END_EVERYTHING: &str = "kill -9 -1";
/// Everything in the container but the first process, which only waits.
const FREEZE: &str = "kill -STOP -1";
/// The kubelet may have ended what was frozen for too long.
const THAW: &str = "grep -qs '^State:.T' /proc/[0-9]*/status || exit 3; kill -CONT -1";
/// The code of [`THAW`] when there is nothing to continue.
const NOTHING_FROZEN: i32 = 3;
/// The code of a line that its container's end took along.
const KILLED: i32 = 137;
/// When a line failed, and no code is told.
const UNKNOWN: i32 = -1;
/// Longest that the kubelet may take to carry one of these out.
const TO_END: Duration = Duration::from_secs(10);
/// Most that is read of why that failed, in bytes.
const COMPLAINT: u64 = 1024;

/// Why a harm cannot be done in a cluster; `None` when it can.
pub(super) fn refusal(harm: Harm) -> Option<String> {
    let why = match harm {
        Harm::Cut(_) | Harm::Rejoin => {
            "a partition is not available on a cluster: what cuts nodes off lies outside its API; cut one off from its \
             infrastructure, and measure that with `nova drill watch`"
        }
        Harm::Fill | Harm::Empty => {
            "fault disk-full is not available on a cluster: whether a volume has a limit of its own, or shares its node's disk with \
             everything else there, is known to whoever provides it; fill one by hand, and measure that with `nova drill watch`"
        }
        Harm::Kill
        | Harm::Crash
        | Harm::Freeze
        | Harm::Thaw
        | Harm::Restart
        | Harm::TakeDown
        | Harm::Drain
        | Harm::BringUp => return None,
    };
    Some(why.to_owned())
}

/// Whether a drill of this platform cordoned the node.
pub(super) fn is_taken_down(node: &Node, platform: &str) -> bool {
    let annotations = node.metadata.annotations.as_ref();
    annotations
        .and_then(|all| all.get(TAKEN_DOWN))
        .is_some_and(|by| by == platform)
}

/// The code that a line ended with: that it went well has no cause.
fn exit_code(status: &Status) -> i32 {
    let causes = status.details.as_ref().and_then(|details| details.causes.as_deref());
    let code = causes
        .unwrap_or_default()
        .iter()
        .find(|cause| cause.reason.as_deref() == Some("ExitCode"))
        .and_then(|cause| cause.message.as_ref()?.parse().ok());
    let went_well = status.status.as_deref() != Some("Failure");
    code.unwrap_or(if went_well { 0 } else { UNKNOWN })
}

fn processes_of(member: &str) -> String {
    format!("processes of {member}")
}

fn not_done(member: &str, why: String) -> KubernetesError {
    KubernetesError::Api {
        action: "break",
        object: processes_of(member),
        why,
    }
}

impl KubernetesTarget {
    pub(super) async fn harm_members(&self, members: &[String], harm: Harm) -> Result<(), KubernetesError> {
        // Where everybody is met.
        self.list_all().await?;
        match harm {
            Harm::Kill => self.kill(members).await,
            Harm::Restart => self.end_pods(members, None).await,
            Harm::Crash => self.crash(members).await,
            Harm::TakeDown => {
                self.take_down_nodes(members).await?;
                self.kill(members).await
            }
            Harm::Drain => {
                self.take_down_nodes(members).await?;
                self.evict(members).await
            }
            Harm::BringUp => self.bring_up_nodes().await.map(drop),
            Harm::Freeze => self.inside_all(members, &[FREEZE]).await,
            Harm::Thaw => self.inside_all(members, &[THAW]).await,
            Harm::Cut(_) | Harm::Rejoin | Harm::Fill | Harm::Empty => {
                Err(KubernetesError::Unsupported(format!("{harm:?}").to_lowercase()))
            }
        }
    }

    /// SIGKILL inside the containers first: whom the kubelet ends without grace, it asks to end and gives a second. Then the pods
    /// go, and others take their place: a container that is killed again and again would be kept waiting before its next start.
    async fn kill(&self, members: &[String]) -> Result<(), KubernetesError> {
        self.inside_all(members, &[END_EVERYTHING]).await?;
        self.end_pods(members, Some(0)).await
    }

    /// Every one at the same time; without grace, their objects are gone at once.
    async fn end_pods(&self, members: &[String], grace: Option<u32>) -> Result<(), KubernetesError> {
        let all = members.iter().map(|member| async move {
            let seen = self.find(member).await?;
            let pods: Api<Pod> = Api::namespaced(self.client().clone(), &seen.namespace);
            let params = DeleteParams {
                grace_period_seconds: grace,
                ..DeleteParams::default()
            };
            let deleted = pods.delete(member, &params).await;
            deleted
                .map(drop)
                .map_err(|error| KubernetesError::api("delete", format!("Pod {member}"), &error))
        });
        try_join_all(all).await.map(drop)
    }

    /// The container's server, and not its pod: PostgreSQL without its Patroni, elsewhere everything.
    async fn crash(&self, members: &[String]) -> Result<(), KubernetesError> {
        let all = members.iter().map(|member| async move {
            let is_managed = !facts(&self.find(member).await?.member.component).managed.is_empty();
            let line: &[&str] = if is_managed {
                &[END_POSTGRES, POSTGRES_PID_FILE]
            } else {
                &[END_EVERYTHING]
            };
            self.inside(member, line).await
        });
        try_join_all(all).await.map(drop)
    }

    /// Runs a line of shell in each of these members' containers at the same time.
    async fn inside_all(&self, members: &[String], line: &[&str]) -> Result<(), KubernetesError> {
        let all = members.iter().map(|member| self.inside(member, line));
        try_join_all(all).await.map(drop)
    }

    /// Runs a line of shell in a member's container, which must go well.
    async fn inside(&self, member: &str, line: &[&str]) -> Result<(), KubernetesError> {
        match self.run_inside(member, line).await? {
            (0 | KILLED | NOTHING_FROZEN, _) => Ok(()),
            (code, said) => Err(not_done(member, format!("it ended with {code} {said}"))),
        }
    }

    /// Continues what is frozen anywhere; names whose processes that were.
    pub(super) async fn thaw_leftovers(&self) -> Result<Vec<String>, KubernetesError> {
        let members = self.list_all().await?.into_iter().map(|seen| seen.member.name);
        let all = members.map(|member| async move {
            // A container that does not run has nothing frozen.
            let thawed = self.run_inside(&member, &[THAW]).await;
            thawed.is_ok_and(|(code, _)| code == 0).then_some(member)
        });
        Ok(join_all(all).await.into_iter().flatten().collect())
    }

    /// Runs a line of shell in a member's container; the code that it ended with, and what it complained of.
    async fn run_inside(&self, member: &str, line: &[&str]) -> Result<(i32, String), KubernetesError> {
        let seen = self.find(member).await?;
        let pods: Api<Pod> = Api::namespaced(self.client().clone(), &seen.namespace);
        let streams = AttachParams::default()
            .container(seen.container)
            .stdout(false)
            .stderr(true);
        let command = ["sh", "-c"].iter().chain(line).copied();
        let run = async {
            let mut process = pods
                .exec(member, command, &streams)
                .await
                .map_err(|error| KubernetesError::api("break", processes_of(member), &error))?;
            let mut said = String::new();
            if let Some(stderr) = process.stderr() {
                let _ = stderr.take(COMPLAINT).read_to_string(&mut said).await;
            }
            // The container's end may take the answer along.
            let status = match process.take_status() {
                Some(status) => status.await,
                None => None,
            };
            Ok((status.as_ref().map_or(KILLED, exit_code), said.trim().to_owned()))
        };
        match timeout(TO_END, run).await {
            Ok(ran) => ran,
            Err(_) => Err(not_done(member, format!("not done within {} s", TO_END.as_secs()))),
        }
    }

    /// No pod comes to the nodes of these members until they are brought up.
    async fn take_down_nodes(&self, members: &[String]) -> Result<(), KubernetesError> {
        let mut nodes = BTreeSet::new();
        for member in members {
            nodes.insert(self.find(member).await?.member.node);
        }
        nodes.remove("");
        for node in nodes {
            let patch = json!({
                "metadata": {"annotations": {TAKEN_DOWN: self.spec.platform.name}},
                "spec": {"unschedulable": true},
            });
            self.patch_node(&node, &patch).await?;
        }
        Ok(())
    }

    /// Pods come again to every node that a drill of this platform took down; names them.
    pub(super) async fn bring_up_nodes(&self) -> Result<Vec<String>, KubernetesError> {
        let api: Api<Node> = Api::all(self.client().clone());
        let nodes = match api.list(&ListParams::default()).await {
            Ok(nodes) => nodes.items.into_iter(),
            Err(error) => {
                return match KubernetesError::api("list", "the nodes", &error) {
                    // Whoever may not see the nodes has taken none down.
                    KubernetesError::Forbidden { .. } => Ok(Vec::new()),
                    error => Err(error),
                };
            }
        };
        let down = nodes.filter(|node| is_taken_down(node, &self.spec.platform.name));
        let down: Vec<String> = down.filter_map(|node| node.metadata.name).collect();
        for name in &down {
            let patch = json!({
                "metadata": {"annotations": {TAKEN_DOWN: null}},
                "spec": {"unschedulable": null},
            });
            self.patch_node(name, &patch).await?;
        }
        Ok(down)
    }

    async fn patch_node(&self, node: &str, patch: &serde_json::Value) -> Result<(), KubernetesError> {
        let api: Api<Node> = Api::all(self.client().clone());
        let params = PatchParams {
            field_manager: Some(MANAGER.to_owned()),
            ..PatchParams::default()
        };
        let patched = api.patch(node, &params, &Patch::Merge(patch)).await;
        patched
            .map(drop)
            .map_err(|error| KubernetesError::api("change", format!("Node {node}"), &error))
    }
}
