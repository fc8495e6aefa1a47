//! From what is on the disk and what the others say to what to do.

use super::Settings;
use super::data::Data;
use super::view::{Seen, View};
use crate::address::HostPort;
use crate::etcd_api::{Cluster, Listed};

/// What a member knows of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Own {
    pub(super) data: Data,
    /// With these data it ended again and again before it served.
    pub(super) is_doubted: bool,
    /// The platform had a cluster before.
    pub(super) was_formed: bool,
    /// A human has allowed a new cluster.
    pub(super) may_form: bool,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Way {
    /// Start with the data that are there.
    AsItIs,
    /// The same, as the only member of its cluster.
    Alone,
    /// Form the platform's first cluster.
    Form,
    /// Join this cluster, asking there, without the data that are there.
    Join {
        at: HostPort,
        cluster: Cluster,
        why: String,
    },
}

/// What to do, or why nothing can be done yet.
pub(super) fn decide(settings: &Settings, own: &Own, view: &View) -> Result<Way, String> {
    let serving = view.serving();
    let own_cluster =
        |(_, cluster): &&(&HostPort, &Cluster)| matches!(&own.data, Data::Whole(own) if own.cluster == cluster.id);
    if let Some((at, cluster)) = serving.iter().find(own_cluster).or(serving.first()) {
        return match &serving[..] {
            [(one, _), (other, _), ..] if own.data == Data::Nothing => Err(format!(
                "{one} and {other} are of two clusters, and each has a quorum: `nova status` says more"
            )),
            _ => beside(settings, own, at, cluster),
        };
    }
    let name = &settings.start.member;
    match &own.data {
        Data::Whole(_) if own.may_form => Ok(Way::Alone),
        // Whatever it does with them, it does in the cluster that they are of.
        Data::Whole(_) => Ok(Way::AsItIs),
        Data::Damaged(why) => Err(format!(
            "{why}, and there is no quorum to copy everything from: {}. Start the others, or `nova member recover {name}` \
             forms a new cluster",
            silent(view)
        )),
        Data::Nothing if own.may_form => Ok(Way::Form),
        Data::Nothing if own.was_formed => Err(format!(
            "it has no data, the platform's cluster was formed before, and there is no quorum to copy everything from: {}. Start the \
             others; if their data are lost as well, `nova member recover etcd` forms a new cluster, into which Patroni writes its \
             state anew",
            silent(view)
        )),
        Data::Nothing => first(settings, view),
    }
}

/// A cluster with a quorum is there.
fn beside(settings: &Settings, own: &Own, at: &HostPort, cluster: &Cluster) -> Result<Way, String> {
    let name = &settings.start.member;
    let join = |why: String| {
        Ok(Way::Join {
            at: at.clone(),
            cluster: cluster.clone(),
            why,
        })
    };
    match &own.data {
        Data::Nothing => join("it has no data".to_owned()),
        Data::Damaged(why) => join(why.clone()),
        Data::Whole(identity) if identity.cluster != cluster.id => Err(format!(
            "its data are of the cluster {:x}, and {at} is one of the cluster {:x}: two clusters. Find out which one PostgreSQL's leader \
             is in; `nova member replace` gives up what a member of the other one has (it is moved aside, not deleted)",
            identity.cluster, cluster.id
        )),
        Data::Whole(identity) if !cluster.members.iter().any(|member| member.id == identity.member) => {
            join(format!("{name} was removed from the cluster"))
        }
        Data::Whole(_) if own.is_doubted => join("with its data it ended again and again before it served".to_owned()),
        Data::Whole(_) => Ok(Way::AsItIs),
    }
}

/// Nobody has a quorum, and there never was a cluster as far as is known here.
fn first(settings: &Settings, view: &View) -> Result<Way, String> {
    let mut open = Vec::new();
    for (member, seen) in &view.0 {
        match seen {
            Seen::Empty(described) if *described == settings.names() => {}
            Seen::Empty(_) => open.push(format!("{member} is described with other members")),
            Seen::Alone(listed) if is_forming(settings, listed) => {}
            Seen::Alone(_) => open.push(format!("{member} has data, and no quorum")),
            Seen::Silent => open.push(format!("{member} does not answer")),
            // There is none.
            Seen::Serves(..) => {}
        }
    }
    if open.is_empty() {
        return Ok(Way::Form);
    }
    Err(format!(
        "only when nobody has data may a cluster be formed: {}",
        open.join(", ")
    ))
}

/// Whether this is the cluster that the described members form at this moment, and that this one has not been part of.
fn is_forming(settings: &Settings, listed: &[Listed]) -> bool {
    let described = settings.members.members.iter();
    let all = described.clone().all(|host| {
        let url = settings.peer_url(host);
        let found = listed.iter().find(|member| member.peers.contains(&url));
        let is_own = host.member == settings.start.member;
        found.is_some_and(|member| {
            member.name == host.member && !member.is_learner && (!is_own || member.clients.is_empty())
        })
    });
    all && listed.len() == described.count()
}

fn silent(view: &View) -> String {
    if view.0.is_empty() {
        return "there are no others".to_owned();
    }
    let told = view.0.iter().map(|(member, seen)| match seen {
        Seen::Silent => format!("{member} does not answer"),
        Seen::Empty(_) => format!("{member} has no data either"),
        Seen::Alone(_) => format!("{member} has data, and no quorum"),
        Seen::Serves(..) => format!("{member} serves"),
    });
    told.collect::<Vec<_>>().join(", ")
}
