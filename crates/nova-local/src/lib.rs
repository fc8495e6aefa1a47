//! The local target: real programs as plain processes on three loopback nodes of this machine.

pub mod doctor;
pub mod layout;
pub mod members;
mod partition;
pub mod plan;
pub mod process;
pub mod supervisor;
pub mod target;
