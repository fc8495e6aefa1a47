//! Where a member finds and leaves its files: all in one directory, or in directories that a container has mounted.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::StartError;
use crate::files::{read_text, write};

/// The directories of one member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// One directory for everything; passwords stand in `start.json`.
    Directory(PathBuf),
    /// What a container has.
    Mounted {
        /// Settings, read-only: `<member>.<file>` for what is one member's, `<file>` for what all of a kind share.
        config: PathBuf,
        /// The member's name.
        member: String,
        /// One file a password, read-only.
        secrets: PathBuf,
        /// What outlives the container. Each program has a directory of its own in it.
        data: PathBuf,
        /// The working directory: what is made anew on each start.
        run: PathBuf,
    },
}

impl Place {
    /// The working directory.
    pub(crate) fn run(&self) -> &Path {
        match self {
            Self::Directory(directory) => directory,
            Self::Mounted { run, .. } => run,
        }
    }

    /// Where a program keeps its data.
    pub(crate) fn data(&self, program: &str) -> PathBuf {
        match self {
            Self::Directory(directory) => directory.join("data"),
            Self::Mounted { data, .. } => data.join(program),
        }
    }

    /// The same for a configuration file; relative where the working directory is above it, since its path may hold anything.
    pub(crate) fn data_setting(&self, program: &str) -> String {
        match self {
            Self::Directory(_) => "data".to_owned(),
            Self::Mounted { .. } => self.data(program).display().to_string(),
        }
    }

    /// A file that outlives the start although it is no data: what a Sentinel learns.
    pub(crate) fn kept(&self, file: &str) -> PathBuf {
        match self {
            Self::Directory(directory) => directory.join(file),
            Self::Mounted { data, .. } => data.join(file),
        }
    }

    /// A file of settings: the member's own, or that of its kind.
    pub(crate) fn config(&self, file: &str) -> PathBuf {
        match self {
            Self::Directory(directory) => directory.join(file),
            Self::Mounted { config, member, .. } => {
                let own = config.join(format!("{member}.{file}"));
                if own.exists() { own } else { config.join(file) }
            }
        }
    }

    /// A password from its file; `None` where there are no such files.
    pub(crate) fn password(&self, name: &str) -> Result<Option<String>, StartError> {
        match self {
            Self::Directory(_) => Ok(None),
            Self::Mounted { secrets, .. } => {
                let text = read_text(&secrets.join(name))?;
                let text = text.trim_end_matches(['\r', '\n']);
                if text.is_empty() {
                    return Err(StartError::NoPassword(name.to_owned()));
                }
                Ok(Some(text.to_owned()))
            }
        }
    }

    /// How long a member waits for its role before it ends and is started anew. In a container it waits on: one that ends
    /// begins again after a pause that grows to minutes. It stays below the five minutes that a container has to start.
    pub(crate) fn patience(&self) -> Duration {
        match self {
            Self::Directory(_) => Duration::from_secs(30),
            Self::Mounted { .. } => Duration::from_secs(240),
        }
    }

    /// Puts settings into the working directory, where programs look for them by name.
    pub(crate) fn bring(&self, files: &[&str]) -> Result<(), StartError> {
        let Self::Mounted { run, .. } = self else {
            return Ok(());
        };
        for file in files {
            write(&run.join(file), &read_text(&self.config(file))?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
