//! A Redis server, and what it must know to find its role before it becomes one.

use serde_json::{Value, json};

use super::{Site, members};
use crate::topology::{Kind, Member};
use crate::units::Size;

pub use nova_member::MASTER_NAME;

/// What a Redis server or a Sentinel must know to find its role, as `nova_member` reads it (`start.json`): itself, all
/// servers (the first is master when nothing was ever written), all Sentinels, and the path of `redis-server`. Passwords come
/// beside it.
#[must_use]
pub fn start(site: &dyn Site, member: &Member, server: &str) -> Value {
    let spec = &site.spec().redis;
    let port = |kind| {
        if kind == Kind::Sentinel {
            spec.sentinel_port
        } else {
            spec.port
        }
    };
    let address =
        |member: &Member| json!({ "member": member.name, "host": site.host(member), "port": port(member.kind) });
    let all = |kind| members(site.spec(), kind).iter().map(address).collect::<Vec<_>>();
    json!({
        "server": server,
        "own": address(member),
        "bind": site.bind(member),
        "servers": all(Kind::Redis),
        "sentinels": all(Kind::Sentinel),
        "quorum": spec.quorum,
    })
}

/// The settings of a Redis server (`base.conf`). `nova_member` adds what it finds out on each start: passwords, what to
/// announce, the place of the data, whom to follow.
#[must_use]
pub fn base_conf(site: &dyn Site, member: &Member, maxmemory: Size) -> String {
    let spec = &site.spec().redis;
    let yes_no = |on| if on { "yes" } else { "no" };
    format!(
        "\
bind {bind}
port {port}
protected-mode yes
appendonly {appendonly}
appendfsync everysec
save 900 1 300 100 60 10000
maxmemory {maxmemory}
# Everything here can be rebuilt, so the coldest key goes when memory is full, whether or not it would have expired;
# any volatile or noeviction policy would refuse writes instead, and with them rate limits and logins.
maxmemory-policy allkeys-lru
# An isolated master must not go on accepting writes that it will lose.
min-replicas-to-write {min_replicas}
min-replicas-max-lag {max_lag}
repl-diskless-sync yes
repl-diskless-sync-delay 0
repl-ping-replica-period 2
repl-timeout 10
repl-backlog-size 8mb
tcp-keepalive 10
loglevel notice
always-show-logo no
",
        bind = site.bind(member),
        port = spec.port,
        appendonly = yes_no(spec.appendonly),
        maxmemory = maxmemory.bytes(),
        min_replicas = spec.min_replicas_to_write,
        max_lag = spec.min_replicas_max_lag.as_secs().max(1),
    )
}
