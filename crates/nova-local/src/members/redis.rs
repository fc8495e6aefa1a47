//! A Redis server. Its program is `nova member redis`, which finds out its role before it becomes redis-server: see
//! [`super::redis_start`].

use nova_platform::endpoints::HostPort;
use nova_platform::topology::{Kind, Member};
use serde::{Deserialize, Serialize};

use super::{PlanError, Site, address, base_plan, file};
use crate::plan::MemberPlan;

/// The name under which the Sentinels know the master.
pub const MASTER_NAME: &str = "nova";

/// What a Redis server or a Sentinel must know to find its role; `start.json` in its directory. Holds passwords.
#[derive(Serialize, Deserialize)]
pub(super) struct Start {
    /// `redis-server`.
    pub(super) server: std::path::PathBuf,
    /// Where this member is met.
    pub(super) own: Address,
    /// All Redis servers, this one included; the first is master when nothing was ever written.
    pub(super) servers: Vec<Address>,
    /// All Sentinels.
    pub(super) sentinels: Vec<Address>,
    pub(super) quorum: u16,
    pub(super) password: String,
    pub(super) sentinel_password: String,
}

/// A member and where it is met.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Address {
    pub(super) member: String,
    pub(super) host: String,
    pub(super) port: u16,
}

impl Address {
    pub(super) fn is_at(&self, place: &HostPort) -> bool {
        self.host == place.host && self.port == place.port
    }

    pub(super) fn place(&self) -> HostPort {
        HostPort::new(&self.host, self.port)
    }
}

pub(super) fn plan(site: &Site<'_>, member: &Member) -> Result<MemberPlan, PlanError> {
    let mut plan = start_plan(site, member, "redis", site.spec.redis.port)?;
    plan.files.push(file("base.conf", base_conf(site, member)?));
    plan.directories = vec!["data".into()];
    Ok(plan)
}

/// What Redis servers and Sentinels have in common.
pub(super) fn start_plan(site: &Site<'_>, member: &Member, helper: &str, port: u16) -> Result<MemberPlan, PlanError> {
    let spec = &site.spec.redis;
    let addresses = |kind, port| -> Vec<Address> {
        let at = |member: Member| Address {
            host: address(site.spec, &member),
            member: member.name,
            port,
        };
        site.members(kind).into_iter().map(at).collect()
    };
    let start = Start {
        server: site.programs.redis_server.clone(),
        own: Address {
            member: member.name.clone(),
            host: address(site.spec, member),
            port,
        },
        servers: addresses(Kind::Redis, spec.port),
        sentinels: addresses(Kind::Sentinel, spec.sentinel_port),
        quorum: spec.quorum,
        password: site.secret("redis")?.to_owned(),
        sentinel_password: site.secret("redis-sentinel")?.to_owned(),
    };
    let mut plan = base_plan(member, site.nova);
    let directory = site.member_dir(&member.name).display().to_string();
    plan.args = ["member", helper, "--dir", &directory].map(str::to_owned).into();
    plan.files = vec![file("start.json", format!("{:#}\n", serde_json::json!(start)))];
    plan.ports = vec![start.own.place()];
    Ok(plan)
}

fn base_conf(site: &Site<'_>, member: &Member) -> Result<String, PlanError> {
    let spec = &site.spec.redis;
    let password = site.secret("redis")?;
    let node = address(site.spec, member);
    let yes_no = |on| if on { "yes" } else { "no" };
    Ok(format!(
        "\
bind {node}
port {port}
protected-mode yes
requirepass {password}
masterauth {password}
replica-announce-ip {node}
replica-announce-port {port}
dir data
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
        port = spec.port,
        appendonly = yes_no(spec.appendonly),
        maxmemory = spec.maxmemory.bytes(),
        min_replicas = spec.min_replicas_to_write,
        max_lag = spec.min_replicas_max_lag.as_secs().max(1),
    ))
}
