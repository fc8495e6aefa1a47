//! Takes members out of the cluster before they end, one at a time, so that those who stay keep their quorum.

use std::thread;
use std::time::{Duration, Instant};

use crate::address::{Address, HostPort};
use crate::etcd_api::{At, Cluster, Listed};

/// Longest wait for each change: etcd refuses one for the first seconds after another.
const LIMIT: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(200);

/// Takes these out of the cluster that those who stay are in. Those who stay are given with the addresses that clients meet them at. Safe
/// to repeat. Returns who was in it.
///
/// # Errors
/// When too few of those who stay would be left, or the cluster refuses. What was not taken out by then is still in it.
pub fn leave(staying: &[Address], leaving: &[String]) -> Result<Vec<String>, String> {
    let (at, cluster) = cluster(staying)?;
    let mut out: Vec<Listed> = cluster
        .members
        .iter()
        .filter(|member| leaving.contains(&member.name) || is_strange(staying, member))
        .cloned()
        .collect();
    if out.is_empty() {
        return Ok(Vec::new());
    }
    let stay: Vec<&Listed> = cluster
        .members
        .iter()
        .filter(|member| !member.is_learner && !out.iter().any(|gone| gone.id == member.id))
        .collect();
    let well: Vec<&Listed> = stay.iter().copied().filter(|member| is_well(staying, member)).collect();
    if well.len() * 2 <= stay.len() {
        return Err(format!(
            "etcd would lose its quorum without {}: of the {} members that stay, {} are well. Nothing was changed; `nova status` says more",
            leaving.join(", "),
            stay.len(),
            well.len()
        ));
    }
    let leader = At(&at).status()?.leader;
    if let (Some(leads), Some(next)) = (out.iter().find(|member| member.id == leader), well.first())
        && let Some(leads) = leads.clients.first().and_then(|url| address(url))
    {
        // Without it, the others would elect somebody a second later.
        let _ = At(&leads).hand_over(next.id);
    }
    out.sort_by_key(|member| member.id == leader);
    for member in &out {
        take_out(staying, member)?;
    }
    Ok(out.into_iter().map(|member| member.name).collect())
}

fn take_out(staying: &[Address], member: &Listed) -> Result<(), String> {
    let until = Instant::now() + LIMIT;
    loop {
        let refused = match cluster(staying) {
            Ok((_, cluster)) if !cluster.members.iter().any(|other| other.id == member.id) => return Ok(()),
            Ok((at, _)) => At(&at).remove(member.id).err(),
            Err(error) => Some(error),
        };
        if let Some(refused) = refused
            && Instant::now() > until
        {
            return Err(format!(
                "{} could not be taken out of etcd's cluster: {refused}",
                member.name
            ));
        }
        thread::sleep(PAUSE);
    }
}

/// One of a quorum, and the cluster.
fn cluster(members: &[Address]) -> Result<(HostPort, Cluster), String> {
    let mut refusals = Vec::new();
    for member in members {
        let at = member.place();
        match At(&at).cluster() {
            Ok(cluster) => return Ok((at, cluster)),
            Err(error) => refusals.push(format!("{}: {error}", member.member)),
        }
    }
    Err(format!("no member of etcd reaches a quorum: {}", refusals.join("; ")))
}

fn is_well(staying: &[Address], listed: &Listed) -> bool {
    let found = staying.iter().find(|member| member.member == listed.name);
    found.is_some_and(|member| At(&member.place()).status().is_ok_and(|status| status.leader != 0))
}

/// One that was added and has never been up, at an address of nobody who stays: whoever was to be there has gone.
fn is_strange(staying: &[Address], listed: &Listed) -> bool {
    let at = listed.peers.first().and_then(|url| address(url));
    listed.name.is_empty() && at.is_some_and(|at| !staying.iter().any(|member| member.host == at.host))
}

fn address(url: &str) -> Option<HostPort> {
    let (host, port) = url.strip_prefix("http://")?.rsplit_once(':')?;
    Some(HostPort::new(host, port.trim_end_matches('/').parse().ok()?))
}
