//! PostgreSQL under Patroni.

use std::time::Duration;

use super::facts::{Caller, Facts, Group, InCluster, Served, Shell, Sizes, Stop};
use super::{
    Area, BudgetKey, ComponentId, DrillDoor, DrillFacts, Holds, Image, Kind, Packaged, Port, Program, Stage, Switchover,
};

/// PostgreSQL itself and Patroni's REST API.
const BOTH: &[&str] = &["postgres", "patroni"];

pub(super) static FACTS: Facts = Facts {
    needs: &[ComponentId::Etcd],
    groups: |spec, _| vec![Group::new(Kind::Postgres, "postgres", spec.postgres.members)],
    ports: |spec, _| {
        let port = |name, what, key, number| Port::new(Kind::Postgres, name, what, key, number);
        vec![
            port("postgres", "", "postgres.port", spec.postgres.port),
            port(
                "patroni",
                " (Patroni)",
                "postgres.patroni_port",
                spec.postgres.patroni_port,
            ),
        ]
    },
    roles: true,
    leads: Some("leader"),
    keeps_data: true,
    // What else Patroni starts (pg_basebackup, pg_rewind) must not go on without it; PostgreSQL may, and is taken over.
    managed: &["postgres"],
    secrets: &[
        "postgres-superuser",
        "postgres-replication",
        "postgres-rewind",
        "patroni-rest",
    ],
    given: &[],
    callers: &[
        // Replicas follow the leader, and Patronis ask each other before a failover and while etcd is gone.
        call("postgres"),
        call("gateway"),
        call("agent"),
    ],
    // Services come through the gateway.
    served: &[Served {
        of: ComponentId::Gateway,
        to: Kind::Gateway,
        ports: &["primary", "replicas"],
    }],
    area: Area::Database,
    programs: &[
        Program::Postgres(Packaged {
            name: "PostgreSQL",
            program: "postgres",
            version_flag: "--version",
            introductions: &["postgres (PostgreSQL) "],
            at_least: [15, 0],
            why: "accounts, profiles and posts live in it",
            package: "postgresql",
        }),
        Program::Patroni,
    ],
    image: Some(Image {
        name: "postgres",
        containerfile: include_str!("../../../../deploy/images/postgres/Containerfile"),
        starter: "nova-member",
        holds: Holds::PatroniWheels,
    }),
    rendered: "postgres-ha-statefulset.yaml",
    removal: Stage::Postgres,
    stop: Stop {
        here: Duration::from_secs(30),
        linger: 1,
        grace: 60,
    },
    met: |endpoints, _| {
        vec![
            ("primary", format!("postgres://{}", endpoints.primary)),
            ("replicas", format!("postgres://{}", endpoints.replicas)),
        ]
    },
    cluster_doors: &[],
    sizes: &[Sizes {
        kind: Kind::Postgres,
        requests: [500, 512],
        limits: [1000, 1024],
    }],
    shell: Some(Shell {
        here: |endpoints| {
            let primary = &endpoints.primary;
            format!(
                "PGPASSWORD=$(./nova secrets show postgres-superuser) psql -h {} -p {} -U postgres nova_core",
                primary.host, primary.port
            )
        },
        in_cluster: InCluster::Exec(|spec| {
            format!(
                "sh -c 'PGPASSWORD=$(cat /secrets/postgres-superuser) /usr/lib/postgresql/17/bin/psql -h localhost -p {} -U postgres nova_core'",
                spec.postgres.port
            )
        }),
    }),
    drill: Some(DrillFacts {
        doors: &[DrillDoor::Postgres],
        budget: Some(BudgetKey::Postgres),
        cut_off: true,
        disk_full: true,
        switchover: Some(Switchover::Patroni),
    }),
};

const fn call(from: &'static str) -> Caller {
    Caller {
        from,
        to: Kind::Postgres,
        ports: BOTH,
    }
}
