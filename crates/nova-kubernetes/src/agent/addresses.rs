//! Addresses for names, where a store knows its members by address.

use std::time::Duration;

use futures::future::join_all;
use nova_platform::components::Kind;
use nova_platform::endpoints::{Endpoints, HostPort, StoreEndpoint};

/// Time to look a name up.
const LIMIT: Duration = Duration::from_secs(1);

/// The endpoints with the addresses of Redis's members and Sentinels in place of their names: Sentinels name a master by its
/// address. A name that is not found stays, and whoever connects to it says so.
pub async fn resolved(mut endpoints: Endpoints) -> Endpoints {
    let of_redis = |store: &&mut StoreEndpoint| matches!(store.kind, Kind::Redis | Kind::Sentinel);
    let members = endpoints.stores.iter_mut().filter(of_redis);
    let addresses = members.flat_map(|store| &mut store.ports).map(|(_, address)| address);
    join_all(addresses.map(resolve)).await;
    endpoints
}

async fn resolve(address: &mut HostPort) {
    let (host, port) = (address.host.clone(), address.port);
    let lookup = tokio::net::lookup_host((host, port));
    if let Ok(Ok(mut found)) = tokio::time::timeout(LIMIT, lookup).await
        && let Some(resolved) = found.next()
    {
        address.host = resolved.ip().to_string();
    }
}

#[cfg(test)]
mod tests {
    use super::resolved;
    use nova_platform::components::Kind;
    use nova_platform::endpoints::{Endpoints, HostPort, StoreEndpoint};

    #[tokio::test]
    async fn names_become_addresses_and_unknown_ones_stay() {
        let member = |name: &str, kind, host: &str| StoreEndpoint::at(name, kind, HostPort::new(host, 6379));
        let endpoints = Endpoints {
            stores: vec![
                member("etcd-1", Kind::Etcd, "localhost"),
                member("redis-1", Kind::Redis, "localhost"),
                member("redis-2", Kind::Redis, "no-such-name.invalid"),
                member("sentinel-1", Kind::Sentinel, "127.0.0.9"),
            ],
            primary: HostPort::new("a", 1),
            replicas: HostPort::new("a", 2),
            services: std::collections::BTreeMap::new(),
        };
        let found = resolved(endpoints).await;
        let host = |kind, index: usize| found.of(kind)[index].address.host.clone();
        assert!(["127.0.0.1", "::1"].contains(&host(Kind::Redis, 0).as_str()));
        assert_eq!(host(Kind::Redis, 1), "no-such-name.invalid");
        assert_eq!(host(Kind::Sentinel, 0), "127.0.0.9");
        assert_eq!(host(Kind::Etcd, 0), "localhost");
    }
}
