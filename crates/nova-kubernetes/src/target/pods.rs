//! From a pod to a member: what it does, why not, and how it last ended, in words.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{ContainerStateTerminated, ContainerStatus, Pod};
use k8s_openapi::jiff::Timestamp;
use nova_platform::target::{MemberStatus, RunState};

/// Label with the nova component.
pub(crate) const COMPONENT: &str = "app.kubernetes.io/component";
/// Time for which a pod may wait for a place before that counts as a failure, in seconds.
const UNSCHEDULABLE_SECONDS: i64 = 10;
/// Why a container waits when waiting does not help.
const HOPELESS: [&str; 6] = [
    "ImagePullBackOff",
    "ErrImagePull",
    "ErrImageNeverPull",
    "InvalidImageName",
    "CreateContainerConfigError",
    "CreateContainerError",
];

/// The member that a pod is; `None` for one that was replaced, or is not a member.
///
/// `is_earlier`: its controller has a newer template. What waiting would not mend in such a pod ends with the pod.
pub(crate) fn member(
    pod: &Pod,
    down_nodes: &BTreeSet<String>,
    now: Timestamp,
    is_earlier: bool,
) -> Option<MemberStatus> {
    let name = pod.metadata.name.clone()?;
    let component = pod.metadata.labels.as_ref()?.get(COMPONENT)?.as_str().into();
    let node = pod
        .spec
        .as_ref()
        .and_then(|spec| spec.node_name.clone())
        .unwrap_or_default();
    let on_lost_node = down_nodes.contains(&node);
    if is_replaceable(pod) && (is_over(pod) || pod.metadata.deletion_timestamp.is_some()) && !on_lost_node {
        return None;
    }
    let (state, why) = if on_lost_node {
        (RunState::Unreachable, Some(format!("its node {node} is not ready")))
    } else {
        match state(pod, now) {
            (RunState::Failed | RunState::Backoff, _) if is_earlier && is_replaceable(pod) => return None,
            (RunState::Failed, why) if is_earlier => (RunState::Backoff, why),
            other => other,
        }
    };
    let statuses = statuses(pod);
    let restarts: i32 = statuses.iter().map(|status| status.restart_count).sum();
    let running = statuses
        .iter()
        .filter_map(|status| status.state.as_ref()?.running.as_ref()?.started_at.as_ref());
    let started = running.map(|time| time.0.as_millisecond()).max();
    Some(MemberStatus {
        name,
        component,
        node,
        state,
        pid: None,
        started_at_ms: started.and_then(|ms| u64::try_from(ms).ok()),
        restarts: u32::try_from(restarts).unwrap_or(0),
        last_exit: why.or_else(|| statuses.iter().find_map(|status| last_end(status))),
        memory_bytes: None,
    })
}

/// Whether the pod takes part: ready, and not on its way out.
pub(crate) fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
    let ready = conditions.is_some_and(|all| all.iter().any(|one| one.type_ == "Ready" && one.status == "True"));
    ready && pod.metadata.deletion_timestamp.is_none()
}

/// Whether something of its own, not its node, keeps it from running.
pub(crate) fn is_troubled(pod: &Pod, down_nodes: &BTreeSet<String>) -> bool {
    let member = member(pod, down_nodes, Timestamp::now(), false);
    member.is_some_and(|member| matches!(member.state, RunState::Failed | RunState::Backoff))
}

/// What keeps a pod from being ready, for a message; `None` when nothing is known.
pub(crate) fn trouble(pod: &Pod) -> Option<String> {
    let name = pod.metadata.name.as_deref()?;
    let member = member(pod, &BTreeSet::new(), Timestamp::now(), false)?;
    let why = member.last_exit.unwrap_or_else(|| waiting(pod));
    Some(format!("{name}: {why}"))
}

/// Whether a controller makes another pod, of another name, when this one ends.
fn is_replaceable(pod: &Pod) -> bool {
    let owners = pod.metadata.owner_references.as_deref().unwrap_or_default();
    owners.iter().any(|owner| owner.kind == "ReplicaSet")
}

fn is_over(pod: &Pod) -> bool {
    matches!(phase(pod), "Failed" | "Succeeded")
}

fn phase(pod: &Pod) -> &str {
    pod.status
        .as_ref()
        .and_then(|status| status.phase.as_deref())
        .unwrap_or("Pending")
}

/// Of its containers, those that prepare it included.
fn statuses(pod: &Pod) -> Vec<&ContainerStatus> {
    let Some(status) = &pod.status else {
        return Vec::new();
    };
    let init = status.init_container_statuses.as_deref().unwrap_or_default();
    let main = status.container_statuses.as_deref().unwrap_or_default();
    init.iter().chain(main).collect()
}

fn waiting(pod: &Pod) -> String {
    let reasons = statuses(pod)
        .into_iter()
        .filter_map(|status| status.state.as_ref()?.waiting.as_ref()?.reason.clone());
    let reasons: Vec<String> = reasons.collect();
    reasons.first().cloned().unwrap_or_else(|| phase(pod).to_lowercase())
}

fn state(pod: &Pod, now: Timestamp) -> (RunState, Option<String>) {
    for status in statuses(pod) {
        let Some(waiting) = status.state.as_ref().and_then(|state| state.waiting.as_ref()) else {
            continue;
        };
        let reason = waiting.reason.as_deref().unwrap_or_default();
        if HOPELESS.contains(&reason) {
            let message = waiting.message.as_deref().unwrap_or_default();
            let why = format!("{reason}: image {}: {message}", status.image);
            return (RunState::Failed, Some(why.trim_end_matches([':', ' ']).to_owned()));
        }
        if reason == "CrashLoopBackOff" {
            return (RunState::Backoff, None);
        }
    }
    if is_over(pod) {
        let status = pod.status.as_ref();
        let reason = status.and_then(|status| status.reason.clone());
        let message = status.and_then(|status| status.message.clone());
        let why: Vec<String> = [reason, message].into_iter().flatten().collect();
        return (RunState::Backoff, (!why.is_empty()).then(|| why.join(": ")));
    }
    if let Some(why) = unschedulable(pod, now) {
        return (RunState::Failed, Some(why));
    }
    let main = pod
        .status
        .as_ref()
        .and_then(|status| status.container_statuses.as_deref());
    let main = main.unwrap_or_default();
    let state_of = |status: &ContainerStatus| status.state.clone().unwrap_or_default();
    if main.iter().any(|status| state_of(status).terminated.is_some()) {
        return (RunState::Backoff, None);
    }
    if !main.is_empty() && main.iter().all(|status| state_of(status).running.is_some()) {
        (RunState::Running, None)
    } else {
        (RunState::Stopped, None)
    }
}

/// Why no node takes the pod, when it has waited for one too long.
fn unschedulable(pod: &Pod, now: Timestamp) -> Option<String> {
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    let condition = conditions.iter().find(|one| {
        one.type_ == "PodScheduled" && one.status == "False" && one.reason.as_deref() == Some("Unschedulable")
    })?;
    let since = condition.last_transition_time.as_ref()?.0;
    (now.as_second() - since.as_second() > UNSCHEDULABLE_SECONDS).then(|| {
        let message = condition.message.as_deref().unwrap_or("no reason given");
        format!("no node takes it: {message}")
    })
}

fn last_end(status: &ContainerStatus) -> Option<String> {
    let now = status.state.as_ref().and_then(|state| state.terminated.as_ref());
    let before = status.last_state.as_ref().and_then(|state| state.terminated.as_ref());
    let ended = now.or(before)?;
    // A container that prepares a pod ends well before the pod begins.
    (ended.exit_code != 0 || status.restart_count > 0).then(|| end_words(ended))
}

fn end_words(ended: &ContainerStateTerminated) -> String {
    let signal = ended
        .signal
        .or_else(|| (ended.exit_code > 128).then(|| ended.exit_code - 128));
    let words = match signal {
        Some(number) => format!("signal {number}{}", signal_name(number)),
        None => format!("exit status {}", ended.exit_code),
    };
    match ended.reason.as_deref() {
        Some("Error" | "Completed") | None => match &ended.message {
            Some(message) => format!("{words}: {message}"),
            None => words,
        },
        Some("OOMKilled") => format!("{words}: more memory than its limit (OOMKilled)"),
        Some(reason) => {
            let message = ended
                .message
                .as_deref()
                .map(|message| format!(": {message}"))
                .unwrap_or_default();
            format!("{words}: {reason}{message}")
        }
    }
}

fn signal_name(number: i32) -> &'static str {
    match number {
        1 => " (SIGHUP)",
        2 => " (SIGINT)",
        3 => " (SIGQUIT)",
        4 => " (SIGILL)",
        6 => " (SIGABRT)",
        7 => " (SIGBUS)",
        9 => " (SIGKILL)",
        11 => " (SIGSEGV)",
        13 => " (SIGPIPE)",
        15 => " (SIGTERM)",
        _ => "",
    }
}

#[cfg(test)]
mod tests;
