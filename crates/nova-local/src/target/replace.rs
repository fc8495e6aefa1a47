//! Starts members without what they have, which is moved aside and never deleted.

use std::fs;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use nova_member::etcd_start::FORMS;
use nova_platform::components::ComponentId;
use nova_platform::topology::{Kind, components};

use super::{LocalError, LocalTarget};
use crate::layout::{FileError, ensure_directory, write_atomic};

/// A member's data, in its directory.
const DATA: &str = "data";

impl LocalTarget {
    /// Ends a member, moves its data aside and starts it again: it takes from the others what it needs. Returns where its data are now;
    /// `None` when there were none.
    ///
    /// # Errors
    /// When there is no such member, or it cannot be ended or started.
    pub async fn start_without_data(&self, member: &str) -> Result<Option<PathBuf>, LocalError> {
        let [report] = &self.reports_of(&[member.to_owned()]).await?[..] else {
            return Err(LocalError::NotDeployed(self.layout.platform()));
        };
        self.stop(report, None).await?;
        let home = self.layout.member(member);
        let data = home.join(DATA);
        let mut aside = None;
        if data.exists() {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            let to = home.join(format!("{DATA}.aside-{:020}", now.as_nanos()));
            fs::rename(&data, &to).map_err(|error| FileError::new("move aside", &data, error))?;
            aside = Some(to);
        }
        // Kafka formats a directory that is not there, and etcd makes its own.
        if matches!(report.launch.component, ComponentId::Postgres | ComponentId::Redis) {
            ensure_directory(&data, 0o700, &self.owner()?)?;
        }
        self.start(report).await?;
        Ok(aside)
    }

    /// Has etcd form a new cluster: from what this member has, or an empty one when none has anything.
    ///
    /// # Errors
    /// [`LocalError::Recover`] when some have data and none is named, or the named one has none.
    pub async fn form_etcd_anew(&self, from: Option<&str>) -> Result<(), LocalError> {
        let etcd = components(&self.spec)
            .into_iter()
            .flat_map(|component| component.members);
        let names: Vec<String> = etcd
            .filter(|member| member.kind == Kind::Etcd)
            .map(|member| member.name)
            .collect();
        let has_data = |name: &str| self.layout.member(name).join(DATA).join("member/wal").is_dir();
        let with_data: Vec<&str> = names.iter().map(String::as_str).filter(|name| has_data(name)).collect();
        let forming: Vec<&str> = match from {
            Some(name) if with_data.contains(&name) => vec![name],
            Some(name) => {
                return Err(LocalError::Recover(format!(
                    "{name} has no data to form a cluster from"
                )));
            }
            None if with_data.is_empty() => names.iter().map(String::as_str).collect(),
            None => {
                return Err(LocalError::Recover(format!(
                    "{} still has data; `nova member recover {}` forms the cluster from them",
                    with_data.join(", "),
                    with_data[0]
                )));
            }
        };
        let mut reports = self.reports_of(&names).await?;
        for report in &reports {
            self.stop(report, None).await?;
        }
        for name in &forming {
            write_atomic(&self.layout.member(name).join(FORMS), b"", 0o600, &self.owner()?)?;
        }
        // The others join it, whatever they have.
        reports.sort_by_key(|report| !forming.contains(&report.launch.member.as_str()));
        for report in &reports {
            self.start(report).await?;
        }
        Ok(())
    }
}
