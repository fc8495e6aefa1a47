//! Whose request it is, by address: the peer's own, or the one that the proxies in between saw.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts, Request};
use axum::http::HeaderMap;
use axum::http::request::Parts;

use super::problem::Problem;
use crate::config::{Network, ServerConfig};

const FORWARDED_FOR: &str = "x-forwarded-for";

/// The address of a request's client, for limits that are a client's. An extractor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClientAddress(pub IpAddr);

/// Whose word about a client's address is taken.
#[derive(Debug, Clone)]
pub(crate) struct TrustedProxies {
    networks: Vec<Network>,
    hops: usize,
}

impl ClientAddress {
    /// The address as limits count it: one subscriber holds a whole /64 of IPv6 addresses.
    #[must_use]
    pub fn network(self) -> IpAddr {
        network(self.0)
    }
}

/// The address itself, or the /64 that it is in.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
    }
}

impl<S: Send + Sync> FromRequestParts<S> for ClientAddress {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let found = parts.extensions.get::<Self>().copied();
        found.ok_or_else(|| Problem::internal("a request came past the gate, which knows its address"))
    }
}

impl TrustedProxies {
    pub(crate) fn new(config: &ServerConfig) -> Self {
        Self {
            networks: config.trusted_proxies.clone(),
            hops: usize::from(config.trusted_hops),
        }
    }

    /// Whether it is one of the proxies that speaks.
    pub(crate) fn contain(&self, peer: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(peer))
    }

    /// The client of a request.
    pub(crate) fn client_of(&self, request: &Request) -> Option<ClientAddress> {
        let peer = request.extensions().get::<ConnectInfo<SocketAddr>>()?.0.ip();
        Some(ClientAddress(self.client(peer, request.headers())))
    }

    fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let peer = peer.to_canonical();
        if self.hops == 0 || !self.contain(peer) {
            return peer;
        }
        let forwarded: Vec<_> = headers
            .get_all(FORWARDED_FOR)
            .iter()
            .flat_map(|value| value.to_str().unwrap_or_default().split(','))
            .map(str::trim)
            .collect();
        let entry = forwarded
            .len()
            .checked_sub(self.hops)
            .and_then(|index| forwarded.get(index));
        entry
            .and_then(|text| text.parse::<IpAddr>().ok())
            .map_or(peer, |address| address.to_canonical())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn one_ipv6_subscriber_is_one_address() {
        let network_of = |text: &str| network(text.parse().unwrap());
        assert_eq!(network_of("2001:db8:1:2:3:4:5:6"), network_of("2001:db8:1:2:ffff::1"));
        assert_ne!(network_of("2001:db8:1:2::1"), network_of("2001:db8:1:3::1"));
        assert_eq!(network_of("::ffff:192.0.2.7"), network_of("192.0.2.7"));
    }

    fn proxies(networks: &[&str], hops: usize) -> TrustedProxies {
        TrustedProxies {
            networks: networks.iter().map(|text| text.parse().unwrap()).collect(),
            hops,
        }
    }

    fn client(proxies: &TrustedProxies, peer: &str, forwarded: &[&'static str]) -> String {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append(FORWARDED_FOR, value.parse().unwrap());
        }
        proxies.client(peer.parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn a_strangers_header_is_not_believed() {
        assert_eq!(
            client(&proxies(&["127.0.0.0/8"], 1), "192.0.2.1", &["198.51.100.7"]),
            "192.0.2.1"
        );
    }

    #[test]
    fn the_proxys_own_entry_counts_and_not_what_the_client_wrote() {
        let proxies = proxies(&["127.0.0.0/8"], 1);
        assert_eq!(
            client(&proxies, "127.0.0.1", &["203.0.113.9, 198.51.100.7"]),
            "198.51.100.7"
        );
        assert_eq!(
            client(&proxies, "127.0.0.1", &["203.0.113.9", "198.51.100.7"]),
            "198.51.100.7"
        );
        assert_eq!(client(&proxies, "::ffff:127.0.0.1", &["198.51.100.7"]), "198.51.100.7");
    }

    #[test]
    fn two_hops_look_one_further() {
        let proxies = proxies(&["10.0.0.0/8"], 2);
        assert_eq!(
            client(&proxies, "10.1.1.1", &["203.0.113.9, 198.51.100.7, 10.2.2.2"]),
            "198.51.100.7"
        );
    }

    #[test]
    fn garbage_falls_back_to_the_peer() {
        let proxies = proxies(&["127.0.0.0/8"], 1);
        for header in ["", "unknown", "198.51.100.7, ", "1.2.3.4:80", "' or 1=1"] {
            assert_eq!(client(&proxies, "127.0.0.1", &[header]), "127.0.0.1", "{header:?}");
        }
        assert_eq!(client(&proxies, "127.0.0.1", &[]), "127.0.0.1");
    }
}
