//! Where docs/guide.md says what to do about a failure on a cluster: every failure block there links to its section.

use nova_kubernetes::images::ImagesError;
use nova_kubernetes::target::KubernetesError;
use nova_kubernetes::target::preflight::Lacking;
use nova_platform::probe::CheckKind;
use nova_platform::rollout::{Failure, Reason};

/// A section of the guide's troubleshooting, by its heading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Section(&'static str);

impl Section {
    const NO_CLUSTER: Self = Self("No cluster answers");
    const PERMISSIONS: Self = Self("A permission is missing");
    const LACKING: Self = Self("The cluster lacks something");
    const NAMESPACE: Self = Self("A namespace is there that nova did not make");
    const NOT_BUILT: Self = Self("Images cannot be built or loaded");
    const NOT_PULLED: Self = Self("An image cannot be pulled");
    const ENDING: Self = Self("A pod keeps ending");
    const UNSCHEDULED: Self = Self("A pod cannot be scheduled");
    const CONFLICT: Self = Self("Somebody else owns a field");
    const REFUSED: Self = Self("The API server refuses something");
    const LOCKED: Self = Self("Another deploy is at work");
    const SLOW: Self = Self("A check does not pass in time (exit 4)");
    const NO_AGENT: Self = Self("No agent answers");
    const SECRETS: Self = Self("A Secret is gone or damaged");
    #[cfg(test)]
    const ALL: [Self; 14] = [
        Self::NO_CLUSTER,
        Self::PERMISSIONS,
        Self::LACKING,
        Self::NAMESPACE,
        Self::NOT_BUILT,
        Self::NOT_PULLED,
        Self::ENDING,
        Self::UNSCHEDULED,
        Self::CONFLICT,
        Self::REFUSED,
        Self::LOCKED,
        Self::SLOW,
        Self::NO_AGENT,
        Self::SECRETS,
    ];

    /// Of a command that failed; `None` when no cluster had to do with it.
    pub(crate) fn of_error(error: &anyhow::Error) -> Option<Self> {
        error.chain().find_map(|cause| {
            if cause.is::<Lacking>() {
                return Some(Self::LACKING);
            }
            if cause.is::<ImagesError>() {
                return Some(Self::NOT_BUILT);
            }
            cause.downcast_ref().and_then(Self::of_cluster)
        })
    }

    fn of_cluster(error: &KubernetesError) -> Option<Self> {
        Some(match error {
            KubernetesError::Kubeconfig(_) | KubernetesError::Context { .. } | KubernetesError::Silent { .. } => {
                Self::NO_CLUSTER
            }
            KubernetesError::Forbidden { .. } => Self::PERMISSIONS,
            KubernetesError::Api { .. } => Self::REFUSED,
            KubernetesError::Conflict { .. } => Self::CONFLICT,
            KubernetesError::Foreign { .. } => Self::NAMESPACE,
            KubernetesError::Locked { .. } | KubernetesError::LockLost(_) => Self::LOCKED,
            KubernetesError::SecretsLost { .. }
            | KubernetesError::Secrets { .. }
            | KubernetesError::Credentials(_)
            | KubernetesError::Inventory(..) => Self::SECRETS,
            KubernetesError::NotDeployed(_)
            | KubernetesError::NoMember { .. }
            | KubernetesError::Unsupported(_)
            | KubernetesError::EtcdShrinks { .. } => {
                return None;
            }
        })
    }

    /// Of a rollout on a cluster that ended without a platform; `None` when the user ended it.
    pub(crate) fn of_rollout(failure: &Failure) -> Option<Self> {
        Some(match &failure.reason {
            _ if failure.interrupted => return None,
            // In the cluster's words, which are all that a rollout keeps of an error.
            Reason::Target(why) if why.contains("is owned by") => Self::CONFLICT,
            Reason::Target(_) => Self::REFUSED,
            Reason::CannotStart(why) if why.contains("Image") => Self::NOT_PULLED,
            Reason::CannotStart(why) if why.contains("nodes are available") => Self::UNSCHEDULED,
            Reason::CannotStart(_) | Reason::CrashLoop { .. } => Self::ENDING,
            Reason::TimedOut(_) if failure.failing.iter().any(|(_, check)| check.kind == CheckKind::Agent) => {
                Self::NO_AGENT
            }
            Reason::TimedOut(_) => Self::SLOW,
            Reason::Interrupted | Reason::Skipped => return None,
        })
    }

    /// The link, as Markdown viewers make anchors of headings.
    pub(crate) fn link(self) -> String {
        let anchor = self.0.to_lowercase().replace(' ', "-");
        let anchor = anchor.replace(|letter: char| !letter.is_alphanumeric() && letter != '-', "");
        format!("docs/guide.md#{anchor}")
    }
}

#[cfg(test)]
mod tests {
    use super::Section;

    #[test]
    fn every_section_is_in_the_guide() {
        let guide = include_str!("../../../../docs/guide.md");
        for section in Section::ALL {
            let heading = format!("### {}", section.0);
            assert!(guide.lines().any(|line| line == heading), "{heading}");
        }
    }

    #[test]
    fn links_are_anchors_of_headings() {
        assert_eq!(
            Section::SLOW.link(),
            "docs/guide.md#a-check-does-not-pass-in-time-exit-4"
        );
    }
}
