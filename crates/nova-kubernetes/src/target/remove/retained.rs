//! Volumes that outlive their claims: where a storage class retains them, a cleanup with data is not the end of the data.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::PersistentVolume;
use kube::Api;
use kube::api::ListParams;

use crate::names::Area;
use crate::target::KubernetesTarget;

/// What [`KubernetesTarget`] knows of the volumes behind a platform's claims before these go.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Retained {
    /// These stay, by name.
    Volumes(BTreeSet<String>),
    /// Whether some stay cannot be told; why, in words.
    Unknown(String),
}

impl KubernetesTarget {
    /// The volumes that keep the platform's data after its claims are deleted, those of earlier platforms of this name included.
    pub(super) async fn retained_volumes(&self) -> Retained {
        let all: Api<PersistentVolume> = Api::all(self.client().clone());
        match all.list(&ListParams::default()).await {
            Ok(list) => {
                let namespaces = Area::ALL.map(|area| area.namespace(&self.spec));
                Retained::Volumes(retained(&list.items, &namespaces))
            }
            Err(error) => Retained::Unknown(crate::target::explain(&error)),
        }
    }
}

impl Retained {
    /// What a cleanup says of it; `None` when nothing stays.
    pub(super) fn told(&self) -> Option<String> {
        match self {
            Self::Volumes(names) if names.is_empty() => None,
            Self::Volumes(names) => {
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                let names = names.join(" ");
                Some(format!(
                    "the data in the volumes {names}, since their reclaim policy is Retain (to delete it: kubectl patch pv {names} -p \
                     '{{\"spec\":{{\"persistentVolumeReclaimPolicy\":\"Delete\"}}}}', or as whoever made them says)"
                ))
            }
            Self::Unknown(why) => Some(format!(
                "whether volumes still hold data cannot be told, since they may not be listed ({why}): see kubectl get pv"
            )),
        }
    }
}

fn retained(volumes: &[PersistentVolume], namespaces: &[String]) -> BTreeSet<String> {
    let is_ours = |volume: &&PersistentVolume| {
        let spec = volume.spec.as_ref();
        let claim = spec.and_then(|spec| spec.claim_ref.as_ref());
        let namespace = claim.and_then(|claim| claim.namespace.as_ref());
        let retains = spec.and_then(|spec| spec.persistent_volume_reclaim_policy.as_deref()) == Some("Retain");
        retains && namespace.is_some_and(|namespace| namespaces.contains(namespace))
    };
    let ours = volumes.iter().filter(is_ours);
    ours.filter_map(|volume| volume.metadata.name.clone()).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use std::collections::BTreeSet;

    use k8s_openapi::api::core::v1::PersistentVolume;
    use serde_json::json;

    use super::{Retained, retained};

    fn volume(name: &str, policy: &str, namespace: Option<&str>) -> PersistentVolume {
        let claim = namespace.map(|namespace| json!({"namespace": namespace, "name": "data-redis-1"}));
        serde_json::from_value(json!({
            "metadata": {"name": name},
            "spec": {"persistentVolumeReclaimPolicy": policy, "claimRef": claim},
        }))
        .unwrap()
    }

    #[test]
    fn only_what_is_retained_of_our_namespaces_is_named() {
        let volumes = [
            volume("a", "Retain", Some("nova-redis")),
            volume("b", "Delete", Some("nova-redis")),
            volume("c", "Retain", Some("somebody")),
            volume("d", "Retain", None),
        ];
        let found = Retained::Volumes(retained(&volumes, &["nova-redis".to_owned()]));
        assert_eq!(found, Retained::Volumes(BTreeSet::from(["a".to_owned()])));
        let said = found.told().unwrap();
        assert!(
            said.contains("the volumes a, since") && said.contains("kubectl patch pv a -p"),
            "{said}"
        );
        assert_eq!(Retained::Volumes(BTreeSet::new()).told(), None);
    }
}
