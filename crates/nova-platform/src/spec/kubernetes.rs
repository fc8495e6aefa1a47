//! Settings of the Kubernetes target. What a member asks of a node stands with the service; that of the stores is part of the
//! profiles.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::units::Size;

/// Settings of the Kubernetes target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KubernetesSpec {
    /// Context of the kubeconfig; empty: the current one.
    pub context: String,
    /// What members ask of the nodes.
    pub profile: ProfileChoice,
    /// The cluster's DNS domain.
    pub cluster_domain: String,
    /// Storage class of the volumes; empty: the cluster's default.
    pub storage_class: String,
    /// Registry and path that images are pushed to and pulled from; empty: they are loaded into the nodes.
    pub registry: String,
    /// Command that loads an image into the nodes, to which the image's name is appended; empty: it is found out.
    pub image_load: Vec<String>,
    /// Sizes of the volumes, one a member.
    pub volumes: VolumesSpec,
    /// What only the operator has.
    pub credentials: CredentialsSpec,
}

/// What members ask of the nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ProfileChoice {
    /// `small` where the cluster offers less than 8 cores, else `production`.
    Auto,
    /// What load needs.
    Production,
    /// Lower requests, and nothing else.
    Small,
}

/// Sizes of the volumes, one a member.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VolumesSpec {
    /// Of an etcd voter.
    pub etcd: Size,
    /// Of a PostgreSQL server.
    pub postgres: Size,
    /// Of a Redis server.
    pub redis: Size,
    /// Of a Sentinel, which writes down who leads.
    pub sentinel: Size,
    /// Of a Kafka broker.
    pub kafka: Size,
}

/// What only the operator has: files on the machine that deploys, and names. Those of one group are given together or not at all.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CredentialsSpec {
    /// Apple push notifications: file of the signing key (`.p8`).
    pub apns_key_file: String,
    /// Apple push notifications: id of that key.
    pub apns_key_id: String,
    /// Apple push notifications: id of the team.
    pub apns_team_id: String,
    /// TURN: URL of the server.
    pub turn_url: String,
    /// TURN: file of the shared secret.
    pub turn_secret_file: String,
    /// TLS of an ingress: file of the certificate chain.
    pub tls_certificate_file: String,
    /// TLS of an ingress: file of the private key.
    pub tls_key_file: String,
}
