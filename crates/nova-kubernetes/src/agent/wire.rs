//! What the tool and the agent say to each other: JSON over HTTP/1.1.

use nova_platform::checks::{CheckResult, Depth, MemberRole};
use nova_platform::components::ComponentId;
use nova_platform::endpoints::Endpoints;
use nova_platform::spec::Spec;
use serde::{Deserialize, Serialize};

/// Where [`Look`] is posted.
pub const LOOK: &str = "/v1/look";
/// Where [`Prepare`] is posted.
pub const PREPARE: &str = "/v1/prepare";
/// Where [`Prepare`] is posted to ready a component before its members change.
pub const STAGE: &str = "/v1/stage";
/// Answers 200 to a GET as long as the agent works.
pub const HEALTH: &str = "/healthz";

/// Run the checks of a component, and ask its members for their roles.
#[derive(Debug, Serialize, Deserialize)]
pub struct Look {
    /// The platform.
    pub spec: Spec,
    /// Where its members are met.
    pub endpoints: Endpoints,
    /// Which component.
    pub component: ComponentId,
    /// How much is proved.
    pub depth: Depth,
    /// Time that it may take, in milliseconds.
    pub limit_ms: u64,
}

/// What [`Look`] found.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Looked {
    /// Every check.
    pub checks: Vec<CheckResult>,
    /// What each member says it is; empty where members are all alike.
    pub roles: Vec<MemberRole>,
}

/// Make what a component must hold before it can be checked.
#[derive(Debug, Serialize, Deserialize)]
pub struct Prepare {
    /// The platform.
    pub spec: Spec,
    /// Where its members are met.
    pub endpoints: Endpoints,
    /// Which component.
    pub component: ComponentId,
    /// Time that it may take, in milliseconds.
    pub limit_ms: u64,
}

/// What [`Prepare`] made.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Prepared {
    /// In words; empty when all was there.
    pub changes: Vec<String>,
}

/// Why something was not done, with any status but 200.
#[derive(Debug, Serialize, Deserialize)]
pub struct Refused {
    /// In words.
    pub error: String,
}
