//! Whether a port is free, and who has it otherwise.

use std::fmt;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};

use nova_platform::endpoints::HostPort;
use procfs::net::{TcpNetEntry, TcpState};
use procfs::process::FDTarget;

use super::Identity;
use super::family::program;
use crate::layout::name_of;

/// Why a member cannot have its port.
#[derive(Debug, thiserror::Error)]
pub enum PortError {
    /// Somebody listens there.
    #[error(
        "{address} is taken by {holder}; stop that program, or give this platform another port or network in nova.toml"
    )]
    Taken {
        /// The address.
        address: HostPort,
        /// Who.
        holder: Holder,
    },
    /// The address is none of this machine's.
    #[error(
        "{address} cannot be listened on; local.network and local.gateway_address must be loopback addresses of this machine"
    )]
    NotHere {
        /// The address.
        address: HostPort,
        /// Why.
        source: std::io::Error,
    },
    /// A low port.
    #[error("{0} is a port that only root may listen on; choose one above 1023 in nova.toml")]
    Privileged(HostPort),
}

/// Who holds a port, as far as this user may see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The processes that listen.
    pub processes: Vec<Identity>,
    program: Option<String>,
    user: Option<String>,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let user = self.user.as_deref().unwrap_or("unknown");
        match (&self.program, self.processes.first()) {
            (Some(program), Some(process)) => write!(f, "{program} (process {}, user {user})", process.pid),
            (_, Some(process)) => write!(f, "process {} of user {user}", process.pid),
            _ => write!(f, "a program of user {user}"),
        }
    }
}

/// Whether an address is free to listen on.
///
/// # Errors
/// When it is not: who has it, or why it cannot be had.
pub fn check_free(address: &HostPort) -> Result<(), PortError> {
    let not_here = |source| PortError::NotHere {
        address: address.clone(),
        source,
    };
    let wanted: SocketAddr = address
        .to_string()
        .parse()
        .map_err(|error| not_here(std::io::Error::new(ErrorKind::InvalidInput, error)))?;
    match TcpListener::bind(wanted) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AddrInUse => Err(PortError::Taken {
            address: address.clone(),
            holder: holder(wanted),
        }),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Err(PortError::Privileged(address.clone())),
        Err(error) => Err(not_here(error)),
    }
}

/// Whether somebody listens on exactly this address.
#[must_use]
pub fn is_listening(address: &HostPort) -> bool {
    address
        .to_string()
        .parse()
        .is_ok_and(|wanted: SocketAddr| listeners(wanted).any(|entry| entry.local_address == wanted))
}

fn listeners(wanted: SocketAddr) -> impl Iterator<Item = TcpNetEntry> {
    let all = procfs::net::tcp().into_iter().chain(procfs::net::tcp6()).flatten();
    all.filter(move |entry| {
        let address = entry.local_address;
        entry.state == TcpState::Listen
            && address.port() == wanted.port()
            && (address.ip() == wanted.ip() || address.ip().is_unspecified())
    })
}

fn holder(wanted: SocketAddr) -> Holder {
    let sockets: Vec<TcpNetEntry> = listeners(wanted).collect();
    let holds = |target: &FDTarget| matches!(target, FDTarget::Socket(inode) if sockets.iter().any(|socket| socket.inode == *inode));
    let processes: Vec<Identity> = procfs::process::all_processes()
        .into_iter()
        .flatten()
        .flatten()
        .filter(|process| {
            process
                .fd()
                .is_ok_and(|mut fds| fds.any(|fd| fd.is_ok_and(|fd| holds(&fd.target))))
        })
        .filter_map(|process| Identity::of(process.pid))
        .collect();
    Holder {
        program: processes.first().and_then(|process| program(process.pid)),
        user: sockets.first().map(|socket| name_of(socket.uid)),
        processes,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failing unwrap is a failing test")]

    use super::{PortError, check_free, is_listening};
    use nova_platform::endpoints::HostPort;

    #[test]
    fn a_taken_port_names_who_has_it() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = HostPort::new("127.0.0.1", listener.local_addr().unwrap().port());
        let error = check_free(&address).unwrap_err();
        let PortError::Taken { holder, .. } = &error else {
            panic!("{error}");
        };
        assert_eq!(
            holder.processes.first().map(|process| process.pid),
            Some(std::process::id().cast_signed())
        );
        assert!(error.to_string().contains("nova_local"), "{error}");
        assert!(is_listening(&address));
        drop(listener);
        assert!(!is_listening(&address));
        check_free(&address).unwrap();
    }

    #[test]
    fn a_listener_on_every_address_takes_the_port_too() {
        let listener = std::net::TcpListener::bind("0.0.0.0:0").unwrap();
        let address = HostPort::new("127.93.0.7", listener.local_addr().unwrap().port());
        assert!(matches!(check_free(&address), Err(PortError::Taken { .. })));
    }

    #[test]
    fn an_address_of_another_machine_is_refused() {
        let error = check_free(&HostPort::new("192.0.2.1", 4711)).unwrap_err();
        assert!(matches!(error, PortError::NotHere { .. }), "{error}");
        assert!(check_free(&HostPort::new("no address", 1)).is_err());
    }
}
