//! Who is at the other end: address and user agent, for throttling, the list of sessions and the audit.

use std::net::IpAddr;

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, header, request::Parts},
};
use nova_service::{ClientAddress, Problem};

const LONGEST_USER_AGENT: usize = 256;

/// The client of a request.
#[derive(Debug, Clone)]
pub struct Client {
    /// The address that the trusted proxies saw, or the peer's own.
    pub address: IpAddr,
    /// What it calls itself, shortened.
    pub user_agent: Option<String>,
}

impl<S: Send + Sync> FromRequestParts<S> for Client {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let address = ClientAddress::from_request_parts(parts, state).await?;
        Ok(Self {
            address: address.0,
            user_agent: user_agent(&parts.headers),
        })
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
