//! Takes a platform down, dependents first, and looks afterwards whether anything is left.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::time::{Duration, Instant};

use futures::future::join_all;
use nova_platform::target::Removal;
use nova_platform::topology::components;

use super::{LocalError, LocalTarget, order};
use crate::layout::{FileError, Owner, remove_if_present};
use crate::process::{Ending, end_all, end_member, is_listening};
use crate::supervisor::{LockFile, MemberReport, Record, Registry, Report, Request, wait_until_gone};

/// Time for all members together to end in good order. Whoever has not then is killed, which loses nothing: each store
/// recovers from its log.
const GRACE: Duration = Duration::from_secs(6);
/// What the last to end, the stores, may count on however long the others took.
const LEAST_GRACE: Duration = Duration::from_secs(2);
/// Time for one member when its data goes too: nothing is worth a shutdown in good order then.
const GRACE_WITHOUT_DATA: Duration = Duration::from_millis(500);

impl LocalTarget {
    pub(super) async fn remove_platform(&self, data: bool) -> Result<Removal, LocalError> {
        if !self.has_state()? {
            return Err(self.not_deployed());
        }
        let owner = self.owner()?;
        let mut left = Vec::new();
        let supervised = self.client.list().await.ok();
        let members = self.end_members(supervised, data, &owner, &mut left).await;
        self.end_supervisor(&owner, &mut left).await;
        self.sweep(&owner, &mut left).await;
        if let Err(error) = self.connect_leftovers().await {
            left.push(format!("a node is still cut off: {error}"));
        }
        if let Err(error) = self.empty() {
            left.push(format!("the disk is still full: {error}"));
        }
        for member in &members {
            let taken = member.launch.addresses().filter(is_listening);
            left.extend(
                taken.map(|address| format!("{address}, a port of {}, is still listened on", member.launch.member)),
            );
        }
        // Files of processes that still run would only come back.
        if left.is_empty() {
            self.remove_files(data, &mut left);
        }
        let kept = !data && self.layout.members().exists();
        Ok(Removal {
            members: members.len(),
            left,
            data: kept.then(|| self.layout.directory().display().to_string()),
        })
    }

    /// Ends members in their order, through the supervisor when there is one, else by ourselves.
    async fn end_members(
        &self,
        supervised: Option<Report>,
        data: bool,
        owner: &Owner,
        left: &mut Vec<String>,
    ) -> Vec<MemberReport> {
        if supervised.is_none() {
            // One that does not answer would start again what is ended here.
            self.kill_supervisor(owner, left).await;
        }
        // Without readable notes the members' marks still tell which processes are theirs: the sweep ends them.
        let registry = Registry::load(self.layout.clone()).ok();
        let records: Vec<Record> =
            registry.map_or_else(Vec::new, |registry| registry.members().values().cloned().collect());
        let members = match &supervised {
            Some(report) => report.members.clone(),
            None => records.iter().map(Record::report).collect(),
        };
        let begin = Instant::now();
        for level in order::levels(&components(&self.spec), &members) {
            let grace = if data {
                GRACE_WITHOUT_DATA
            } else {
                GRACE.saturating_sub(begin.elapsed()).max(LEAST_GRACE)
            };
            let ends = level
                .iter()
                .map(|member| self.end_one(member, grace, supervised.is_some(), &records, owner));
            left.extend(join_all(ends).await.into_iter().flatten());
        }
        members
    }

    /// Returns what is left, in words.
    async fn end_one(
        &self,
        member: &str,
        grace: Duration,
        supervised: bool,
        records: &[Record],
        owner: &Owner,
    ) -> Option<String> {
        if supervised {
            let stop = Request::Stop {
                member: member.to_owned(),
                grace_ms: u64::try_from(grace.as_millis()).ok(),
            };
            match self.client.ask(&stop).await {
                Ok(_) => return None,
                Err(error) => tracing::warn!(member, %error, "the supervisor cannot end it"),
            }
        }
        let record = records.iter().find(|record| record.launch.member == member)?;
        let ending = Ending {
            signal: record.launch.stop_signal,
            grace: record.launch.stop_grace().min(grace),
        };
        let ended = end_member(&record.family(&self.layout), owner.uid, ending).await;
        ended.err().map(|survivors| format!("{member}: {survivors}"))
    }

    async fn end_supervisor(&self, owner: &Owner, left: &mut Vec<String>) {
        let asked = self.client.ask(&Request::Shutdown).await.is_ok();
        if !asked || wait_until_gone(&self.layout).await.is_err() {
            self.kill_supervisor(owner, left).await;
        }
    }

    async fn kill_supervisor(&self, owner: &Owner, left: &mut Vec<String>) {
        let lock = self.layout.supervisor_lock();
        let Some(holder) = LockFile::holder(&lock).ok().flatten() else {
            return;
        };
        if let Err(survivors) = end_all(owner.uid, |_| vec![holder.process]).await {
            left.push(format!("the supervisor: {survivors}"));
        }
    }

    /// Ends what still carries the mark of a member, known or not.
    async fn sweep(&self, owner: &Owner, left: &mut Vec<String>) {
        if let Err(survivors) = end_all(owner.uid, |table| table.of_platform(&self.layout)).await {
            left.push(survivors.to_string());
        }
    }

    fn remove_files(&self, data: bool, left: &mut Vec<String>) {
        let directory = self.layout.directory();
        if data {
            remove_all_of(directory, left);
            // Only when it was the last platform, and never the home of the members' user.
            if let Some(root) = directory.parent()
                && !nix::unistd::geteuid().is_root()
            {
                let _ = fs::remove_dir(root);
            }
            return;
        }
        let stays = [
            self.layout.members(),
            self.layout.secrets_file(),
            // The data keep what the next deploy must not change.
            self.layout.deployed_file(),
            self.layout.platform_file(),
            self.layout.etcd_mark(),
            self.layout.command_lock(),
        ];
        for path in entries(directory, left) {
            if !stays.contains(&path) {
                note(remove_if_present(&path), left);
            }
        }
        // The lock goes last: until then no other command may begin.
        note(remove_if_present(&self.layout.command_lock()), left);
    }
}

/// A directory with everything in it. One that a file system is mounted at stays, and is empty.
fn remove_all_of(directory: &Path, left: &mut Vec<String>) {
    match remove_if_present(directory) {
        Err(FileError::Io { source, .. }) if source.kind() == ErrorKind::ResourceBusy => {
            for path in entries(directory, left) {
                note(remove_if_present(&path), left);
            }
        }
        removed => note(removed, left),
    }
}

fn entries(directory: &Path, left: &mut Vec<String>) -> Vec<std::path::PathBuf> {
    match fs::read_dir(directory) {
        Ok(entries) => entries.flatten().map(|entry| entry.path()).collect(),
        Err(error) => {
            left.push(format!("cannot read {}: {error}", directory.display()));
            Vec::new()
        }
    }
}

fn note(removed: Result<(), FileError>, left: &mut Vec<String>) {
    if let Err(error) = removed {
        left.push(match std::error::Error::source(&error) {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        });
    }
}
