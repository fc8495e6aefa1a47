//! Names of objects of any kind, and their places in the API.

use std::fmt;

use kube::api::{ApiResource, DynamicObject, GroupVersionKind};
use kube::{Api, Client};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One object, by name. Ordered by kind, so that lists read well.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct Key {
    /// Such as `StatefulSet`.
    pub(crate) kind: String,
    /// Such as `apps/v1`.
    pub(crate) api_version: String,
    /// Its namespace; `None` for what belongs to the whole cluster.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) namespace: Option<String>,
    /// Its name.
    pub(crate) name: String,
}

impl Key {
    /// Of a complete object.
    pub(crate) fn of(object: &Value) -> Option<Self> {
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        Some(Self {
            kind: text("/kind")?,
            api_version: text("/apiVersion")?,
            namespace: text("/metadata/namespace"),
            name: text("/metadata/name")?,
        })
    }

    pub(crate) fn new(api_version: &str, kind: &str, namespace: Option<&str>, name: &str) -> Self {
        Self {
            kind: kind.to_owned(),
            api_version: api_version.to_owned(),
            namespace: namespace.map(str::to_owned),
            name: name.to_owned(),
        }
    }

    /// The kind as the API spells it. The plural follows from the kind by the rules that all built-in kinds keep to.
    pub(crate) fn resource(&self) -> ApiResource {
        let (group, version) = self.api_version.split_once('/').unwrap_or(("", &self.api_version));
        ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, &self.kind))
    }

    /// Where it is read and written.
    pub(crate) fn api(&self, client: &Client) -> Api<DynamicObject> {
        match &self.namespace {
            Some(namespace) => Api::namespaced_with(client.clone(), namespace, &self.resource()),
            None => Api::all_with(client.clone(), &self.resource()),
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{} {namespace}/{}", self.kind, self.name),
            None => write!(f, "{} {}", self.kind, self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Key;

    #[test]
    fn every_kind_that_is_applied_has_its_plural() {
        let plural = |api: &str, kind: &str| Key::new(api, kind, None, "x").resource().plural;
        assert_eq!(plural("networking.k8s.io/v1", "NetworkPolicy"), "networkpolicies");
        assert_eq!(plural("policy/v1", "PodDisruptionBudget"), "poddisruptionbudgets");
        assert_eq!(plural("v1", "ServiceAccount"), "serviceaccounts");
        assert_eq!(plural("v1", "LimitRange"), "limitranges");
        assert_eq!(
            plural("autoscaling/v2", "HorizontalPodAutoscaler"),
            "horizontalpodautoscalers"
        );
        let key = Key::new("apps/v1", "StatefulSet", Some("nova-redis"), "redis");
        assert_eq!(
            (key.resource().group.as_str(), key.to_string().as_str()),
            ("apps", "StatefulSet nova-redis/redis")
        );
    }
}
