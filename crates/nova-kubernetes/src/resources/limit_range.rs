//! Limit ranges: what a container gets that says nothing itself, such as a person's own for a look around. Nova's own all say.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{LimitRange, LimitRangeItem, LimitRangeSpec};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use nova_platform::spec::Spec;

use super::{metadata, quantity};
use crate::names::Area;

pub(super) fn limit_range(spec: &Spec, area: Area) -> LimitRange {
    LimitRange {
        metadata: metadata::of_area(spec, area, "nova"),
        spec: Some(LimitRangeSpec {
            limits: vec![LimitRangeItem {
                type_: "Container".to_owned(),
                default_request: Some(amounts(25, 64, 64)),
                default: Some(amounts(250, 256, 256)),
                ..LimitRangeItem::default()
            }],
        }),
    }
}

/// Thousandths of a core, and mebibytes of memory and of the node's disk.
fn amounts(cpu: u64, memory: u64, ephemeral: u64) -> BTreeMap<String, Quantity> {
    BTreeMap::from([
        ("cpu".to_owned(), quantity::millicores(cpu)),
        ("memory".to_owned(), quantity::bytes(memory << 20)),
        ("ephemeral-storage".to_owned(), quantity::bytes(ephemeral << 20)),
    ])
}
