//! Which settings a deploy changes, what that means, and which of them it refuses.

use nova_kubernetes::target::KubernetesTarget;
use nova_local::target::LocalTarget;
use nova_platform::load;
use nova_platform::transition::{Change, Deployed, Place, problems};
use serde_json::Value;

use super::Session;
use crate::output::table;

/// What was deployed last, and what differs from it now.
pub(super) struct Transition {
    before: Option<Deployed>,
    /// What differs.
    pub(super) changes: Vec<Change>,
    /// Something runs of which nobody noted how it was described.
    is_unknown: bool,
}

impl Transition {
    pub(super) fn here(session: &Session, target: &LocalTarget) -> anyhow::Result<Self> {
        let before = target.deployed()?;
        let is_unknown = before.is_none() && target.is_deployed()?;
        Ok(Self::of(session, before, is_unknown, Place::Local))
    }

    pub(super) async fn in_cluster(session: &Session, target: &KubernetesTarget) -> anyhow::Result<Self> {
        let before = target.deployed().await?;
        let is_unknown = before.is_none() && target.is_deployed().await?;
        Ok(Self::of(session, before, is_unknown, Place::Kubernetes))
    }

    fn of(session: &Session, before: Option<Deployed>, is_unknown: bool, place: Place) -> Self {
        let changes = before.as_ref().map(|before| before.changes(session.spec(), place));
        Self {
            changes: changes.unwrap_or_default(),
            before,
            is_unknown,
        }
    }

    /// Ends the command where a change is refused: at its line, with the reason and the way there.
    pub(super) fn refuse(&self, session: &Session) -> anyhow::Result<()> {
        Ok(load::refuse(session.source.as_deref(), &problems(&self.changes))?)
    }

    /// The note before anything is applied.
    pub(super) fn begun(&self, session: &Session) -> Deployed {
        Deployed::begun(self.before.as_ref(), session.spec())
    }

    /// For people; nothing when nothing differs.
    pub(super) fn text(&self) -> String {
        if self.is_unknown {
            return "settings: those of the last deploy are not known, so no setting is compared this time\n"
                .to_owned();
        }
        if self.changes.is_empty() {
            return String::new();
        }
        let shown = |value: &Option<Value>| match value {
            None => "nothing".to_owned(),
            Some(Value::Object(_)) => "an entry".to_owned(),
            Some(value) => value.to_string(),
        };
        let row = |change: &Change| {
            vec![
                change.class.to_string(),
                change.setting.clone(),
                format!("{} -> {}", shown(&change.before), shown(&change.after)),
                change.cost.clone(),
            ]
        };
        let rows: Vec<_> = self.changes.iter().map(row).collect();
        format!("settings: {} changed\n{}", rows.len(), table(&rows, 2))
    }
}
