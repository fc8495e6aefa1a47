//! What only the Kubernetes target uses: names, sizes, what a member asks for and may use, and credentials half given.

use crate::key::Key;
use crate::spec::{CredentialsSpec, KubernetesSpec, ServiceSpec, Spec, VolumesSpec};
use crate::units::Size;

use super::Findings;

const MB: Size = Size(1 << 20);
/// More than any one volume or member has a use for; a slip of the keyboard.
const HUGE: Size = Size(64 << 40);
/// Members of one service that the tool answers for.
const MOST_MEMBERS: u16 = 100;

pub(super) fn check(spec: &Spec, findings: &mut Findings) {
    let KubernetesSpec {
        context: _,
        profile: _,
        cluster_domain,
        storage_class,
        registry,
        image_load,
        volumes,
        credentials,
    } = &spec.kubernetes;
    let key = Key::new("kubernetes");
    if !is_domain(cluster_domain) {
        findings.problem(
            [key.child("cluster_domain")],
            format!("{cluster_domain:?} is not a DNS domain such as \"cluster.local\""),
        );
    }
    if !storage_class.is_empty() && !is_domain(storage_class) {
        findings.problem(
            [key.child("storage_class")],
            format!(
                "{storage_class:?} is not the name of a storage class: lower-case letters, digits, dashes and dots"
            ),
        );
    }
    let is_reference = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-/:".contains(c);
    if !registry.is_empty() && (!registry.chars().all(is_reference) || registry.ends_with('/')) {
        findings.problem(
            [key.child("registry")],
            format!("{registry:?} is not a registry and a path such as \"registry.example.org/team\""),
        );
    }
    if image_load.first().is_some_and(String::is_empty) {
        findings.problem([key.child("image_load")], "the command that loads an image has no name");
    }
    check_volumes(volumes, &key.child("volumes"), findings);
    check_credentials(credentials, &key.child("credentials"), findings);
    for (name, service) in &spec.services {
        check_service(service, &Key::service(name), findings);
    }
}

fn check_volumes(spec: &VolumesSpec, key: &Key, findings: &mut Findings) {
    let VolumesSpec {
        etcd,
        postgres,
        redis,
        sentinel,
        kafka,
    } = spec;
    for (name, size) in [
        ("etcd", etcd),
        ("postgres", postgres),
        ("redis", redis),
        ("sentinel", sentinel),
        ("kafka", kafka),
    ] {
        size_of(&key.child(name), *size, Size(64 * MB.0), findings);
    }
}

fn check_credentials(spec: &CredentialsSpec, key: &Key, findings: &mut Findings) {
    for (group, settings) in groups(spec) {
        let given = settings.iter().filter(|(_, value)| !value.is_empty()).count();
        if given == 0 || given == settings.len() {
            continue;
        }
        let missing: Vec<&str> = settings
            .iter()
            .filter(|(_, value)| value.is_empty())
            .map(|(name, _)| *name)
            .collect();
        findings.problem(
            missing.iter().map(|name| key.child(name)),
            format!(
                "the credentials of {group} are half given: {} is missing",
                missing.join(", ")
            ),
        );
    }
}

/// The groups of credentials, each with its settings; those of one group are given together or not at all.
fn groups(spec: &CredentialsSpec) -> [(&'static str, Vec<(&'static str, &str)>); 3] {
    let CredentialsSpec {
        apns_key_file,
        apns_key_id,
        apns_team_id,
        turn_url,
        turn_secret_file,
        tls_certificate_file,
        tls_key_file,
    } = spec;
    [
        (
            "APNs",
            vec![
                ("apns_key_file", apns_key_file),
                ("apns_key_id", apns_key_id),
                ("apns_team_id", apns_team_id),
            ],
        ),
        (
            "TURN",
            vec![("turn_url", turn_url), ("turn_secret_file", turn_secret_file)],
        ),
        (
            "TLS",
            vec![
                ("tls_certificate_file", tls_certificate_file),
                ("tls_key_file", tls_key_file),
            ],
        ),
    ]
}

fn check_service(spec: &ServiceSpec, key: &Key, findings: &mut Findings) {
    if spec.members_max > MOST_MEMBERS {
        let key = key.child("members_max");
        let message = format!("{key} is {}: it must be at most {MOST_MEMBERS}", spec.members_max);
        findings.problem([key], message);
    }
    for (name, value) in [("cpu", spec.cpu), ("cpu_limit", spec.cpu_limit)] {
        if !(10..=256_000).contains(&value) {
            let key = key.child(name);
            let message = format!("{key} is {value}: thousandths of a core, from 10 to 256000");
            findings.problem([key], message);
        }
    }
    if spec.cpu > spec.cpu_limit {
        findings.problem(
            [key.child("cpu"), key.child("cpu_limit")],
            format!(
                "cpu is {}: a member cannot ask for more than its limit, {}",
                spec.cpu, spec.cpu_limit
            ),
        );
    }
    size_of(&key.child("memory"), spec.memory, Size(16 * MB.0), findings);
    size_of(&key.child("memory_limit"), spec.memory_limit, Size(16 * MB.0), findings);
    if spec.memory > spec.memory_limit {
        findings.problem(
            [key.child("memory"), key.child("memory_limit")],
            format!(
                "memory is {}: a member cannot ask for more than its limit, {}",
                spec.memory, spec.memory_limit
            ),
        );
    }
}

fn size_of(key: &Key, size: Size, least: Size, findings: &mut Findings) {
    if size < least || size > HUGE || !size.bytes().is_multiple_of(MB.0) {
        let message = format!("{key} is {size}: it must be whole MB, from {least} to {HUGE}");
        findings.problem([key.clone()], message);
    }
}

fn is_domain(text: &str) -> bool {
    let is_label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
    };
    text.len() <= 200 && text.split('.').all(is_label)
}

#[cfg(test)]
mod tests;
