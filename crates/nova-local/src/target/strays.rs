//! A platform whose state directory was removed while it ran: its processes are found by what they carry and where they write, ended,
//! and what they wrote since is moved aside.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use nova_platform::target::Removal;

use super::{LocalError, LocalTarget};
use crate::layout::{FileError, Owner};
use crate::process::{Identity, Table, end_all};

impl LocalTarget {
    /// The processes of this platform that have lost their state directory; none while that is there, or when nothing runs.
    ///
    /// Known by the mark in their environment, by their log, or as their supervisor by its own. What a person runs in the
    /// directory shows none of these.
    ///
    /// # Errors
    /// When root runs this and the platform's directory exists, but not the system user.
    pub fn strays(&self) -> Result<Vec<Identity>, LocalError> {
        if self.layout.platform_file().exists() {
            return Ok(Vec::new());
        }
        let owner = match self.owner() {
            Ok(owner) => owner,
            // Nobody to run as: nothing of it can run.
            Err(_) if !self.layout.directory().exists() => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        Ok(self.find_strays(&Table::read(owner.uid)))
    }

    /// [`LocalError::StateLost`] when there are strays.
    pub(super) fn has_not_lost_its_state(&self) -> Result<(), LocalError> {
        match self.strays()?.len() {
            0 => Ok(()),
            processes => Err(LocalError::StateLost {
                directory: self.layout.directory().to_owned(),
                processes,
            }),
        }
    }

    fn find_strays(&self, table: &Table) -> Vec<Identity> {
        let mut found = table.supervisor(&self.layout);
        found.extend(table.of_platform(&self.layout));
        found.sort_unstable_by_key(|process| process.pid);
        found.dedup();
        found
    }

    /// Ends them all, and moves what stands in the state directory aside: without `platform.json` nobody can tell whose that is.
    /// `data` of the answer says where to.
    ///
    /// # Errors
    /// As [`LocalTarget::strays`].
    pub async fn remove_strays(&self) -> Result<Removal, LocalError> {
        let owner = self.owner()?;
        let found = self.strays()?;
        let mut left = Vec::new();
        // The supervisor first: it would start again what is ended here.
        for end in [
            end_all(owner.uid, |table| table.supervisor(&self.layout)).await,
            end_all(owner.uid, |table| self.find_strays(table)).await,
        ] {
            left.extend(end.err().map(|survivors| survivors.to_string()));
        }
        if let Err(error) = self.connect_leftovers().await {
            left.push(format!("a node is still cut off: {error}"));
        }
        let data = if left.is_empty() {
            self.move_aside(&owner)?
        } else {
            None
        };
        Ok(Removal {
            members: found.len(),
            left,
            data: data.map(|path| path.display().to_string()),
        })
    }

    /// Where what was there is now; `None` when there was nothing.
    fn move_aside(&self, owner: &Owner) -> Result<Option<PathBuf>, LocalError> {
        let directory = self.layout.directory();
        let Ok(metadata) = std::fs::symlink_metadata(directory) else {
            return Ok(None);
        };
        if !metadata.is_dir() || crate::layout::examine(&self.layout, owner).is_ok_and(|there| !there) {
            // Empty, or nothing that a member could have made.
            return Ok(None);
        }
        let seconds = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs();
        let aside = directory.with_file_name(format!("{}.left-{seconds}", self.layout.platform()));
        std::fs::rename(directory, &aside).map_err(|error| FileError::new("move aside", directory, error))?;
        Ok(Some(aside))
    }
}
