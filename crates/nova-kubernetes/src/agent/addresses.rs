//! Addresses for names, where a store knows its members by address.

use std::time::Duration;

use futures::future::join_all;
use nova_platform::endpoints::{Endpoints, MemberEndpoint};

/// Time to look a name up.
const LIMIT: Duration = Duration::from_secs(1);

/// The endpoints with the addresses of Redis's members and Sentinels in place of their names: Sentinels name a master by its
/// address. A name that is not found stays, and whoever connects to it says so.
pub async fn resolved(mut endpoints: Endpoints) -> Endpoints {
    let members = endpoints.redis.iter_mut().chain(&mut endpoints.sentinels);
    join_all(members.map(resolve)).await;
    endpoints
}

async fn resolve(member: &mut MemberEndpoint) {
    let (host, port) = (member.address.host.clone(), member.address.port);
    let lookup = tokio::net::lookup_host((host, port));
    if let Ok(Ok(mut found)) = tokio::time::timeout(LIMIT, lookup).await
        && let Some(address) = found.next()
    {
        member.address.host = address.ip().to_string();
    }
}

#[cfg(test)]
mod tests {
    use super::resolved;
    use nova_platform::endpoints::{Endpoints, HostPort, MemberEndpoint};

    #[tokio::test]
    async fn names_become_addresses_and_unknown_ones_stay() {
        let member = |name: &str, host: &str| MemberEndpoint {
            member: name.to_owned(),
            address: HostPort::new(host, 6379),
        };
        let endpoints = Endpoints {
            etcd: vec![member("etcd-1", "localhost")],
            postgres: Vec::new(),
            primary: HostPort::new("a", 1),
            replicas: HostPort::new("a", 2),
            redis: vec![
                member("redis-1", "localhost"),
                member("redis-2", "no-such-name.invalid"),
            ],
            sentinels: vec![member("sentinel-1", "127.0.0.9")],
            kafka: Vec::new(),
            services: std::collections::BTreeMap::new(),
        };
        let found = resolved(endpoints).await;
        let host = |member: &MemberEndpoint| member.address.host.clone();
        assert!(["127.0.0.1", "::1"].contains(&host(&found.redis[0]).as_str()));
        assert_eq!(host(&found.redis[1]), "no-such-name.invalid");
        assert_eq!(host(&found.sentinels[0]), "127.0.0.9");
        assert_eq!(host(&found.etcd[0]), "localhost");
    }
}
