//! A Redis Sentinel. Its program is `nova member sentinel`, which puts the settings of this file together with what
//! Sentinel itself wrote down (epochs, the master, its peers): see [`super::sentinel_start`].

use nova_platform::topology::Member;
use sha2::{Digest, Sha256};

use super::redis::{MASTER_NAME, start_plan};
use super::{PlanError, Site, address, file};
use crate::plan::MemberPlan;

pub(super) fn plan(site: &Site<'_>, member: &Member) -> Result<MemberPlan, PlanError> {
    let mut plan = start_plan(site, member, "sentinel", site.spec.redis.sentinel_port)?;
    plan.files.push(file("base.conf", base_conf(site, member)?));
    Ok(plan)
}

fn base_conf(site: &Site<'_>, member: &Member) -> Result<String, PlanError> {
    let spec = &site.spec.redis;
    let node = address(site.spec, member);
    Ok(format!(
        "\
bind {node}
port {port}
protected-mode yes
requirepass {sentinel_password}
sentinel sentinel-pass {sentinel_password}
sentinel announce-ip {node}
sentinel announce-port {port}
sentinel myid {id}
sentinel auth-pass {MASTER_NAME} {password}
sentinel down-after-milliseconds {MASTER_NAME} {down_after}
sentinel failover-timeout {MASTER_NAME} {failover_timeout}
sentinel parallel-syncs {MASTER_NAME} 1
# A master that is back but still loading after this long is replaced.
sentinel master-reboot-down-after-period {MASTER_NAME} {failover_timeout}
loglevel notice
always-show-logo no
",
        port = spec.sentinel_port,
        id = identity(&site.spec.platform.name, &member.name),
        password = site.secret("redis")?,
        sentinel_password = site.secret("redis-sentinel")?,
        down_after = spec.down_after.as_millis(),
        failover_timeout = spec.failover_timeout.as_millis(),
    ))
}

/// Sentinels never forget a peer: one that came back from an empty disk under a new id would count twice, and raise the
/// majority that a failover needs.
fn identity(platform: &str, member: &str) -> String {
    let digest = Sha256::digest(format!("{platform}/{member}"));
    digest.iter().take(20).map(|byte| format!("{byte:02x}")).collect()
}
