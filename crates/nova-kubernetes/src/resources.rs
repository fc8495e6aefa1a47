//! From the description to every object of the cluster: pure functions, one kind of resource a file. Nothing here talks to a
//! cluster.

pub mod secret_layout;

use nova_platform::spec::Spec;
use serde_json::Value;

use crate::images::Images;
use crate::profile::Profile;

pub use secret_layout::{SecretLayout, SecretSource, secret_layout};

/// The component of what no component owns: namespaces, policies, quotas, roles. Applied first, removed last.
pub const FOUNDATION: &str = "foundation";
/// The component of the agent, which runs the checks inside the cluster.
pub const AGENT: &str = "agent";

/// One object as it is applied.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    /// A component of the platform, [`FOUNDATION`] or [`AGENT`].
    pub component: String,
    /// The object, complete with `apiVersion` and `kind`; no nulls, no status.
    pub object: Value,
}

/// Every object but the Secrets (see [`secret_layout`]), in an order in which they can be applied.
#[must_use]
pub fn manifests(_spec: &Spec, _profile: Profile, _images: &Images) -> Vec<Manifest> {
    Vec::new()
}
