//! Quotas: what a namespace may use in all. Far enough above what the platform needs not to be in its way, near enough to end
//! what runs away.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{ResourceQuota, ResourceQuotaSpec};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use nova_platform::spec::Spec;

use super::deployment::SURGE;
use super::{metadata, quantity};
use crate::names::Area;
use crate::workloads::{Form, Workload};

pub(super) fn quota(spec: &Spec, area: Area, workloads: &[Workload]) -> ResourceQuota {
    let own: Vec<&Workload> = workloads.iter().filter(|workload| workload.area == area).collect();
    let sum = |amount: &dyn Fn(&Workload) -> u64| own.iter().map(|workload| amount(workload)).sum::<u64>();
    let pods = |amount: &dyn Fn(&Workload) -> u64| sum(&|workload| pods(workload) * amount(workload));
    let hard = [
        ("pods", quantity::count(pods(&|_| 1))),
        (
            "requests.cpu",
            quantity::millicores(pods(&|workload| workload.sizes.requests.cpu.into())),
        ),
        (
            "requests.memory",
            quantity::bytes(pods(&|workload| workload.sizes.requests.memory)),
        ),
        (
            "requests.ephemeral-storage",
            quantity::bytes(pods(&|workload| workload.sizes.requests.ephemeral)),
        ),
        (
            "limits.cpu",
            quantity::millicores(pods(&|workload| workload.sizes.limits.cpu.into())),
        ),
        (
            "limits.memory",
            quantity::bytes(pods(&|workload| workload.sizes.limits.memory)),
        ),
        (
            "limits.ephemeral-storage",
            quantity::bytes(pods(&|workload| workload.sizes.limits.ephemeral)),
        ),
        (
            "persistentvolumeclaims",
            quantity::count(sum(&|workload| volumes(workload))),
        ),
        (
            "requests.storage",
            quantity::bytes(sum(&|workload| {
                volumes(workload) * workload.volume().map_or(0, nova_platform::units::Size::bytes)
            })),
        ),
    ];
    let hard: BTreeMap<String, Quantity> = hard.map(|(name, amount)| (name.to_owned(), amount)).into();
    ResourceQuota {
        metadata: metadata::of_area(spec, area, "nova"),
        spec: Some(ResourceQuotaSpec {
            hard: Some(hard),
            ..ResourceQuotaSpec::default()
        }),
        status: None,
    }
}

/// Pods that there may be at a time. Of what has no state: as many as load may want, one more during an update, and those of a
/// lost node, which count until it is known that they have ended, with their substitutes. A store's pod is replaced only when
/// the old one is gone; one is left for a person's own.
fn pods(workload: &Workload) -> u64 {
    let members = u64::from(workload.members_max());
    match workload.form {
        Form::Store { .. } => members + 1,
        Form::Stateless { .. } => members + members.div_ceil(2) + u64::from(SURGE),
    }
}

fn volumes(workload: &Workload) -> u64 {
    workload.volume().map_or(0, |_| workload.members.into())
}
