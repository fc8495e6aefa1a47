//! A Redis Sentinel: the settings that `nova_member` puts together with what Sentinel itself wrote down (epochs, the master,
//! its peers).

use sha2::{Digest, Sha256};

use super::Site;
use super::redis::MASTER_NAME;
use crate::topology::Member;

/// The settings of a Sentinel (`base.conf`); [`super::redis::start`] makes what it must know besides. `nova_member` adds
/// passwords, what to announce, and the master.
#[must_use]
pub fn base_conf(site: &dyn Site, member: &Member) -> String {
    let spec = &site.spec().redis;
    format!(
        "\
bind {bind}
port {port}
protected-mode yes
sentinel myid {id}
sentinel down-after-milliseconds {MASTER_NAME} {down_after}
sentinel failover-timeout {MASTER_NAME} {failover_timeout}
sentinel parallel-syncs {MASTER_NAME} 1
# A master that is back but still loading after this long is replaced.
sentinel master-reboot-down-after-period {MASTER_NAME} {failover_timeout}
loglevel notice
always-show-logo no
",
        bind = site.bind(member),
        port = spec.sentinel_port,
        id = identity(&site.spec().platform.name, &member.name),
        down_after = spec.down_after.as_millis(),
        failover_timeout = spec.failover_timeout.as_millis(),
    )
}

/// Sentinels never forget a peer: one that came back from an empty disk under a new id would count twice, and raise the
/// majority that a failover needs.
fn identity(platform: &str, member: &str) -> String {
    let digest = Sha256::digest(format!("{platform}/{member}"));
    digest.iter().take(20).map(|byte| format!("{byte:02x}")).collect()
}
