//! What members are configured with: text and arguments, made from the description, the same on every target. No secrets, no
//! paths of a machine: what differs between targets is asked of the [`Site`] or given by the caller.

mod endpoints;
pub mod etcd;
pub mod haproxy;
pub mod kafka;
pub mod postgres;
pub mod redis;
pub mod sentinel;
pub mod service;

pub use endpoints::endpoints;

use crate::endpoints::HostPort;
use crate::spec::Spec;
use crate::topology::{self, Kind, Member};

/// Where members are met and what they listen on: what differs between targets.
pub trait Site: Sync {
    /// The validated description.
    fn spec(&self) -> &Spec;
    /// Where others meet a member: an address, or a name that resolves to one.
    fn host(&self, member: &Member) -> String;
    /// The address that a member listens on.
    fn bind(&self, member: &Member) -> String;
}

/// All members of one kind, in order.
#[must_use]
pub fn members(spec: &Spec, kind: Kind) -> Vec<Member> {
    topology::components(spec)
        .into_iter()
        .flat_map(|component| component.members)
        .filter(|member| member.kind == kind)
        .collect()
}

/// Where all members of one kind are met.
#[must_use]
pub fn host_ports(site: &dyn Site, kind: Kind, port: u16) -> Vec<HostPort> {
    members(site.spec(), kind)
        .iter()
        .map(|member| HostPort::new(site.host(member), port))
        .collect()
}

fn join(hosts: &[HostPort], separator: &str) -> String {
    hosts
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(separator)
}

#[cfg(test)]
mod tests;
