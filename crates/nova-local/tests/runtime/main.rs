//! The local runtime with real processes: supervisor, takeover, ending, and the target on top.
#![allow(clippy::unwrap_used, reason = "a failing unwrap is a failing test")]

mod ending;
mod leader_key;
mod socket;
mod supervisor;
mod support;
mod takeover;
mod target;

/// Not a test: the other tests start this very program with this argument as their supervisor.
#[test]
#[ignore = "is the supervisor of the other tests"]
fn supervise() {
    if let Some(state) = std::env::var_os(support::STATE)
        && let Err(error) = nova_local::supervisor::run(std::path::Path::new(&state))
    {
        panic!("{error}");
    }
}
