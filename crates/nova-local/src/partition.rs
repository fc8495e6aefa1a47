//! A node cut off from the others, on a machine where all nodes share one loopback interface.
//!
//! There an address tells which node a packet goes to, and not which one sent it: clients are given 127.0.0.1. So while a node
//! is cut off, the members' processes are in two control groups, and nftables asks for the group of the sending or receiving
//! socket. A socket keeps the group in which it was made: connections from before are dropped by their addresses and ports.

mod connections;
mod groups;
mod rules;

use std::collections::BTreeSet;
use std::io;
use std::net::Ipv4Addr;
use std::path::PathBuf;

use nova_platform::target::Direction;

use tokio::sync::Mutex;
use tokio::task::spawn_blocking;

use connections::Connections;
use groups::Groups;

/// One partition is made or undone at a time.
static TURN: Mutex<()> = Mutex::const_new(());
/// Processes that start while all are brought in are found by another look; more than this is a fork bomb.
const LOOKS: u32 = 20;

/// The nodes on one side.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Side {
    /// Their addresses.
    pub(crate) addresses: BTreeSet<Ipv4Addr>,
    /// Processes of the members on them.
    pub(crate) processes: Vec<i32>,
}

/// Who is cut off, and from whom.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Sides {
    /// The node that is cut off.
    pub(crate) cut: Side,
    /// The other ones.
    pub(crate) others: Side,
}

/// Why a node cannot be cut off or connected again.
#[derive(Debug, thiserror::Error)]
pub enum PartitionError {
    /// The machine or the user cannot do it.
    #[error("{0}")]
    Unavailable(String),
    /// A control group does not do what it should.
    #[error("control group {}", .path.display())]
    Group {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// nftables does not do what it should.
    #[error("nftables: {0}")]
    Rules(String),
    /// Members start processes faster than they can be told apart.
    #[error("the members' processes could not be told apart: new ones kept coming")]
    Restless,
    /// A task ended before its time.
    #[error("the partition's own work failed")]
    Panicked(#[source] tokio::task::JoinError),
    /// It was no partition.
    #[error(
        "the node was not cut off: nftables dropped no packet, so it does not know the control groups of this machine's \
         sockets; a container with a control group namespace of its own may be why"
    )]
    NoEffect,
}

/// Why no node can be cut off here, and what would help; `None` when one can.
pub(crate) fn refusal(platform: &str) -> Option<String> {
    let is_root = nix::unistd::geteuid().is_root();
    refused(is_root, Groups::of(platform), !lacks_program())
}

fn refused(is_root: bool, groups: Result<Groups, String>, has_nft: bool) -> Option<String> {
    let why = match (is_root, groups, has_nft) {
        (false, _, _) => "only root may drop packets and make control groups; run the drill as root".to_owned(),
        (true, Err(why), _) => why,
        (true, Ok(_), false) => "nftables (`nft`) is missing; `nova doctor --install` installs it".to_owned(),
        (true, Ok(_), true) => return None,
    };
    Some(format!("fault partition is not available here: {why}"))
}

/// Whether nftables' command is missing.
pub(crate) fn lacks_program() -> bool {
    rules::program().is_none()
}

/// Whether something of a partition of this platform is there. Only root makes one, of a platform of its own: what another
/// user calls by the same name is not concerned.
pub(crate) fn is_there(platform: &str) -> bool {
    nix::unistd::geteuid().is_root() && Groups::of(platform).is_ok_and(|groups| groups.exist())
}

/// Whether a node is cut off and all of these processes are told apart already.
pub(crate) fn holds(platform: &str, processes: &[i32]) -> bool {
    Groups::of(platform).is_ok_and(|groups| groups.exist() && groups.hold(processes))
}

/// Cuts the node off; `sides` finds who is on which side at that moment. Safe to repeat.
pub(crate) async fn cut(
    platform: &str,
    direction: Direction,
    sides: impl Fn() -> Sides + Send + 'static,
) -> Result<(), PartitionError> {
    let groups = available(platform)?;
    let platform = platform.to_owned();
    let turn = TURN.lock().await;
    // A drill that is interrupted must not undo what is still being done.
    let done = tokio::spawn(async move {
        let _turn = turn;
        let told_apart = spawn_blocking(move || tell_apart(groups, sides)).await;
        let (groups, sides, connections) = told_apart.map_err(PartitionError::Panicked)??;
        let table = rules::table(&platform, &groups.names(), &sides, &connections, direction);
        rules::load(&table).await
    });
    done.await.map_err(PartitionError::Panicked)?
}

fn tell_apart(groups: Groups, sides: impl Fn() -> Sides) -> Result<(Groups, Sides, Connections), PartitionError> {
    groups.make()?;
    for _ in 0..LOOKS {
        let sides = sides();
        if groups.take_in(&sides)? == 0 {
            // Every socket from here on is made in its group.
            let connections = connections::between(&sides);
            return Ok((groups, sides, connections));
        }
    }
    Err(PartitionError::Restless)
}

/// Connects the node again and puts the members' processes back to where `home`, a process, is. Nothing to do is no error.
/// Returns whether packets were dropped; `None` when no rules were there any more.
pub(crate) async fn rejoin(platform: &str, home: Option<i32>) -> Result<Option<bool>, PartitionError> {
    let groups = available(platform)?;
    let _turn = TURN.lock().await;
    let dropped = rules::remove(platform).await?;
    let dissolved = spawn_blocking(move || groups.dissolve(home)).await;
    dissolved.map_err(PartitionError::Panicked)??;
    Ok(dropped)
}

fn available(platform: &str) -> Result<Groups, PartitionError> {
    match refusal(platform) {
        Some(why) => Err(PartitionError::Unavailable(why)),
        None => Groups::of(platform).map_err(PartitionError::Unavailable),
    }
}

#[cfg(test)]
mod tests {
    use super::groups::Groups;
    use super::refused;

    #[test]
    fn what_is_missing_is_said() {
        let groups = || Ok(Groups::below("/sys/fs/cgroup", "test"));
        assert_eq!(refused(true, groups(), true), None);
        let said = |is_root, groups, has_nft| refused(is_root, groups, has_nft).unwrap_or_default();
        assert!(said(false, groups(), true).contains("as root"));
        assert!(said(true, Err("no cgroup2".to_owned()), true).contains("no cgroup2"));
        assert!(said(true, groups(), false).contains("doctor --install"));
    }
}
