//! The Kubernetes target: typed resources, applied server-side along the platform's graph, watched, proved from inside the cluster.

pub mod agent;
pub mod images;
pub mod names;
pub mod ports;
pub mod profile;
pub mod render;
pub mod resources;
pub mod target;
mod workloads;
