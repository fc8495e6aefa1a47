//! The agent runs the checks inside the cluster, where the stores can be reached; the tool meets it through a port-forward of the API
//! server, so that nothing in the cluster can.

mod addresses;
mod forward;
mod prober;
mod run;
mod server;
pub mod wire;

pub use addresses::resolved;
pub use forward::{AgentError, Agents};
pub use prober::ClusterProber;
pub use run::Program;
pub use server::{probe, serve};

/// Where the agent listens, inside its pod only.
pub const PORT: u16 = 7070;
/// The agent's name: of its Deployment, and of what it counts as in a rollout.
pub const NAME: &str = "agent";
