//! The local target: real programs as plain processes on three loopback nodes of this machine.

pub mod plan;
