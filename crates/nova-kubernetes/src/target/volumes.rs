//! Volumes whose size changes. The API server never changes the claims of a StatefulSet that is there ("updates to statefulset spec are
//! forbidden"): the claims themselves grow, where their storage class can do that, and the StatefulSet is made anew without its pods.
//! Where that cannot be, the size stays, it is said why, and everything else of the StatefulSet is applied.

use std::time::Duration;

use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use k8s_openapi::api::storage::v1::StorageClass;
use kube::Api;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::object::Key;
use super::preflight::quantity::units;
use super::{KubernetesError, KubernetesTarget};

/// Where the size of a claim stands.
const SIZE: &str = "/spec/resources/requests/storage";
/// Time for a StatefulSet to be gone whose pods stay.
const GONE_WITHIN: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// How the volumes of a StatefulSet that is there differ from what is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Volumes {
    /// Not at all.
    Same,
    /// They are to grow.
    Grow(Sizes),
    /// They would have to shrink, which no volume can.
    Shrink(Sizes),
}

/// A size as it is and as it is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sizes {
    pub(super) live: String,
    pub(super) wanted: String,
}

/// Compares a StatefulSet that is there with the wanted one.
pub(super) fn compare(live: &Value, wanted: &Value) -> Volumes {
    let size = |set: &Value| claim(set).and_then(|claim| Some(claim.pointer(SIZE)?.as_str()?.to_owned()));
    let (Some(live), Some(wanted)) = (size(live), size(wanted)) else {
        return Volumes::Same;
    };
    let sizes = Sizes { live, wanted };
    match (units(&sizes.live), units(&sizes.wanted)) {
        (Some(live), Some(wanted)) if live < wanted => Volumes::Grow(sizes),
        (Some(live), Some(wanted)) if live > wanted => Volumes::Shrink(sizes),
        _ => Volumes::Same,
    }
}

/// The wanted StatefulSet with the sizes of the one that is there: what the API server takes.
pub(super) fn with_sizes_of(live: &Value, wanted: &Value) -> Value {
    let mut object = wanted.clone();
    let place = "/spec/volumeClaimTemplates/0";
    let size = claim(live).and_then(|claim| claim.pointer(SIZE)).cloned();
    if let (Some(size), Some(at)) = (size, object.pointer_mut(&format!("{place}{SIZE}"))) {
        *at = size;
    }
    object
}

/// What a plan says of it: whether it is done, and the words. `growable` is the answer of the storage class.
pub(super) fn told(volumes: &Volumes, growable: Result<(), String>) -> Option<(bool, String)> {
    match volumes {
        Volumes::Same => None,
        Volumes::Grow(Sizes { live, wanted }) => Some(match growable {
            Ok(()) => (true, format!("volumes grow from {live} to {wanted}, pods stay")),
            Err(why) => (false, format!("volumes stay at {live} instead of {wanted}: {why}")),
        }),
        Volumes::Shrink(Sizes { live, wanted }) => Some((
            false,
            format!("volumes stay at {live} instead of {wanted}: no volume can become smaller"),
        )),
    }
}

fn claim(set: &Value) -> Option<&Value> {
    (set["kind"] == "StatefulSet").then(|| set.pointer("/spec/volumeClaimTemplates/0"))?
}

/// Whether a claim was made for a member of this StatefulSet: its name is the template's, the set's and a number.
fn is_of(claim: &str, set: &Value) -> bool {
    let text = |pointer: &str| set.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let prefix = format!(
        "{}-{}-",
        text("/spec/volumeClaimTemplates/0/metadata/name"),
        text("/metadata/name")
    );
    claim
        .strip_prefix(&prefix)
        .is_some_and(|number| !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit()))
}

/// Whether every class that these claims are of can grow a volume.
fn judge(claims: &[PersistentVolumeClaim], classes: &[StorageClass]) -> Result<(), String> {
    for claim in claims {
        let name = claim.spec.as_ref().and_then(|spec| spec.storage_class_name.as_deref());
        let Some(name) = name.filter(|name| !name.is_empty()) else {
            return Err("a claim of theirs has no storage class".to_owned());
        };
        let class = classes
            .iter()
            .find(|class| class.metadata.name.as_deref() == Some(name));
        if class.and_then(|class| class.allow_volume_expansion) != Some(true) {
            return Err(format!(
                "storage class {name} cannot grow volumes (allowVolumeExpansion); allow it there, if its provisioner can, or take the \
                 line in [kubernetes.volumes] back"
            ));
        }
    }
    Ok(())
}

impl KubernetesTarget {
    /// Whether the volumes of a StatefulSet can grow.
    pub(super) async fn growable(&self, wanted: &Value) -> Result<Result<(), String>, KubernetesError> {
        let claims = self.claims_of(wanted).await?;
        let api: Api<StorageClass> = Api::all(self.client().clone());
        let classes = api.list(&ListParams::default()).await;
        let classes = classes.map_err(|error| KubernetesError::api("list", "storage classes", &error))?;
        Ok(judge(&claims, &classes.items))
    }

    /// Grows the claims of a StatefulSet that is there, where that is wanted and possible. Returns what is to be applied then.
    pub(super) async fn grow(&self, wanted: &Value) -> Result<Value, KubernetesError> {
        let Some(key) = Key::of(wanted).filter(|key| key.kind == "StatefulSet") else {
            return Ok(wanted.clone());
        };
        let found = key.api(self.client()).get_opt(&key.name).await;
        let found = found.map_err(|error| KubernetesError::api("read", &key, &error))?;
        let Some(mut live) = found.and_then(|found| serde_json::to_value(&found).ok()) else {
            return Ok(wanted.clone());
        };
        live["kind"] = json!("StatefulSet");
        let volumes = compare(&live, wanted);
        let (Volumes::Grow(sizes), Ok(())) = (&volumes, self.growable(wanted).await?) else {
            return Ok(match volumes {
                Volumes::Same => wanted.clone(),
                _ => with_sizes_of(&live, wanted),
            });
        };
        for claim in self.claims_of(wanted).await? {
            let name = claim.metadata.name.unwrap_or_default();
            let claim = Key::new("v1", "PersistentVolumeClaim", key.namespace.as_deref(), &name);
            let size = json!({"spec": {"resources": {"requests": {"storage": sizes.wanted}}}});
            let grown = claim
                .api(self.client())
                .patch(&name, &PatchParams::default(), &Patch::Merge(&size))
                .await;
            grown.map_err(|error| KubernetesError::api("grow", &claim, &error))?;
        }
        self.delete_without_pods(&key).await?;
        Ok(wanted.clone())
    }

    async fn claims_of(&self, set: &Value) -> Result<Vec<PersistentVolumeClaim>, KubernetesError> {
        let namespace = set
            .pointer("/metadata/namespace")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let api: Api<PersistentVolumeClaim> = Api::namespaced(self.client().clone(), namespace);
        let claims = api.list(&ListParams::default()).await;
        let claims = claims.map_err(|error| KubernetesError::api("list", format!("claims in {namespace}"), &error))?;
        let ours = |claim: &PersistentVolumeClaim| claim.metadata.name.as_deref().is_some_and(|name| is_of(name, set));
        Ok(claims.items.into_iter().filter(ours).collect())
    }

    /// The pods go on, and the one that is applied next takes them over.
    async fn delete_without_pods(&self, key: &Key) -> Result<(), KubernetesError> {
        let api = key.api(self.client());
        match api.delete(&key.name, &DeleteParams::orphan()).await {
            Err(kube::Error::Api(status)) if status.code == 404 => return Ok(()),
            deleted => deleted.map_err(|error| KubernetesError::api("delete", key, &error))?,
        };
        let until = Instant::now() + GONE_WITHIN;
        loop {
            let found = api.get_metadata_opt(&key.name).await;
            if found
                .map_err(|error| KubernetesError::api("read", key, &error))?
                .is_none()
            {
                return Ok(());
            }
            if Instant::now() >= until {
                return Err(KubernetesError::Api {
                    action: "replace",
                    object: key.to_string(),
                    why: format!("it is still there {GONE_WITHIN:?} after it was deleted without its pods"),
                });
            }
            sleep(LOOK_EVERY).await;
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn set(size: &str) -> Value {
        json!({
            "kind": "StatefulSet", "apiVersion": "apps/v1", "metadata": {"name": "redis", "namespace": "nova-redis"},
            "spec": {"replicas": 3, "volumeClaimTemplates": [
                {"metadata": {"name": "data"}, "spec": {"resources": {"requests": {"storage": size}}}}
            ]},
        })
    }

    fn sizes(live: &str, wanted: &str) -> Sizes {
        Sizes {
            live: live.to_owned(),
            wanted: wanted.to_owned(),
        }
    }

    #[test]
    fn sizes_are_compared_and_not_their_spelling() {
        assert_eq!(compare(&set("5Gi"), &set("5120Mi")), Volumes::Same);
        assert_eq!(compare(&set("5Gi"), &set("6Gi")), Volumes::Grow(sizes("5Gi", "6Gi")));
        assert_eq!(compare(&set("6Gi"), &set("5Gi")), Volumes::Shrink(sizes("6Gi", "5Gi")));
        assert_eq!(
            compare(&json!({"kind": "Service"}), &json!({"kind": "Service"})),
            Volumes::Same
        );
    }

    #[test]
    fn the_rest_of_a_set_is_applied_with_the_size_that_is_there() {
        let mut wanted = set("6Gi");
        wanted["spec"]["replicas"] = json!(5);
        let mut expected = set("5Gi");
        expected["spec"]["replicas"] = json!(5);
        assert_eq!(with_sizes_of(&set("5Gi"), &wanted), expected);
        assert_eq!(compare(&set("5Gi"), &expected), Volumes::Same);
    }

    #[test]
    fn what_is_not_done_is_said_with_its_reason() {
        let grow = Volumes::Grow(sizes("5Gi", "6Gi"));
        assert_eq!(
            told(&grow, Ok(())).unwrap(),
            (true, "volumes grow from 5Gi to 6Gi, pods stay".to_owned())
        );
        let (done, why) = told(&grow, Err("storage class slow cannot".to_owned())).unwrap();
        assert!(
            !done && why == "volumes stay at 5Gi instead of 6Gi: storage class slow cannot",
            "{why}"
        );
        let (done, _) = told(&Volumes::Shrink(sizes("6Gi", "5Gi")), Ok(())).unwrap();
        assert!(!done);
        assert_eq!(told(&Volumes::Same, Ok(())), None);
    }

    #[test]
    fn only_a_sets_own_claims_are_grown() {
        for (claim, own) in [
            ("data-redis-1", true),
            ("data-redis-12", true),
            ("data-redis-", false),
            ("data-redis-sentinel-1", false),
            ("data-redis-1x", false),
            ("other-redis-1", false),
        ] {
            assert_eq!(is_of(claim, &set("1Gi")), own, "{claim}");
        }
    }

    #[test]
    fn volumes_grow_where_the_class_of_every_claim_can() {
        let claim = |class: &str| -> PersistentVolumeClaim {
            serde_json::from_value(json!({"metadata": {"name": "data-redis-1"}, "spec": {"storageClassName": class}}))
                .unwrap()
        };
        let class = |name: &str, grows: bool| -> StorageClass {
            serde_json::from_value(
                json!({"metadata": {"name": name}, "provisioner": "x", "allowVolumeExpansion": grows}),
            )
            .unwrap()
        };
        let classes = [class("fast", true), class("slow", false)];
        assert_eq!(judge(&[claim("fast")], &classes), Ok(()));
        assert!(judge(&[claim("fast"), claim("slow")], &classes).is_err());
        assert!(judge(&[claim("gone")], &classes).is_err());
        assert!(judge(&[claim("")], &classes).is_err());
    }
}
