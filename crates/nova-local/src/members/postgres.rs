//! PostgreSQL under Patroni: what Patroni is told on every start, what it bootstraps a new cluster with, and the
//! settings that it keeps in etcd, where a later deploy changes them.

use std::time::Duration;

use nova_platform::endpoints::HostPort;
use nova_platform::patroni_settings::{REST_USER, shared_settings};
use nova_platform::spec::Spec;
use nova_platform::topology::{Kind, Member};
use serde_json::{Value, json};

use super::{PlanError, Site, address, base_plan, file, once};
use crate::plan::MemberPlan;

pub(super) fn plan(site: &Site<'_>, member: &Member) -> Result<MemberPlan, PlanError> {
    let spec = &site.spec.postgres;
    let node = address(site.spec, member);
    let mut plan = base_plan(member, &site.programs.patroni);
    plan.args = vec!["patroni".to_owned()];
    // Patroni merges the files of its directory in this order. The bootstrap settings count for a new cluster only; in a
    // file of their own that is written once, a change of them neither restarts Patroni nor is lost: see `patroni_settings`.
    plan.files = vec![
        once("patroni/1-bootstrap.yml", to_yaml(&bootstrap(site.spec))),
        file("patroni/2-member.yml", to_yaml(&member_config(site, member, &node)?)),
    ];
    plan.directories = vec!["patroni".into(), "data".into()];
    plan.ports = vec![HostPort::new(&node, spec.port), HostPort::new(&node, spec.patroni_port)];
    // What else Patroni starts (pg_basebackup, pg_rewind) must not go on without it; PostgreSQL may, and is taken over.
    plan.children = vec!["postgres".to_owned()];
    plan.stop_grace = Duration::from_secs(30);
    Ok(plan)
}

fn bootstrap(spec: &Spec) -> Value {
    json!({ "bootstrap": {
        "dcs": shared_settings(spec),
        "initdb": [{ "encoding": "UTF8" }, { "locale": "C.UTF-8" }, { "auth": "scram-sha-256" }, "data-checksums"],
    }})
}

fn member_config(site: &Site<'_>, member: &Member, node: &str) -> Result<Value, PlanError> {
    let spec = &site.spec.postgres;
    let directory = site.member_dir(&member.name);
    let user = |name: &str, secret: &str| -> Result<Value, PlanError> {
        Ok(json!({ "username": name, "password": site.secret(secret)? }))
    };
    let rest = HostPort::new(node, spec.patroni_port).to_string();
    let server = HostPort::new(node, spec.port).to_string();
    let etcd = site.host_ports(Kind::Etcd, site.spec.etcd.client_port);
    Ok(json!({
        "scope": site.spec.platform.name,
        "name": member.name,
        "log": { "level": "INFO", "deduplicate_heartbeat_logs": true, "format": "%(asctime)s %(levelname)s: %(message)s" },
        "restapi": {
            "listen": rest,
            "connect_address": rest,
            "authentication": { "username": REST_USER, "password": site.secret("patroni-rest")? },
        },
        "etcd3": { "hosts": etcd.iter().map(ToString::to_string).collect::<Vec<_>>() },
        "postgresql": {
            "listen": server,
            "connect_address": server,
            "data_dir": directory.join("data/pg"),
            "bin_dir": site.programs.postgres_bin_dir,
            "pgpass": directory.join("pgpass"),
            "authentication": {
                "superuser": user("postgres", "postgres-superuser")?,
                "replication": user("nova_replication", "postgres-replication")?,
                "rewind": user("nova_rewind", "postgres-rewind")?,
            },
            "basebackup": [{ "checkpoint": "fast" }],
            "parameters": {
                // No socket: its path is limited to 107 bytes, and a state directory may be longer than that.
                "unix_socket_directories": "",
                "logging_collector": "off",
                "log_destination": "stderr",
                "log_line_prefix": "%m [%p] %q%u@%d ",
                "log_checkpoints": "off",
                // A statement may carry a password.
                "log_statement": "none",
                "log_min_error_statement": "panic",
                "cluster_name": member.name,
            },
            "pg_hba": hba(site.spec),
        },
    }))
}

/// Who may connect: by password only, from the nodes and the gateway only.
fn hba(spec: &Spec) -> Vec<String> {
    let nodes = format!("{}.0/24", spec.local.network);
    let gateway = format!("{}/32", spec.local.gateway_address);
    // Whatever loopback address a client connects to, the kernel gives it this one as its own.
    vec![
        format!("host replication nova_replication {nodes} scram-sha-256"),
        format!("host all all {nodes} scram-sha-256"),
        "host replication nova_replication 127.0.0.1/32 scram-sha-256".to_owned(),
        "host all all 127.0.0.1/32 scram-sha-256".to_owned(),
        format!("host all all {gateway} scram-sha-256"),
    ]
}

/// JSON is YAML.
fn to_yaml(value: &Value) -> String {
    format!("{value:#}\n")
}
