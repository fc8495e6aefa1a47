//! Each rule of the Kubernetes target seen to fire, with the settings that it points at.

#![allow(clippy::unwrap_used, reason = "a failing unwrap is a failing test")]

use crate::load::{load, parse};
use crate::spec::{CredentialsSpec, KubernetesSpec, ServiceSpec, Spec};
use crate::units::Size;
use crate::validate::validate;

/// Each problem as "keys: message".
fn problems(change: impl FnOnce(&mut Spec)) -> Vec<String> {
    let mut spec = load(None).unwrap().spec;
    change(&mut spec);
    let told = |problem: &crate::validate::Problem| {
        let keys: Vec<String> = problem.keys.iter().map(ToString::to_string).collect();
        format!("{}: {}", keys.join(" "), problem.message)
    };
    validate(&spec).problems.iter().map(told).collect()
}

fn kubernetes(change: impl FnOnce(&mut KubernetesSpec)) -> Vec<String> {
    problems(|spec| change(&mut spec.kubernetes))
}

fn credentials(change: impl FnOnce(&mut CredentialsSpec)) -> Vec<String> {
    problems(|spec| change(&mut spec.kubernetes.credentials))
}

fn auth(change: impl FnOnce(&mut ServiceSpec)) -> Vec<String> {
    problems(|spec| change(spec.services.get_mut("auth-service").unwrap()))
}

fn megabytes(number: u64) -> Size {
    Size(number << 20)
}

#[test]
fn credentials_are_given_whole_or_not_at_all() {
    let file = || "/etc/a-file".to_owned();
    assert_eq!(
        credentials(|all| all.apns_key_file = file()),
        [
            "kubernetes.credentials.apns_key_id kubernetes.credentials.apns_team_id: the credentials of APNs are half \
             given: apns_key_id, apns_team_id is missing"
        ]
    );
    assert_eq!(
        credentials(|all| all.turn_url = "turn:example.org".to_owned()),
        [
            "kubernetes.credentials.turn_secret_file: the credentials of TURN are half given: turn_secret_file is missing"
        ]
    );
    assert_eq!(
        credentials(|all| all.tls_key_file = file()),
        [
            "kubernetes.credentials.tls_certificate_file: the credentials of TLS are half given: tls_certificate_file is \
             missing"
        ]
    );
    // One group says nothing about another.
    let whole = |all: &mut CredentialsSpec| (all.tls_key_file, all.tls_certificate_file) = (file(), file());
    assert_eq!(credentials(whole), [""; 0]);
}

#[test]
fn a_half_given_credential_is_shown_at_the_setting_that_is_missing() {
    let text = "[kubernetes.credentials]\nturn_url = \"turn:example.org\"\nturn_secret_file = \"\"\n";
    let error = parse(text, "nova.toml").expect_err("this must be refused");
    let lines: Vec<_> = error.problems().filter_map(crate::load::Reported::line).collect();
    assert_eq!(lines, [3]);
}

#[test]
fn volumes_and_memory_are_whole_megabytes_of_a_useful_size() {
    for (size, is_good) in [
        (Size(0), false),
        (megabytes(63), false),
        (megabytes(64), true),
        (Size((64 << 20) + 1), false),
        (Size(64 << 40), true),
        (Size((64 << 40) + (1 << 20)), false),
        (Size(u64::MAX), false),
    ] {
        let told = kubernetes(|all| all.volumes.sentinel = size);
        assert_eq!(told.is_empty(), is_good, "{size} {told:?}");
        assert!(
            told.iter()
                .all(|told| told.starts_with("kubernetes.volumes.sentinel: ") && told.contains("from 64MB to 65536GB")),
            "{told:?}"
        );
    }
    assert_eq!(auth(|auth| auth.memory = megabytes(16)), [""; 0]);
    let told = auth(|auth| auth.memory = megabytes(15));
    assert!(told[0].starts_with("services.auth-service.memory: "), "{told:?}");
    let told = auth(|auth| auth.memory_limit = Size(1));
    assert!(
        told[0].starts_with("services.auth-service.memory_limit: ")
            && told[1].starts_with("services.auth-service.memory services.auth-service.memory_limit: "),
        "{told:?}"
    );
}

#[test]
fn a_member_cannot_ask_for_more_than_its_limit() {
    assert_eq!(
        auth(|auth| (auth.cpu, auth.cpu_limit) = (501, 500)),
        [
            "services.auth-service.cpu services.auth-service.cpu_limit: cpu is 501: a member cannot ask for more than its \
             limit, 500"
        ]
    );
    assert_eq!(auth(|auth| (auth.cpu, auth.cpu_limit) = (500, 500)), [""; 0]);
    assert_eq!(
        auth(|auth| (auth.memory, auth.memory_limit) = (megabytes(65), megabytes(64))),
        [
            "services.auth-service.memory services.auth-service.memory_limit: memory is 65MB: a member cannot ask for more \
             than its limit, 64MB"
        ]
    );
    for cpu in [0, 9, 256_001] {
        let told = auth(|auth| (auth.cpu, auth.cpu_limit) = (10, cpu));
        assert!(
            told[0].starts_with("services.auth-service.cpu_limit: "),
            "{cpu} {told:?}"
        );
    }
}

#[test]
fn members_are_not_raised_beyond_what_the_tool_answers_for() {
    let many = |members_max: u16| {
        problems(move |spec| {
            spec.postgres.max_connections = 5000;
            spec.services.get_mut("auth-service").unwrap().members_max = members_max;
        })
    };
    assert_eq!(many(100), [""; 0]);
    assert_eq!(
        many(101),
        ["services.auth-service.members_max: services.auth-service.members_max is 101: it must be at most 100"]
    );
    // As shipped, PostgreSQL would not accept the connections of so many.
    let told = auth(|auth| auth.members_max = 100);
    assert!(told[0].contains("once load has raised"), "{told:?}");
}

#[test]
fn names_are_those_that_a_cluster_accepts() {
    for domain in [
        "",
        "cluster..local",
        "Cluster.local",
        "-a.local",
        "a_b",
        "cluster.local.",
    ] {
        let told = kubernetes(|all| all.cluster_domain = domain.to_owned());
        assert_eq!(
            told,
            [format!(
                "kubernetes.cluster_domain: {domain:?} is not a DNS domain such as \"cluster.local\""
            )]
        );
    }
    assert_eq!(
        kubernetes(|all| all.cluster_domain = "k8s.example.org".to_owned()),
        [""; 0]
    );
    assert_eq!(
        kubernetes(|all| all.cluster_domain = vec!["a"; 101].join(".")).len(),
        1,
        "names in it must stay below 253 characters"
    );
    let told = kubernetes(|all| all.storage_class = "Fast Disks".to_owned());
    assert!(told[0].starts_with("kubernetes.storage_class: "), "{told:?}");
    for registry in ["registry.example.org/", "https://a b", "Registry.example.org"] {
        let told = kubernetes(|all| all.registry = registry.to_owned());
        assert!(told[0].starts_with("kubernetes.registry: "), "{registry} {told:?}");
    }
    assert_eq!(
        kubernetes(|all| all.registry = "localhost:5000/team".to_owned()),
        [""; 0]
    );
    let told = kubernetes(|all| all.image_load = vec![String::new()]);
    assert!(told[0].starts_with("kubernetes.image_load: "), "{told:?}");
}
