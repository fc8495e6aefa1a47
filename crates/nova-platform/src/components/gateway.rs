//! The gateway: HAProxy with the doors to PostgreSQL and to every public service.

use std::borrow::Cow;
use std::time::Duration;

use super::facts::{Facts, Group, Sizes, Stop};
use super::{Area, ComponentId, DrillDoor, DrillFacts, Holds, Image, Kind, Packaged, Port, Program, Stage};
use crate::key::Key;
use crate::spec::Spec;

/// Where a gateway that is asked for its health says that it is up: on a cluster, beside its doors.
pub const HEALTH_PORT: u16 = 8404;

pub(super) static FACTS: Facts = Facts {
    needs: &[ComponentId::Postgres],
    groups: |_, _| vec![Group::new(Kind::Gateway, "gateway", 1)],
    ports,
    roles: false,
    leads: None,
    keeps_data: false,
    managed: &[],
    secrets: &[],
    given: &[],
    // Everyone comes through its doors: to PostgreSQL who uses that, to a service who calls it.
    callers: &[],
    served: &[],
    area: Area::Database,
    programs: &[Program::Packaged(Packaged {
        name: "HAProxy",
        program: "haproxy",
        version_flag: "-v",
        introductions: &["HAProxy version ", "HA-Proxy version "],
        at_least: [2, 6],
        why: "it is the gateway",
        package: "haproxy",
    })],
    image: Some(Image {
        name: "haproxy",
        containerfile: include_str!("../../../../deploy/images/haproxy/Containerfile"),
        starter: "nova-member",
        holds: Holds::Nothing,
    }),
    rendered: "postgres-ha-statefulset.yaml",
    removal: Stage::Gateway,
    stop: Stop {
        // Here SIGTERM ends it at once: there is no other gateway, and its soft stop would wait for the services' long-lived connections
        // to PostgreSQL.
        here: Duration::from_secs(3),
        linger: 5,
        grace: 30,
    },
    // PostgreSQL's addresses and the services' are its own.
    met: |_, _| Vec::new(),
    // One a door and one a service, each under the name that is looked for there.
    cluster_doors: &[],
    sizes: &[Sizes {
        kind: Kind::Gateway,
        requests: [250, 64],
        limits: [500, 256],
    }],
    shell: None,
    drill: Some(DrillFacts {
        doors: &[DrillDoor::Postgres, DrillDoor::Posts],
        budget: None,
        // It stands on the users' side.
        cut_off: false,
        disk_full: false,
        switchover: None,
    }),
};

fn ports(spec: &Spec, _: &ComponentId) -> Vec<Port> {
    let port = |name, what, key, number| Port::new(Kind::Gateway, name, what, key, number);
    let gateway = &spec.gateway;
    let mut all = vec![
        port(
            "primary",
            "PostgreSQL's leader",
            "gateway.primary_port",
            gateway.primary_port,
        ),
        port(
            "replicas",
            "PostgreSQL's replicas",
            "gateway.replicas_port",
            gateway.replicas_port,
        ),
        Port {
            only_in_cluster: true,
            ..port("health", "its own health", "gateway", HEALTH_PORT)
        },
    ];
    all.extend(spec.public_services().map(|(name, service)| Port {
        // Not the service's name, which may be longer than 15 letters.
        name: Cow::Owned(format!("http-{}", service.port)),
        what: Cow::Owned(name.clone()),
        key: Key::service(name).child("port"),
        ..port("", "", "", service.port)
    }));
    all
}
