//! How an etcd member finds its cluster before it starts, so that there is never a second one.
//!
//! A quorum of the others decides: a member that they know starts with its data; one without data, with damaged data, or that was removed
//! meanwhile joins anew as a learner, which has no vote until it has caught up ([`crate::etcd_watch`] has it promoted). Where no quorum
//! answers, data are started as they are: they can only be part of the cluster that they are of. Without data, a new cluster is formed
//! only when there never was one and every other member says that it has none either. In every other case it waits, and says for whom.

mod data;
mod decide;
mod join;
mod view;

use std::convert::Infallible;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::address::HostPort;
use crate::error::StartError;
use crate::files::{file_error, read_if_present, read_json, read_text, write};
use crate::place::Place;
use crate::start::exec;
use data::Data;
use decide::{Way, decide};
use view::{View, answer_as_empty};

/// Pause between two looks at the others.
const ROUND: Duration = Duration::from_millis(100);
/// A member that waits says so at least this often.
const HEARTBEAT: Duration = Duration::from_secs(10);
/// Starts after each of which it ended before it served: then its data are taken for damaged, should others have them.
const TRIES: u32 = 2;
/// The name of etcd's directory on a volume.
const PROGRAM: &str = "etcd";
/// In the settings that all members of a StatefulSet share, each one's own name.
const ANY_MEMBER: &str = "$(NOVA_MEMBER)";
/// Kept beside the data: the cluster that this member is of.
const CLUSTER: &str = "etcd-cluster";
/// Kept beside the data: starts since it last served.
const STARTS: &str = "etcd-starts";
/// Kept beside the data, by whoever takes the member out of the cluster: it is not to join again.
pub const LEAVES: &str = "etcd-leaves";
/// Kept beside the data, by whoever was told so by a human: a new cluster may be formed from what is here, even if that is nothing.
pub const FORMS: &str = "etcd-forms";

/// What to run: `start.json`. A change of it restarts the member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Start {
    /// `etcd`.
    pub server: PathBuf,
    /// The member's name.
    pub member: String,
    /// The address that it listens on.
    pub bind: String,
    /// Its arguments, all but those that only count for its first start.
    pub arguments: Vec<String>,
    /// Bytes above which etcd refuses writes.
    pub quota: u64,
    /// A file that says that this platform's cluster was formed, where all members can see it.
    #[serde(default)]
    pub mark: Option<PathBuf>,
}

/// Who else there is: `members.json`. It is looked at on each start, and a change of it restarts nobody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Members {
    /// What a new cluster is made different with from those of other platforms.
    pub token: String,
    /// Port for clients.
    pub client_port: u16,
    /// Port between members.
    pub peer_port: u16,
    /// All members, this one included.
    pub members: Vec<Host>,
}

/// A member and where it is met.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// Such as `etcd-1`.
    pub member: String,
    /// An address, or a name that resolves to one.
    pub host: String,
}

/// Both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) start: Start,
    pub(crate) members: Members,
}

impl Settings {
    pub(crate) fn read(place: &Place) -> Result<Self, StartError> {
        let path = place.config("start.json");
        let mut text = read_text(&path)?;
        if let Place::Mounted { member, .. } = place {
            text = text.replace(ANY_MEMBER, member);
        }
        Ok(Self {
            start: serde_json::from_str(&text).map_err(|source| StartError::Damaged { path, source })?,
            members: read_json(&place.config("members.json"))?,
        })
    }

    /// Where clients meet a member.
    pub(crate) fn client(&self, host: &Host) -> HostPort {
        HostPort::new(&host.host, self.members.client_port)
    }

    fn peer(&self, host: &Host) -> HostPort {
        HostPort::new(&host.host, self.members.peer_port)
    }

    /// The same as etcd writes it.
    pub(crate) fn peer_url(&self, host: &Host) -> String {
        format!("http://{}", self.peer(host))
    }

    pub(crate) fn own(&self) -> Result<&Host, StartError> {
        let own = self
            .members
            .members
            .iter()
            .find(|host| host.member == self.start.member);
        own.ok_or_else(|| StartError::NotDescribed(self.start.member.clone()))
    }

    pub(crate) fn others(&self) -> impl Iterator<Item = &Host> {
        let own = &self.start.member;
        self.members.members.iter().filter(move |host| host.member != *own)
    }

    fn names(&self) -> Vec<String> {
        self.members.members.iter().map(|host| host.member.clone()).collect()
    }
}

/// What a member keeps beside its data.
pub(crate) struct Kept<'a>(pub(crate) &'a Place);

impl Kept<'_> {
    /// The cluster that it was of when it last served.
    pub(crate) fn cluster(&self) -> Result<Option<String>, StartError> {
        let text = read_if_present(&self.0.kept(CLUSTER))?;
        Ok(Some(text.trim().to_owned()).filter(|text| !text.is_empty()))
    }

    /// It serves: in this cluster, and its data are sound. What a human allowed is used up.
    pub(crate) fn serves(&self, cluster: &str) -> Result<(), StartError> {
        if self.cluster()?.as_deref() != Some(cluster) {
            write(&self.0.kept(CLUSTER), cluster)?;
        }
        for used in [STARTS, FORMS] {
            self.remove(used)?;
        }
        Ok(())
    }

    /// It was started, and not seen to serve since.
    pub(crate) fn is_starting(&self) -> bool {
        self.has(STARTS)
    }

    fn starts(&self) -> Result<u32, StartError> {
        Ok(read_if_present(&self.0.kept(STARTS))?.trim().parse().unwrap_or(0))
    }

    fn begins(&self) -> Result<(), StartError> {
        let starts = self.starts()?.saturating_add(1);
        write(&self.0.kept(STARTS), &starts.to_string())
    }

    fn has(&self, file: &str) -> bool {
        self.0.kept(file).exists()
    }

    fn remove(&self, file: &str) -> Result<(), StartError> {
        let path = self.0.kept(file);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(file_error(&path, error)),
            _ => Ok(()),
        }
    }
}

/// Becomes the etcd member of this place.
///
/// # Errors
/// When it is not to be part of the cluster, its files cannot be used, or its program cannot run. Otherwise it waits, for as long as it
/// takes.
pub fn run(place: &Place) -> Result<Infallible, StartError> {
    let settings = Settings::read(place)?;
    let kept = Kept(place);
    if kept.has(LEAVES) {
        return Err(StartError::Leaves(settings.start.member));
    }
    let arguments = find_way(&settings, place, &kept)?;
    kept.begins()?;
    let server = &settings.start.server;
    exec(
        Command::new(server).args(&settings.start.arguments).args(arguments),
        server,
    )
}

/// The arguments that say which cluster it is part of.
fn find_way(settings: &Settings, place: &Place, kept: &Kept<'_>) -> Result<Vec<String>, StartError> {
    let directory = place.data(PROGRAM);
    let (mut said, mut when) = (String::new(), Instant::now());
    let mut answering = None;
    loop {
        let data = Data::look(&directory)?;
        if data == Data::Nothing && answering.is_none() {
            answering = answer_as_empty(settings);
        }
        let own = decide::Own {
            data,
            is_doubted: kept.starts()? >= TRIES,
            was_formed: kept.cluster()?.is_some() || settings.start.mark.as_ref().is_some_and(|mark| mark.exists()),
            may_form: kept.has(FORMS),
        };
        let view = View::ask(settings);
        let why_not = match decide(settings, &own, &view) {
            Ok(Way::Form) => {
                println!("nova: no member has any data, and there never was a cluster: it is formed");
                return Ok(form(settings));
            }
            Ok(Way::AsItIs) => return existing(settings),
            Ok(Way::Alone) => {
                println!("nova: a new cluster is formed from the data of this member alone, as it was told");
                let mut arguments = existing(settings)?;
                arguments.push("--force-new-cluster=true".to_owned());
                return Ok(arguments);
            }
            Ok(Way::Join { at, cluster, why }) => {
                match join::join(settings, &own.data, &directory, &at, cluster, why, kept) {
                    Ok(arguments) => return Ok(arguments),
                    Err(join::Failed::Later(why_not)) => why_not,
                    Err(join::Failed::Broken(error)) => return Err(error),
                }
            }
            Err(why_not) => why_not,
        };
        if why_not != said || when.elapsed() > HEARTBEAT {
            println!("nova: {} waits: {why_not}", settings.start.member);
            said = why_not;
            when = Instant::now();
        }
        thread::sleep(ROUND);
    }
}

fn form(settings: &Settings) -> Vec<String> {
    let everybody = settings.members.members.iter();
    initial(
        settings,
        "new",
        everybody.map(|host| (host.member.clone(), settings.peer_url(host))),
    )
}

/// Where there are data, etcd knows the cluster from them, but it wants to be named.
fn existing(settings: &Settings) -> Result<Vec<String>, StartError> {
    let own = settings.own()?;
    Ok(initial(
        settings,
        "existing",
        [(own.member.clone(), settings.peer_url(own))],
    ))
}

fn initial(settings: &Settings, state: &str, members: impl IntoIterator<Item = (String, String)>) -> Vec<String> {
    let members: Vec<String> = members.into_iter().map(|(name, url)| format!("{name}={url}")).collect();
    vec![
        format!("--initial-cluster={}", members.join(",")),
        format!("--initial-cluster-state={state}"),
        format!("--initial-cluster-token={}", settings.members.token),
    ]
}

#[cfg(test)]
mod tests;
