//! The resources as files: YAML for `kubectl apply -k`, the same bytes for the same description.

mod yaml;

use std::collections::BTreeMap;

use nova_platform::components::{ComponentId, facts};
use nova_platform::spec::Spec;
use serde_json::{Value, json};

use crate::images::Images;
use crate::names::{MANAGER, PART_OF};
use crate::profile::Profile;
use crate::resources::{Manifest, SecretLayout, SecretSource, manifests, secret_layout};

/// The first line of every file, by which `nova render` knows that it may overwrite it.
pub const MARK: &str = "# Written by `nova render`; changes are overwritten.";

const SECRETS: &str = "microservices-secrets.yaml";
const KUSTOMIZATION: &str = "kustomization.yaml";

/// The objects could not be written as YAML; a mistake in nova itself.
#[derive(Debug, thiserror::Error)]
#[error("{file} cannot be written as YAML: {source}")]
pub struct RenderError {
    file: &'static str,
    source: serde_saphyr::ser::Error,
}

/// Every file by its name.
///
/// # Errors
/// When an object cannot be written as YAML.
pub fn files(spec: &Spec, profile: Profile, images: &Images) -> Result<BTreeMap<&'static str, String>, RenderError> {
    let mut objects: BTreeMap<&'static str, Vec<Value>> = BTreeMap::new();
    for manifest in manifests(spec, profile, images) {
        objects.entry(file_of(&manifest)).or_default().push(manifest.object);
    }
    let kustomization = json!({
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": objects.keys().collect::<Vec<_>>(),
    });
    let secrets = secret_layout(spec);
    objects.insert(SECRETS, secrets.iter().map(|layout| skeleton(spec, layout)).collect());
    objects.insert(KUSTOMIZATION, vec![kustomization]);
    objects
        .into_iter()
        .map(|(file, objects)| Ok((file, text(file, profile, &objects)?)))
        .collect()
}

fn file_of(manifest: &Manifest) -> &'static str {
    let of_nobody = manifest.component == ComponentId::Foundation;
    match manifest.object["kind"].as_str() {
        Some("Role" | "ClusterRole") if of_nobody => "access.yaml",
        Some("NetworkPolicy") if of_nobody => "network-policies.yaml",
        _ => facts(&manifest.component).rendered,
    }
}

/// A Secret with its keys and nothing in them.
fn skeleton(spec: &Spec, layout: &SecretLayout) -> Value {
    let keys: BTreeMap<&str, &str> = layout.keys.iter().map(|(key, _)| (key.as_str(), "")).collect();
    let note = match layout.source {
        SecretSource::Generated => "names and keys only: `nova deploy` generates the values once and keeps them",
        SecretSource::Credentials => "names and keys only: `nova deploy` fills them from [kubernetes.credentials]",
    };
    json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": layout.name,
            "namespace": layout.area.namespace(spec),
            "labels": {
                "app.kubernetes.io/name": layout.name,
                "app.kubernetes.io/instance": spec.platform.name,
                "app.kubernetes.io/part-of": PART_OF,
                "app.kubernetes.io/managed-by": MANAGER,
            },
            "annotations": { "nova/values": note },
        },
        "type": layout.kind,
        "stringData": keys,
    })
}

fn text(file: &'static str, profile: Profile, objects: &[Value]) -> Result<String, RenderError> {
    let mut text = format!("{MARK}\n# Profile {}.\n", profile.name());
    if file == SECRETS {
        text.push_str(
            "# Not part of the kustomization: applied over a running platform, it would empty what deploy has filled.\n",
        );
    }
    for object in objects {
        text.push_str("---\n");
        text.push_str(&yaml::text(object).map_err(|source| RenderError { file, source })?);
    }
    Ok(text)
}
