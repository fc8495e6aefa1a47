//! The agent, which runs the checks inside the cluster. It listens on the pod's loopback only: nobody in the cluster reaches
//! it, and the tool comes through the API server.

use nova_platform::components::ComponentId;
use std::collections::BTreeMap;

use super::{Ask, Form, Probe, Probes, Workload, image};
use crate::agent::NAME;
use crate::names::Area;
use crate::profile::Profile;
use crate::resources::secret_layout::ALL_SECRETS;

const MEMBERS: u16 = 2;
/// Seconds between two looks at whether it lives: it is used now and then, and by a tool that has another one then.
const SELDOM: u16 = 30;
const PROGRAM: &str = "/usr/local/bin/nova";

pub(super) fn workload(profile: Profile) -> Workload {
    // The kubelet cannot connect to a pod's loopback; the program asks itself.
    let probe = || Ask::Exec([PROGRAM, "agent", "--probe"].map(str::to_owned).into());
    Workload {
        name: NAME.to_owned(),
        component: ComponentId::Agent,
        area: Area::System,
        image: image(&ComponentId::Agent),
        command: [PROGRAM, "agent"].map(str::to_owned).into(),
        env: BTreeMap::new(),
        // Declared ports are those that the cluster may use: none.
        ports: Vec::new(),
        probes: Probes {
            startup: Probe::startup(probe()),
            // Each costs a start of the program.
            readiness: Probe {
                period: SELDOM,
                ..Probe::readiness(probe())
            },
            liveness: Probe {
                period: SELDOM,
                ..Probe::liveness(probe())
            },
        },
        config: BTreeMap::new(),
        config_once: &[],
        secret: Some(ALL_SECRETS.to_owned()),
        scratch: Vec::new(),
        exceptions: &[(
            "pod-probes-identical",
            "the agent depends on nothing and keeps nothing: it is ready when it is alive",
        )],
        sizes: profile.of_agent(),
        members: MEMBERS,
        form: Form::Stateless { members_max: MEMBERS },
        linger: 5,
        grace: 30,
    }
}
