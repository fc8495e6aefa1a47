//! Joining a cluster that has a quorum. It may be cut short anywhere: the next start finds what it has come to.

use std::path::Path;

use super::data::{Data, move_aside};
use super::{Kept, STARTS, Settings, initial};
use crate::address::HostPort;
use crate::error::StartError;
use crate::etcd_api::{At, Cluster, Listed};

/// Why it did not join.
#[derive(Debug)]
pub(super) enum Failed {
    /// Something that may pass, and what.
    Later(String),
    /// Something on this disk.
    Broken(StartError),
}

impl From<StartError> for Failed {
    fn from(error: StartError) -> Self {
        Self::Broken(error)
    }
}

impl From<String> for Failed {
    fn from(reason: String) -> Self {
        Self::Later(reason)
    }
}

/// Returns the arguments that etcd joins with.
pub(super) fn join(
    settings: &Settings,
    data: &Data,
    directory: &Path,
    at: &HostPort,
    mut cluster: Cluster,
    why: String,
    kept: &Kept<'_>,
) -> Result<Vec<String>, Failed> {
    let name = &settings.start.member;
    let own = settings.own()?;
    let url = settings.peer_url(own);
    let is_own = |member: &Listed| member.name == *name || member.peers.contains(&url);
    // Two that change the cluster at once would each see the other's half.
    for learner in cluster
        .members
        .iter()
        .filter(|member| member.is_learner && !is_own(member))
    {
        match described(settings, learner) {
            Some(other) => return Err(Failed::Later(format!("{other} joins before it"))),
            None => At(at).remove(learner.id)?,
        }
    }
    if *data != Data::Nothing {
        let aside = move_aside(directory, Some(cluster.id))?;
        println!("nova: {name} joins anew: {why}; what it had is in {}", aside.display());
    }
    kept.remove(STARTS)?;
    let before: Vec<Listed> = cluster
        .members
        .iter()
        .filter(|member| is_own(member))
        .cloned()
        .collect();
    if !matches!(&before[..], [one] if may_be(one, &url, kept.cluster()?.is_some())) {
        for member in &before {
            At(at).remove(member.id)?;
        }
        cluster = At(at).add_learner(&url)?;
    }
    println!("nova: {name} joins the cluster {:x} as a learner", cluster.id);
    let members = cluster.members.iter().map(|member| {
        let peer = member.peers.first().cloned().unwrap_or_default();
        let known = if is_own(member) {
            name.clone()
        } else if member.name.is_empty() {
            described(settings, member).unwrap_or_else(|| format!("{:x}", member.id))
        } else {
            member.name.clone()
        };
        (known, peer)
    });
    Ok(initial(settings, "existing", members))
}

/// Whether a member without data may start as this one, which has never been up: it has promised nothing then. A learner never has.
fn may_be(member: &Listed, url: &str, was_up: bool) -> bool {
    let never_up = member.clients.is_empty();
    never_up && member.peers == [url] && (member.is_learner || !was_up)
}

fn described(settings: &Settings, member: &Listed) -> Option<String> {
    let of = |host: &&super::Host| host.member == member.name || member.peers.contains(&settings.peer_url(host));
    settings.members.members.iter().find(of).map(|host| host.member.clone())
}
