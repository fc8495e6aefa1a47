//! Makes room in an etcd whose file has reached its quota: what keys were before is forgotten, each member's file is rewritten, the
//! leader's last, and the alarm is taken back when that was enough.

use crate::address::HostPort;
use crate::etcd_api::At;
use crate::etcd_start::Settings;

/// etcd's name for it. Until it is taken back, nothing can be written.
pub(crate) const ALARM: &str = "NOSPACE";

/// To be called for the leader. Says what was done.
///
/// # Errors
/// Why there is still no room, and what helps.
pub(crate) fn make_room(settings: &Settings, own: &HostPort) -> Result<String, String> {
    let leader = At(own);
    let before = leader.status()?;
    // What was forgotten already cannot be forgotten again, and need not.
    let _ = leader.compact(before.revision);
    let others: Vec<HostPort> = settings.others().map(|host| settings.client(host)).collect();
    for other in &others {
        // One that is down starts with its alarm, and without what was forgotten.
        let _ = At(other).defragment();
    }
    leader.defragment()?;
    let mut largest = leader.status()?.size;
    for other in &others {
        largest = largest.max(At(other).status().map_or(0, |status| status.size));
    }
    let quota = settings.start.quota;
    // Close below it, the alarm would come back with the next write.
    if largest > quota / 10 * 9 {
        return Err(format!(
            "etcd is full: after all that keys were before is forgotten, {largest} of {quota} bytes are taken by what they are now. Raise \
             [etcd] quota_backend_size in nova.toml and run `nova deploy`, or delete keys that are not Patroni's"
        ));
    }
    for alarm in leader.alarms()?.iter().filter(|alarm| alarm.alarm == ALARM) {
        leader.disarm(alarm)?;
    }
    Ok(format!(
        "etcd was full and has room again: {} bytes became {largest} of {quota}",
        before.size
    ))
}
