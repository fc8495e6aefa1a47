//! Who follows and blocks whom, told by user-service. State: each event has all that one account is to another.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::event::{Payload, events};
use crate::topic::Topic;

/// The topic.
pub const GRAPH: Topic = Topic::state("nova.graph", 12);

events! {
    /// What happens between accounts.
    GraphEvent of GRAPH:
    /// One account stands to another as this says, from now on.
    Relation = "nova.graph.relation.v1",
}

/// How one account stands to another: one direction, the other has events of its own. With everything `false` there is nothing
/// between them any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Relation {
    /// Who does it.
    #[schemars(with = "String", extend("format" = "uuid"))]
    pub from: Uuid,
    /// To whom.
    #[schemars(with = "String", extend("format" = "uuid"))]
    pub to: Uuid,
    /// Follows them.
    pub follows: bool,
    /// Asked to follow them, and waits for their consent.
    pub requested: bool,
    /// Blocked them.
    pub blocks: bool,
    /// Muted them.
    #[serde(default)]
    pub mutes: bool,
}

impl Payload for Relation {
    fn subject(&self) -> String {
        format!("{}:{}", self.from, self.to)
    }
}
