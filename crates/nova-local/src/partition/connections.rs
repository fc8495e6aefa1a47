//! Connections that were there before the partition: their sockets carry no group.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use procfs::net::TcpState;
use procfs::process::{FDTarget, Process};

use super::{Side, Sides};

/// A connection as one of its ends sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Connection {
    /// Of the side that it belongs to.
    pub(super) near: SocketAddrV4,
    /// Of the other side.
    pub(super) far: SocketAddrV4,
}

/// Those from one side to addresses of the other one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Connections {
    /// From the node that is cut off.
    pub(super) of_cut: BTreeSet<Connection>,
    /// From the other ones.
    pub(super) of_others: BTreeSet<Connection>,
}

pub(super) fn between(sides: &Sides) -> Connections {
    let all = by_inode();
    Connections {
        of_cut: of(&sides.cut, &sides.others.addresses, &all),
        of_others: of(&sides.others, &sides.cut.addresses, &all),
    }
}

fn of(side: &Side, to: &BTreeSet<Ipv4Addr>, all: &BTreeMap<u64, Connection>) -> BTreeSet<Connection> {
    let wanted = |inode: &u64| {
        all.get(inode)
            .filter(|connection| to.contains(connection.far.ip()))
            .copied()
    };
    let sockets = side.processes.iter().flat_map(|pid| sockets(*pid));
    sockets.filter_map(|inode| wanted(&inode)).collect()
}

/// Every TCP connection over IPv4 of this machine; Java makes its own as IPv6 sockets.
fn by_inode() -> BTreeMap<u64, Connection> {
    let entries = procfs::net::tcp().into_iter().chain(procfs::net::tcp6()).flatten();
    let connection = |entry: procfs::net::TcpNetEntry| {
        if entry.state == TcpState::Listen || entry.inode == 0 {
            return None;
        }
        let (near, far) = (v4(entry.local_address)?, v4(entry.remote_address)?);
        Some((entry.inode, Connection { near, far }))
    };
    entries.filter_map(connection).collect()
}

fn v4(address: SocketAddr) -> Option<SocketAddrV4> {
    match address.ip().to_canonical() {
        std::net::IpAddr::V4(ip) => Some(SocketAddrV4::new(ip, address.port())),
        std::net::IpAddr::V6(_) => None,
    }
}

/// A process that has ended has none.
fn sockets(pid: i32) -> Vec<u64> {
    let open = Process::new(pid).and_then(|process| process.fd());
    let inode = |fd: procfs::process::FDInfo| match fd.target {
        FDTarget::Socket(inode) => Some(inode),
        _ => None,
    };
    open.into_iter().flatten().flatten().filter_map(inode).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failing unwrap is a failing test")]

    use std::net::{Ipv4Addr, TcpListener, TcpStream};

    use super::between;
    use crate::partition::{Side, Sides};

    #[test]
    fn connections_of_a_process_to_the_other_side_are_found() {
        let there = Ipv4Addr::new(127, 93, 1, 2);
        let listener = TcpListener::bind((there, 0)).unwrap();
        let connection = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let side = |address, processes: &[i32]| Side {
            addresses: [address].into(),
            processes: processes.to_vec(),
        };
        let sides = Sides {
            cut: side(Ipv4Addr::new(127, 93, 1, 1), &[std::process::id().cast_signed()]),
            others: side(there, &[]),
        };
        let found = between(&sides);
        let ends = |found: &super::Connection| (found.near.to_string(), found.far.to_string());
        let wanted = (
            connection.local_addr().unwrap().to_string(),
            connection.peer_addr().unwrap().to_string(),
        );
        assert_eq!(found.of_cut.iter().map(ends).collect::<Vec<_>>(), [wanted]);
        assert!(found.of_others.is_empty());
    }
}
