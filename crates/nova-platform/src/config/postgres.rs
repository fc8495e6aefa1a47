//! PostgreSQL under Patroni: what Patroni is told on every start and what it bootstraps a new cluster with. The settings that
//! the members share are kept in etcd, where a later deploy changes them: see [`crate::patroni_settings`].

use nova_member::leader_key::LeaderKey;
use serde_json::{Value, json};

use super::{Site, host_ports, members};
use crate::endpoints::HostPort;
use crate::patroni_settings::shared_settings;
use crate::spec::Spec;
use crate::topology::{Kind, Member};

/// Paths of one member.
#[derive(Debug, Clone, Copy)]
pub struct Paths<'a> {
    /// PostgreSQL's data directory, which Patroni makes.
    pub data_dir: &'a str,
    /// Directory of PostgreSQL's programs.
    pub bin_dir: &'a str,
    /// File in which Patroni keeps passwords for the programs that it runs.
    pub pgpass: &'a str,
}

/// What `nova_member` runs where it puts Patroni's files together (`start.json`): the path of Patroni's program, what the member holds
/// while it leads, and where those are met that it hands over to before it ends.
#[must_use]
pub fn start(site: &dyn Site, member: &Member, patroni: &str) -> Value {
    let port = site.spec().postgres.patroni_port;
    let patronis: Vec<Value> = members(site.spec(), Kind::Postgres)
        .iter()
        .map(|member| json!({ "member": member.name, "host": site.host(member), "port": port }))
        .collect();
    json!({ "patroni": patroni, "leader_key": leader_key(site, member), "patronis": patronis })
}

/// The key of a member's Patroni: its namespace is Patroni's default, its scope the platform's name.
#[must_use]
pub fn leader_key(site: &dyn Site, member: &Member) -> LeaderKey {
    let spec = site.spec();
    LeaderKey {
        etcd: host_ports(site, Kind::Etcd, spec.etcd.client_port),
        key: format!("/service/{}/leader", spec.platform.name),
        holder: member.name.clone(),
    }
}

/// `1-bootstrap.yml` (JSON is YAML): counts for a new cluster only.
#[must_use]
pub fn bootstrap(spec: &Spec) -> Value {
    json!({ "bootstrap": {
        "dcs": shared_settings(spec),
        "initdb": [{ "encoding": "UTF8" }, { "locale": "C.UTF-8" }, { "auth": "scram-sha-256" }, "data-checksums"],
    }})
}

/// `2-member.yml`, without passwords: those are `nova_member::postgres_start::passwords`, merged into it or in a file that Patroni
/// reads after it. `hba` says who may connect.
#[must_use]
pub fn member(site: &dyn Site, member: &Member, paths: &Paths<'_>, hba: Vec<String>) -> Value {
    let spec = &site.spec().postgres;
    let (host, bind) = (site.host(member), site.bind(member));
    let at = |host: &str, port| HostPort::new(host, port).to_string();
    let etcd = host_ports(site, Kind::Etcd, site.spec().etcd.client_port);
    json!({
        "scope": site.spec().platform.name,
        "name": member.name,
        "log": { "level": "INFO", "deduplicate_heartbeat_logs": true, "format": "%(asctime)s %(levelname)s: %(message)s" },
        "restapi": {
            "listen": at(&bind, spec.patroni_port),
            "connect_address": at(&host, spec.patroni_port),
        },
        "etcd3": { "hosts": etcd.iter().map(ToString::to_string).collect::<Vec<_>>() },
        "postgresql": {
            // Patroni itself connects here, or to localhost when this is every address.
            "listen": at(&bind, spec.port),
            "connect_address": at(&host, spec.port),
            "data_dir": paths.data_dir,
            "bin_dir": paths.bin_dir,
            "pgpass": paths.pgpass,
            "basebackup": [{ "checkpoint": "fast" }],
            "before_stop": stop(paths),
            "parameters": {
                // No socket: its path is limited to 107 bytes, and a directory's may be longer than that.
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
            "pg_hba": hba,
        },
    })
}

/// What Patroni runs before it ends PostgreSQL: the same fast shutdown that it would ask for, but awaited. Patroni itself looks
/// once a second whether the server has ended, and waits another second before it gives its leader key up; when no process is left
/// by then, it does so at once. In this shutdown sessions end first, and then the server waits until its standbys have
/// everything, whoever asked for it. (`pg_ctl stop` looks every 100 ms only.)
fn stop(paths: &Paths<'_>) -> String {
    let quoted = [STOP, "sh", paths.data_dir].map(|text| format!("'{}'", text.replace('\'', r"'\''")));
    format!("sh -c {}", quoted.join(" "))
}

/// Three seconds; after that it is Patroni that waits. One program looks every 20 ms: a loop of the shell would start one each time.
const STOP: &str = r#"read -r pid < "$1/postmaster.pid" && kill -INT "$pid" &&
{ timeout 3 tail -s 0.02 --pid="$pid" -f /dev/null || :; }"#;
