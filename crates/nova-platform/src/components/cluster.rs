//! What only a cluster has: the agent that runs the checks, and what no other component owns.

use std::time::Duration;

use super::facts::{Facts, Stop};
use super::{Area, Holds, Image, Stage};

pub(super) static AGENT: Facts = Facts {
    image: Some(Image {
        name: "nova",
        containerfile: include_str!("../../../../deploy/images/nova/Containerfile"),
        starter: "nova",
        holds: Holds::Nothing,
    }),
    rendered: "agent.yaml",
    // It is one of PostgreSQL's clients.
    removal: Stage::Gateway,
    ..NOTHING
};

pub(super) static FOUNDATION: Facts = Facts {
    rendered: "namespaces.yaml",
    ..NOTHING
};

const NOTHING: Facts = Facts {
    needs: &[],
    groups: |_, _| Vec::new(),
    ports: |_, _| Vec::new(),
    roles: false,
    leads: None,
    keeps_data: false,
    managed: &[],
    secrets: &[],
    given: &[],
    callers: &[],
    served: &[],
    area: Area::System,
    programs: &[],
    image: None,
    rendered: "",
    removal: Stage::Foundation,
    stop: Stop {
        here: Duration::ZERO,
        linger: 0,
        grace: 30,
    },
    met: |_, _| Vec::new(),
    cluster_doors: &[],
    sizes: &[],
    shell: None,
    drill: None,
};
