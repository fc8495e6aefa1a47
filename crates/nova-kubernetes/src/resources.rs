//! From the description to every object of the cluster: pure functions, one kind of resource a file. Nothing here talks to a
//! cluster.

mod config_map;
mod deployment;
mod flows;
mod horizontal_pod_autoscaler;
mod limit_range;
mod metadata;
mod namespace;
mod network_policy;
mod placement;
mod pod;
mod pod_disruption_budget;
mod probes;
mod quantity;
mod resource_quota;
mod role;
pub mod secret_layout;
mod service;
mod service_account;
mod stateful_set;

use nova_platform::components::ComponentId;
use nova_platform::spec::Spec;
use serde::Serialize;
use serde_json::Value;

use crate::images::Images;
use crate::names::Area;
use crate::profile::Profile;
use crate::workloads::{Workload, workloads};

pub use secret_layout::{SecretLayout, SecretSource, secret_layout};

/// One object as it is applied.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    /// Whose it is. What is [`ComponentId::Foundation`]'s is applied first and removed last.
    pub component: ComponentId,
    /// The object, complete with `apiVersion` and `kind`; no nulls, no status.
    pub object: Value,
}

impl Manifest {
    fn new(component: &ComponentId, object: &impl Serialize) -> Self {
        Self {
            component: component.clone(),
            // The types leave out what is not set.
            object: serde_json::json!(object),
        }
    }
}

/// Every object but the Secrets (see [`secret_layout`]), in an order in which they can be applied.
#[must_use]
pub fn manifests(spec: &Spec, profile: Profile, images: &Images) -> Vec<Manifest> {
    let workloads = workloads(spec, profile);
    let mut all = foundation(spec, &workloads);
    for workload in &workloads {
        all.extend(of_workload(spec, workload, images));
    }
    all
}

/// What must be there before anything runs.
fn foundation(spec: &Spec, workloads: &[Workload]) -> Vec<Manifest> {
    let mut all = Vec::new();
    for area in Area::ALL {
        all.push(Manifest::new(
            &ComponentId::Foundation,
            &namespace::namespace(spec, area),
        ));
    }
    for area in Area::ALL {
        all.push(Manifest::new(
            &ComponentId::Foundation,
            &resource_quota::quota(spec, area, workloads),
        ));
        all.push(Manifest::new(
            &ComponentId::Foundation,
            &limit_range::limit_range(spec, area),
        ));
        all.extend(role::roles(spec, area).map(|role| Manifest::new(&ComponentId::Foundation, &role)));
    }
    all.push(Manifest::new(&ComponentId::Foundation, &role::cluster_role(spec)));
    let policies = network_policy::policies(spec, workloads);
    all.extend(
        policies
            .iter()
            .map(|policy| Manifest::new(&ComponentId::Foundation, policy)),
    );
    all
}

/// Everything that is made for one workload, what others refer to first.
fn of_workload(spec: &Spec, workload: &Workload, images: &Images) -> Vec<Manifest> {
    let component = &workload.component;
    let mut all = vec![Manifest::new(
        component,
        &service_account::service_account(spec, workload),
    )];
    all.extend(config_map::config_map(spec, workload).map(|map| Manifest::new(component, &map)));
    let services = service::services(spec, workload);
    all.extend(services.iter().map(|service| Manifest::new(component, service)));
    all.push(Manifest::new(component, &pod_disruption_budget::budget(spec, workload)));
    all.extend(stateful_set::stateful_set(spec, workload, images).map(|set| Manifest::new(component, &set)));
    all.extend(deployment::deployment(spec, workload, images).map(|set| Manifest::new(component, &set)));
    let scaler = horizontal_pod_autoscaler::autoscaler(spec, workload);
    all.extend(scaler.map(|scaler| Manifest::new(component, &scaler)));
    all
}
