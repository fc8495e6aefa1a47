//! The description of a Nova platform and what is done with it on any target: defaults, validation, the dependency
//! graph, secrets, checks and the rollout. Knows no target.

pub mod checks;
pub mod endpoints;
pub mod rollout;
pub mod spec;
pub mod status;
pub mod target;
pub mod topology;
pub mod units;
