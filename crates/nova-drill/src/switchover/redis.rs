//! A planned change of Redis's master, as a master does it that is told to end.

use nova_member::HostPort as Place;
use nova_member::hand_over::redis::Master;
use nova_platform::components::Kind;
use nova_platform::endpoints::HostPort;

use super::{SwitchoverError, done};
use crate::doors::{Site, secret};

/// Moves the master's role from `leader` to a replica of the Sentinels' choice.
pub(super) async fn switch(leader: &str, site: &Site<'_>) -> Result<(), SwitchoverError> {
    let mut servers = site.endpoints.of(Kind::Redis).into_iter();
    let old = servers.find(|member| member.member == leader);
    let old = old.ok_or_else(|| SwitchoverError::NoMember {
        leader: leader.to_owned(),
        store: "Redis",
    })?;
    let place = |address: &HostPort| Place::new(&address.host, address.port);
    let sentinels = site.endpoints.of(Kind::Sentinel).into_iter();
    let master = Master {
        at: place(&old.address),
        sentinels: sentinels.map(|sentinel| place(&sentinel.address)).collect(),
        password: secret(site, "redis")?,
        sentinel_password: secret(site, "redis-sentinel")?,
    };
    done(leader, move || master.switch().map(drop)).await
}
