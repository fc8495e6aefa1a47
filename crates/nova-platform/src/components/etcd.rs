//! etcd, which remembers who leads PostgreSQL.

use std::time::Duration;

use super::facts::{Caller, Facts, Group, InCluster, Shell, Sizes, Stop, join};
use super::{Area, DrillDoor, DrillFacts, Holds, Image, Kind, Packaged, Port, Program, Stage};

pub(super) static FACTS: Facts = Facts {
    needs: &[],
    groups: |spec, _| vec![Group::new(Kind::Etcd, "etcd", spec.etcd.members)],
    ports: |spec, _| {
        let port = |name, what, key, number| Port::new(Kind::Etcd, name, what, key, number);
        vec![
            port("client", " (clients)", "etcd.client_port", spec.etcd.client_port),
            port("peer", " (peers)", "etcd.peer_port", spec.etcd.peer_port),
        ]
    },
    roles: true,
    leads: Some("leader"),
    keeps_data: true,
    managed: &[],
    secrets: &[],
    given: &[],
    callers: &[
        // A member that starts asks the others as a client what has become of the cluster.
        call("etcd", &["client", "peer"]),
        call("postgres", &["client"]),
        // The agent proves that each store works, by a write and a read, and asks members for their roles.
        call("agent", &["client"]),
    ],
    served: &[],
    area: Area::Database,
    programs: &[Program::Packaged(Packaged {
        name: "etcd",
        program: "etcd",
        version_flag: "--version",
        introductions: &["etcd Version: "],
        at_least: [3, 4],
        why: "it holds Patroni's leader key",
        package: "etcd-server",
    })],
    image: Some(Image {
        name: "etcd",
        containerfile: include_str!("../../../../deploy/images/etcd/Containerfile"),
        starter: "nova-member",
        holds: Holds::Nothing,
    }),
    rendered: "postgres-ha-statefulset.yaml",
    removal: Stage::Etcd,
    stop: Stop {
        here: Duration::from_secs(10),
        // On a drained node PostgreSQL hands over meanwhile, by what is kept here.
        linger: 5,
        grace: 30,
    },
    met: |endpoints, _| vec![("clients", format!("http://{}", join(&endpoints.of(Kind::Etcd))))],
    cluster_doors: &[],
    sizes: &[Sizes {
        kind: Kind::Etcd,
        requests: [250, 128],
        limits: [500, 512],
    }],
    shell: Some(Shell {
        here: |endpoints| {
            let at = endpoints
                .of(Kind::Etcd)
                .into_iter()
                .next()
                .map(|member| member.address.to_string());
            format!(
                "ETCDCTL_API=3 etcdctl --endpoints http://{} endpoint status --cluster -w table",
                at.unwrap_or_default()
            )
        },
        in_cluster: InCluster::Forward {
            port: |spec| spec.etcd.client_port,
            then: |port| format!("etcdctl --endpoints http://127.0.0.1:{port} member list"),
        },
    }),
    drill: Some(DrillFacts {
        doors: &[DrillDoor::Postgres],
        budget: None,
        cut_off: true,
        disk_full: true,
        switchover: None,
    }),
};

const fn call(from: &'static str, ports: &'static [&'static str]) -> Caller {
    Caller {
        from,
        to: Kind::Etcd,
        ports,
    }
}
