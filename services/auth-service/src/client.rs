//! Who is at the other end: address and user agent, for throttling, the list of sessions and the audit.

use std::net::{IpAddr, SocketAddr};

use axum::{
    extract::{ConnectInfo, FromRequestParts},
    http::{HeaderMap, header, request::Parts},
};
use nova_service::Problem;

use crate::app::App;

const LONGEST_USER_AGENT: usize = 256;
const FORWARDED_FOR: &str = "x-forwarded-for";

/// The client of a request.
#[derive(Debug, Clone)]
pub struct Client {
    /// The address that the trusted proxies saw, or the peer's own.
    pub address: IpAddr,
    /// What it calls itself, shortened.
    pub user_agent: Option<String>,
}

/// Whose word about a client's address is taken.
#[derive(Debug, Clone)]
pub struct TrustedProxies {
    /// Where the proxies are.
    pub networks: Vec<Network>,
    /// How many stand between a client and this service. Each appends the address that it saw to `X-Forwarded-For`, so the
    /// client is this many entries from the end; whatever stands before that was written by the client itself.
    pub hops: usize,
}

/// A network in CIDR notation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

impl FromRequestParts<App> for Client {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let peer = ConnectInfo::<SocketAddr>::from_request_parts(parts, app)
            .await
            .map_err(Problem::internal)?
            .0;
        Ok(Self {
            address: app.settings.proxies.client(peer.ip(), &parts.headers),
            user_agent: user_agent(&parts.headers),
        })
    }
}

impl TrustedProxies {
    fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let peer = peer.to_canonical();
        if self.hops == 0 || !self.networks.iter().any(|network| network.contains(peer)) {
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

impl Network {
    fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.prefix)).unwrap_or(0);
                network.to_bits() & mask == address.to_bits() & mask
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.prefix)).unwrap_or(0);
                network.to_bits() & mask == address.to_bits() & mask
            }
            _ => false,
        }
    }
}

impl std::str::FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no network; write it like 10.0.0.0/8 or 2001:db8::/32");
        let (address, prefix) = text
            .trim()
            .split_once('/')
            .map_or((text.trim(), None), |(a, p)| (a, Some(p)));
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.map_or(Ok(longest), str::parse).map_err(|_| wrong())?;
        if prefix > longest {
            Err(wrong())
        } else {
            Ok(Self { address, prefix })
        }
    }
}

fn user_agent(headers: &HeaderMap) -> Option<String> {
    let text = String::from_utf8_lossy(headers.get(header::USER_AGENT)?.as_bytes());
    let short: String = text
        .chars()
        .filter(|char| !char.is_control())
        .take(LONGEST_USER_AGENT)
        .collect();
    if short.is_empty() { None } else { Some(short) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail by panicking")]
mod tests {
    use super::*;

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

    #[test]
    fn networks_are_parsed_and_matched() {
        assert!(
            "2001:db8::/32"
                .parse::<Network>()
                .unwrap()
                .contains("2001:db8:5::1".parse().unwrap())
        );
        assert!(
            "0.0.0.0/0"
                .parse::<Network>()
                .unwrap()
                .contains("9.9.9.9".parse().unwrap())
        );
        assert!(
            !"10.0.0.0/9"
                .parse::<Network>()
                .unwrap()
                .contains("10.128.0.1".parse().unwrap())
        );
        for wrong in ["", "10.0.0.0/33", "::/129", "10.0.0/8", "10.0.0.0/x", "host"] {
            assert!(wrong.parse::<Network>().is_err(), "{wrong:?}");
        }
    }
}
