//! What a member is started with, part by part, so that a difference has a name.

use std::collections::BTreeMap;
use std::path::Path;

use nova_platform::spec::Spec;
use sha2::{Digest, Sha256};

use crate::plan::MemberPlan;
use crate::supervisor::Launch;

/// Hashes of everything whose change needs a restart, by the name that people know it by.
///
/// `helper` is the copy of `nova` that some members start through; it turns into their real program, so another build
/// of it is no change. Files that a program rewrites itself do not count.
pub(super) fn parts(plan: &MemberPlan, helper: &Path) -> BTreeMap<String, String> {
    let helper = helper.to_string_lossy();
    let steady = |text: &str| {
        if helper.is_empty() {
            text.to_owned()
        } else {
            text.replace(&*helper, "nova")
        }
    };
    let mut parts = BTreeMap::from([
        ("program".to_owned(), hash([steady(&plan.program.to_string_lossy())])),
        ("arguments".to_owned(), hash(plan.args.iter().map(|arg| steady(arg)))),
        (
            "environment".to_owned(),
            hash(plan.env.iter().map(|(name, value)| format!("{name}={}", steady(value)))),
        ),
    ]);
    let files = plan.files.iter().filter(|file| !file.once && !file.at_start);
    parts.extend(files.map(|file| (file.path.to_string_lossy().into_owned(), hash([&file.content]))));
    parts
}

/// The names of the parts that differ.
pub(super) fn difference(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) -> Vec<String> {
    let names: std::collections::BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    names
        .into_iter()
        .filter(|name| before.get(*name) != after.get(*name))
        .cloned()
        .collect()
}

/// The order to the supervisor.
pub(super) fn launch(plan: &MemberPlan, spec: &Spec, helper: &Path) -> Launch {
    Launch {
        member: plan.name.clone(),
        component: plan.component.clone(),
        node: plan.node.clone(),
        program: plan.program.clone(),
        args: plan.args.clone(),
        env: plan.env.clone(),
        ports: plan.ports.iter().map(|port| (port.host.clone(), port.port)).collect(),
        children: plan.children.clone(),
        leader_key: plan.leader_key.clone(),
        postgres: plan.postgres.clone(),
        redis: plan.redis.clone(),
        kafka: plan.kafka.clone(),
        sentinel: plan.sentinel.clone(),
        etcd: plan.etcd.clone(),
        stop_signal: plan.stop_signal,
        stop_grace_ms: u64::try_from(plan.stop_grace.as_millis()).unwrap_or(u64::MAX),
        restart_backoff_ms: spec.local.restart_backoff.as_millis(),
        restart_backoff_max_ms: spec.local.restart_backoff_max.as_millis(),
        log_max_bytes: spec.local.log_max_size.bytes(),
        parts: parts(plan, helper),
    }
}

/// Each item with its length, so that no two lists look alike.
fn hash<T: AsRef<str>>(items: impl IntoIterator<Item = T>) -> String {
    let mut digest = Sha256::new();
    for item in items {
        let item = item.as_ref().as_bytes();
        digest.update((item.len() as u64).to_le_bytes());
        digest.update(item);
    }
    short_hex(&digest.finalize())
}

/// The first half of a hash, in hexadecimal digits.
pub(super) fn short_hex(hash: &[u8]) -> String {
    hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::{difference, parts};
    use crate::plan::{MemberPlan, PlannedFile, StopSignal};
    use std::path::Path;

    fn plan() -> MemberPlan {
        MemberPlan {
            name: "redis-1".into(),
            component: "redis".into(),
            node: "node-1".into(),
            program: "/state/bin/nova-aaa".into(),
            args: vec!["member".into(), "redis".into()],
            env: [("LANG".to_owned(), "C".to_owned())].into(),
            files: vec![
                PlannedFile {
                    path: "base.conf".into(),
                    content: "maxmemory 1".into(),
                    once: false,
                    at_start: false,
                },
                PlannedFile {
                    path: "redis.conf".into(),
                    content: "include base.conf".into(),
                    once: true,
                    at_start: false,
                },
            ],
            directories: Vec::new(),
            ports: Vec::new(),
            children: Vec::new(),
            leader_key: None,
            postgres: None,
            redis: None,
            kafka: None,
            sentinel: None,
            etcd: None,
            stop_signal: StopSignal::Term,
            stop_grace: std::time::Duration::from_secs(1),
        }
    }

    #[test]
    fn a_difference_has_a_name() {
        let helper = Path::new("/state/bin/nova-aaa");
        let before = parts(&plan(), helper);
        assert!(difference(&before, &parts(&plan(), helper)).is_empty());
        let mut after = plan();
        after.files[0].content = "maxmemory 2".into();
        after.args.push("--quiet".into());
        assert_eq!(difference(&before, &parts(&after, helper)), ["arguments", "base.conf"]);
        assert_eq!(
            difference(&before, &Default::default()),
            ["arguments", "base.conf", "environment", "program"]
        );
    }

    #[test]
    fn a_file_that_its_program_rewrites_and_another_build_of_the_helper_are_no_difference() {
        let before = parts(&plan(), Path::new("/state/bin/nova-aaa"));
        let mut after = plan();
        after.files[1].content = "something else".into();
        after.program = "/state/bin/nova-bbb".into();
        assert!(difference(&before, &parts(&after, Path::new("/state/bin/nova-bbb"))).is_empty());
    }

    #[test]
    fn moving_text_between_arguments_is_a_difference() {
        let mut one = plan();
        one.args = vec!["ab".into(), "c".into()];
        let mut other = plan();
        other.args = vec!["a".into(), "bc".into()];
        assert_ne!(parts(&one, Path::new("")), parts(&other, Path::new("")));
    }
}
