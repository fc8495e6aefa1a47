//! PostgreSQL's servers, each under a Patroni.

use std::collections::BTreeMap;

use nova_platform::components::{ComponentId, facts};
use nova_platform::config::{self, postgres::Paths};
use nova_platform::spec::Spec;
use nova_platform::topology::Kind;
use nova_platform::units::Size;

use super::site::ClusterSite;
use super::{Ask, Form, Port, Probe, Probes, Scratch, Workload, image, nova_member, run_dir, tmp_dir};
use crate::names::Area;
use crate::profile::Profile;

const BOOTSTRAP: &str = "1-bootstrap.yml";
const DATA: &str = "/data/pg";
/// Its first line is the process id of a running server.
pub(crate) const PID_FILE: &str = "/data/pg/postmaster.pid";

pub(super) fn workload(spec: &Spec, profile: Profile) -> Workload {
    let patroni = spec.postgres.patroni_port;
    Workload {
        name: "postgres".to_owned(),
        component: ComponentId::Postgres,
        area: Area::of(Kind::Postgres),
        image: image(&ComponentId::Postgres),
        command: nova_member("postgres"),
        env: BTreeMap::new(),
        ports: Port::of(spec, &ComponentId::Postgres, Kind::Postgres),
        probes: Probes {
            startup: Probe::startup(Ask::Http("/liveness", patroni)),
            readiness: Probe::readiness(Ask::Http("/readiness", patroni)),
            liveness: Probe::liveness(Ask::Http("/liveness", patroni)),
        },
        config: config(spec),
        // Patroni keeps these settings in etcd, where a later deploy changes them without a restart.
        config_once: &[BOOTSTRAP],
        secret: Some("postgres".to_owned()),
        scratch: vec![run_dir(), tmp_dir(), shared_memory()],
        exceptions: &[],
        sizes: profile.of_kind(Kind::Postgres),
        members: spec.postgres.members,
        form: Form::Store {
            volume: spec.kubernetes.volumes.postgres,
            settle: 0,
        },
        linger: facts(&ComponentId::Postgres).stop.linger,
        // A leader hands over only when its last checkpoint is written.
        grace: facts(&ComponentId::Postgres).stop.grace,
    }
}

fn config(spec: &Spec) -> BTreeMap<String, String> {
    let site = ClusterSite(spec);
    let paths = Paths {
        data_dir: DATA,
        bin_dir: "/usr/lib/postgresql/17/bin",
        pgpass: "/run/nova/pgpass",
    };
    // Who can reach it at all is said by network policies; whoever does needs a password.
    let hba = || {
        vec![
            "host replication nova_replication all scram-sha-256".to_owned(),
            "host all all all scram-sha-256".to_owned(),
        ]
    };
    let own = config::members(spec, Kind::Postgres).into_iter().flat_map(|member| {
        let settings = config::postgres::member(&site, &member, &paths, hba());
        let start = config::postgres::start(&site, &member, "/opt/patroni/bin/patroni");
        [("2-member.yml", settings), ("start.json", start)]
            .map(|(file, content)| (format!("{}.{file}", member.name), content))
    });
    own.chain([(BOOTSTRAP.to_owned(), config::postgres::bootstrap(spec))])
        // JSON is YAML.
        .map(|(file, content)| (file, format!("{content:#}\n")))
        .collect()
}

/// A parallel query shares its rows there; what containers get without asking is 64 MiB, and the query fails at that.
const fn shared_memory() -> Scratch {
    Scratch {
        name: "shared-memory",
        path: "/dev/shm",
        size: Size(256 << 20),
        memory: true,
    }
}
