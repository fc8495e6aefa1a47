//! Secrets in the cluster: all of them in one Secret, made once and never overwritten; one a consumer, made from it.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Secret};
use kube::Api;
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use nova_platform::components::ComponentId;
use nova_platform::secrets::Secrets;
use nova_platform::target::{Action, PlanStep};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::credentials::Credentials;
use super::object::Key;
use super::{KubernetesError, KubernetesTarget};
use crate::names::{Area, MANAGER};
use crate::resources::secret_layout::ALL_SECRETS;
use crate::resources::{SecretLayout, SecretSource};

type Data = BTreeMap<String, ByteString>;

impl KubernetesTarget {
    /// Makes what is missing, and leaves what is there. The lock must be held.
    pub(super) async fn ensure_secrets(&self, credentials: &Credentials) -> Result<(), KubernetesError> {
        let secrets = match self.stored_secrets().await? {
            Some(mut secrets) => {
                let added = self.complete(&mut secrets)?;
                if !added.is_empty() {
                    self.save_secrets(&secrets, &added).await?;
                }
                secrets
            }
            None => self.create_secrets().await?,
        };
        self.publish(&secrets, credentials).await
    }

    /// What the cluster holds; `None` before the first deploy.
    ///
    /// # Errors
    /// When it cannot be read, or is damaged.
    pub async fn stored_secrets(&self) -> Result<Option<Secrets>, KubernetesError> {
        let key = self.all_secrets();
        let found = self.secrets_api(Area::System).get_opt(ALL_SECRETS).await;
        let Some(found) = found.map_err(|error| KubernetesError::api("read", &key, &error))? else {
            return Ok(None);
        };
        let damaged = |why: String| KubernetesError::Secrets {
            secret: key.to_string(),
            why,
        };
        let mut values = BTreeMap::new();
        for (name, value) in found.data.unwrap_or_default() {
            let text = String::from_utf8(value.0).map_err(|_| damaged(format!("{name} is not text")))?;
            values.insert(name, SecretString::from(text));
        }
        Secrets::from_values(values)
            .map(Some)
            .map_err(|error| damaged(error.to_string()))
    }

    /// Writes one secret that was changed, and renews what consumers read. The lock must be held.
    ///
    /// # Errors
    /// When the API server refuses.
    pub async fn store_changed(&self, secrets: &Secrets, name: &str) -> Result<(), KubernetesError> {
        self.save_secrets(secrets, &[name.to_owned()]).await?;
        self.publish(secrets, &Credentials::new()).await
    }

    fn complete(&self, secrets: &mut Secrets) -> Result<Vec<String>, KubernetesError> {
        secrets.complete(&self.spec).map_err(|error| KubernetesError::Secrets {
            secret: self.all_secrets().to_string(),
            why: error.to_string(),
        })
    }

    async fn create_secrets(&self) -> Result<Secrets, KubernetesError> {
        self.refuse_lost_secrets().await?;
        let key = self.all_secrets();
        let secrets = Secrets::generate(&self.spec).map_err(|error| KubernetesError::Secrets {
            secret: key.to_string(),
            why: error.to_string(),
        })?;
        let object = Secret {
            metadata: kube::core::ObjectMeta {
                name: Some(ALL_SECRETS.to_owned()),
                labels: serde_json::from_value(self.labels(ALL_SECRETS)).ok(),
                ..kube::core::ObjectMeta::default()
            },
            data: Some(data(secrets.values())),
            type_: Some("Opaque".to_owned()),
            ..Secret::default()
        };
        let params = PostParams {
            dry_run: false,
            field_manager: Some(MANAGER.to_owned()),
        };
        let created = self.secrets_api(Area::System).create(&params, &object).await;
        created.map_err(|error| KubernetesError::api("create", &key, &error))?;
        Ok(secrets)
    }

    /// New passwords would not open data that is there.
    async fn refuse_lost_secrets(&self) -> Result<(), KubernetesError> {
        match self.volumes().await?.into_iter().next() {
            None => Ok(()),
            Some(example) => Err(KubernetesError::SecretsLost {
                platform: self.spec.platform.name.clone(),
                example: example.to_string(),
                secret: self.all_secrets().to_string(),
            }),
        }
    }

    /// The claims of the platform's data.
    pub(super) async fn volumes(&self) -> Result<Vec<Key>, KubernetesError> {
        // Kubernetes gives a claim of a StatefulSet the labels of its selector, which are fewer than ours.
        let selector = format!("app.kubernetes.io/instance={}", self.spec.platform.name);
        let mut all = Vec::new();
        for area in [Area::Redis, Area::Database, Area::Kafka] {
            let namespace = area.namespace(&self.spec);
            let api: Api<PersistentVolumeClaim> = Api::namespaced(self.client().clone(), &namespace);
            let list = api.list(&ListParams::default().labels(&selector)).await;
            let list = list.map_err(|error| KubernetesError::api("list the volumes of", &namespace, &error))?;
            let names = list.items.into_iter().filter_map(|claim| claim.metadata.name);
            all.extend(names.map(|name| Key::new("v1", "PersistentVolumeClaim", Some(&namespace), &name)));
        }
        Ok(all)
    }

    /// Writes these into the Secret that holds all, and nothing else.
    async fn save_secrets(&self, secrets: &Secrets, names: &[String]) -> Result<(), KubernetesError> {
        let changed = secrets.values().filter(|(name, _)| names.iter().any(|one| one == name));
        let patch = json!({"data": data(changed)});
        let params = PatchParams {
            field_manager: Some(MANAGER.to_owned()),
            ..PatchParams::default()
        };
        let saved = self
            .secrets_api(Area::System)
            .patch(ALL_SECRETS, &params, &Patch::Merge(&patch))
            .await;
        saved
            .map(drop)
            .map_err(|error| KubernetesError::api("write", self.all_secrets(), &error))
    }

    /// Brings the consumers' Secrets to what they shall hold.
    async fn publish(&self, secrets: &Secrets, credentials: &Credentials) -> Result<(), KubernetesError> {
        let all = self.consumers().map(|layout| async move {
            let wanted = wanted(layout, secrets, credentials);
            let live = self.live_secret(layout).await?;
            if is_kept(layout, live.as_ref(), wanted.as_ref()) {
                return Ok(());
            }
            let namespace = layout.area.namespace(&self.spec);
            let object = json!({
                "apiVersion": "v1", "kind": "Secret", "type": layout.kind,
                "metadata": {"name": layout.name, "namespace": namespace, "labels": self.labels(&layout.name)},
                "data": wanted.unwrap_or_else(|| placeholder(layout)),
            });
            self.apply_object(&object).await.map(drop)
        });
        futures::future::try_join_all(all).await.map(drop)
    }

    /// What [`KubernetesTarget::ensure_secrets`] would do, as steps of a plan.
    pub(super) async fn plan_secrets(&self, namespaces: &BTreeSet<String>) -> Result<Vec<PlanStep>, KubernetesError> {
        let credentials = self.read_credentials()?;
        let system_there = namespaces.contains(&Area::System.namespace(&self.spec));
        let stored = if system_there {
            self.stored_secrets().await?
        } else {
            None
        };
        let step = |key: Key, action, reason: Option<String>| PlanStep {
            member: key.to_string(),
            component: ComponentId::Foundation,
            action,
            reason,
        };
        let Some(mut secrets) = stored else {
            self.refuse_lost_secrets().await?;
            let create = |layout: &SecretLayout| step(self.key_of(layout), Action::Create, None);
            return Ok(self.layouts.iter().map(create).collect());
        };
        let added = self.complete(&mut secrets)?;
        let reason = (!added.is_empty()).then(|| format!("new: {}", added.join(", ")));
        let action = if added.is_empty() { Action::Keep } else { Action::Change };
        let mut steps = vec![step(self.all_secrets(), action, reason)];
        for layout in self.consumers() {
            let live = if namespaces.contains(&layout.area.namespace(&self.spec)) {
                self.live_secret(layout).await?
            } else {
                None
            };
            let wanted = wanted(layout, &secrets, &credentials);
            let (action, reason) = match &live {
                None => (Action::Create, None),
                Some(_) if is_kept(layout, live.as_ref(), wanted.as_ref()) => (Action::Keep, None),
                Some(_) => (Action::Change, Some("data".to_owned())),
            };
            steps.push(step(self.key_of(layout), action, reason));
        }
        Ok(steps)
    }

    async fn live_secret(&self, layout: &SecretLayout) -> Result<Option<Data>, KubernetesError> {
        let found = self.secrets_api(layout.area).get_opt(&layout.name).await;
        let found = found.map_err(|error| KubernetesError::api("read", self.key_of(layout), &error))?;
        Ok(found.map(|secret| secret.data.unwrap_or_default()))
    }

    fn consumers(&self) -> impl Iterator<Item = &SecretLayout> {
        self.layouts.iter().filter(|layout| layout.name != ALL_SECRETS)
    }

    fn secrets_api(&self, area: Area) -> Api<Secret> {
        Api::namespaced(self.client().clone(), &area.namespace(&self.spec))
    }

    fn key_of(&self, layout: &SecretLayout) -> Key {
        Key::new("v1", "Secret", Some(&layout.area.namespace(&self.spec)), &layout.name)
    }

    pub(super) fn all_secrets(&self) -> Key {
        Key::new("v1", "Secret", Some(&Area::System.namespace(&self.spec)), ALL_SECRETS)
    }
}

/// The values that a consumer's Secret shall have; `None` for credentials that are not given.
fn wanted(layout: &SecretLayout, secrets: &Secrets, credentials: &Credentials) -> Option<Data> {
    match layout.source {
        SecretSource::Generated => {
            let keys = layout.keys.iter();
            Some(data(
                keys.filter_map(|(key, origin)| Some((key.as_str(), secrets.get(origin)?))),
            ))
        }
        SecretSource::Credentials => {
            let given = credentials.get(&layout.name)?;
            Some(data(given.iter().map(|(key, value)| (key.as_str(), value))))
        }
    }
}

/// Whether nothing is to be done: what is there is as wanted, or it is a place for credentials that only the operator has.
fn is_kept(layout: &SecretLayout, live: Option<&Data>, wanted: Option<&Data>) -> bool {
    match (live, wanted) {
        (None, _) => false,
        (Some(live), Some(wanted)) => live == wanted,
        (Some(_), None) => layout.source == SecretSource::Credentials,
    }
}

/// Empty values under all keys.
fn placeholder(layout: &SecretLayout) -> Data {
    layout
        .keys
        .iter()
        .map(|(key, _)| (key.clone(), ByteString(Vec::new())))
        .collect()
}

fn data<'a>(values: impl Iterator<Item = (&'a str, &'a SecretString)>) -> Data {
    let bytes = |value: &SecretString| ByteString(value.expose_secret().as_bytes().to_vec());
    values.map(|(name, value)| (name.to_owned(), bytes(value))).collect()
}

#[cfg(test)]
mod tests {
    use super::{Credentials, is_kept, placeholder, wanted};
    use crate::resources::secret_layout;
    use nova_platform::load::load;
    use nova_platform::secrets::Secrets;

    #[test]
    fn a_place_for_credentials_is_made_once_and_then_left_alone() {
        let spec = load(None).expect("the defaults").spec;
        let secrets = Secrets::generate(&spec).expect("secrets");
        let layouts = secret_layout(&spec);
        let layout = |name: &str| layouts.iter().find(|one| one.name == name).expect("there");
        let none = Credentials::new();
        let tls = wanted(layout("tls"), &secrets, &none);
        assert!(tls.is_none() && !is_kept(layout("tls"), None, None));
        let mut by_hand = placeholder(layout("tls"));
        assert_eq!(by_hand.len(), 2);
        by_hand.clear();
        assert!(is_kept(layout("tls"), Some(&by_hand), None));

        let redis = wanted(layout("redis"), &secrets, &none);
        assert_eq!(redis.as_ref().expect("values").len(), 2);
        assert!(is_kept(layout("redis"), redis.as_ref(), redis.as_ref()));
        assert!(!is_kept(layout("redis"), Some(&by_hand), redis.as_ref()));
    }
}
