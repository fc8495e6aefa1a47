//! A service of Nova: one entry of the description.

use std::time::Duration;

use super::facts::{Facts, Group, Sizes, Stop};
use super::{Area, BudgetKey, ComponentId, DrillDoor, DrillFacts, Kind, Port, Stage};
use crate::key::Key;
use crate::spec::Spec;

/// The service that signs everybody's tokens.
pub const ISSUER: &str = "auth-service";
/// The service that is told of deleted accounts.
pub const USERS: &str = "user-service";
/// The service that publishes events.
pub const PUBLISHER: &str = "cdc-service";
/// A service's operations (probes, metrics) listen on its API port plus this.
pub const OPERATIONS_OFFSET: u16 = 1000;

/// In a cluster, of the 30 seconds that a pod has to end: it is still sent requests at first, then it finishes those that it has, and
/// what is left is for the process to be gone by itself.
const LINGER: u16 = 5;
const DRAIN: u16 = 20;
const RESERVE: u16 = 5;

pub(super) static FACTS: Facts = ANY;

/// The one that keeps posts, which a drill's clients write.
static OF_USERS: Facts = Facts {
    drill: Some(DRILL),
    ..ANY
};

const ANY: Facts = Facts {
    // They stand in the description.
    needs: &[],
    groups: |spec, id| {
        let members = spec.services.get(id.as_str()).map_or(0, |service| service.members);
        vec![Group::new(Kind::Service, id.as_str(), members)]
    },
    ports,
    roles: false,
    leads: None,
    keeps_data: false,
    managed: &[],
    // Its own and no other's: see `config::service::secrets_of`.
    secrets: &[],
    given: &[],
    callers: &[],
    served: &[],
    area: Area::Services,
    programs: &[],
    // One of its own name: see `nova_kubernetes::images`.
    image: None,
    rendered: "microservices-deployments.yaml",
    removal: Stage::Services,
    stop: Stop {
        here: Duration::from_secs(30),
        linger: LINGER,
        grace: LINGER + DRAIN + RESERVE,
    },
    met: |endpoints, id| {
        let service = endpoints.services.get(id.as_str());
        service
            .and_then(|service| service.gateway.as_ref())
            .map(|gateway| ("api", format!("http://{gateway}")))
            .into_iter()
            .collect()
    },
    // One of its own name.
    cluster_doors: &[],
    sizes: &[
        // What one without an entry of its own would have.
        Sizes {
            kind: Kind::Service,
            requests: [250, 256],
            limits: [1000, 512],
        },
    ],
    shell: None,
    drill: Some(DrillFacts {
        doors: &[DrillDoor::Requests],
        ..DRILL
    }),
};

const DRILL: DrillFacts = DrillFacts {
    doors: &[DrillDoor::Posts],
    budget: Some(BudgetKey::Service),
    cut_off: true,
    disk_full: false,
    switchover: None,
};

pub(super) fn facts(name: &str) -> &'static Facts {
    if name == USERS { &OF_USERS } else { &FACTS }
}

fn ports(spec: &Spec, id: &ComponentId) -> Vec<Port> {
    let Some(service) = spec.services.get(id.as_str()) else {
        return Vec::new();
    };
    let port = |name, what, number| Port {
        key: Key::service(id.as_str()).child("port"),
        ..Port::new(Kind::Service, name, what, "", number)
    };
    let operations = service.port.checked_add(OPERATIONS_OFFSET);
    let operations = operations.map(|number| port("operations", " (operations, 1000 above its port)", number));
    std::iter::once(port("api", "", service.port))
        .chain(operations)
        .collect()
}
