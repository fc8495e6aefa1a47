//! Probes: an event that tells nothing, by which `nova verify` proves the way from PostgreSQL to Kafka.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::event::{Payload, events};
use crate::topic::{Keep, Topic};

/// The topic.
pub const PROBE: Topic = Topic::facts("nova.cdc.probe", 1, Keep::days(1));

events! {
    /// What probes tell.
    ProbeEvent of PROBE:
    /// One was sent.
    Sent = "nova.probes.sent.v1",
}

/// A probe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Sent {
    /// What its sender knows it by.
    pub probe: String,
}

impl Payload for Sent {
    fn subject(&self) -> String {
        self.probe.clone()
    }
}
