//! A whole platform on a real Kubernetes cluster: it comes up from nothing, survives the loss of pods and nodes, and goes.
//!
//! Needs a cluster that may be broken: `NOVA_TEST_KUBECONFIG` and what `./test` says about it. Without one, each test says so
//! and passes. They run one after another (`--test-threads 1`), since they share its nodes.

#![allow(clippy::unwrap_used, reason = "a failing unwrap is a failing test")]

#[path = "../common/accepted.rs"]
mod accepted;
mod access;
mod bad_input;
#[path = "../common/call.rs"]
mod call;
mod drills;
mod faults;
mod lifecycle;
#[path = "../common/long.rs"]
mod long;
mod scaling;
#[path = "../common/scenarios.rs"]
mod scenarios;
mod support;
