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
    #[schemars(extend("x-nova-change" = "live"))]
    pub context: String,
    /// What members ask of the nodes.
    #[schemars(extend("x-nova-change" = "rolling"))]
    pub profile: ProfileChoice,
    /// The cluster's DNS domain.
    #[schemars(extend("x-nova-change" = "refused"))]
    pub cluster_domain: String,
    /// Storage class of the volumes; empty: the cluster's default.
    #[schemars(extend("x-nova-change" = "refused"))]
    pub storage_class: String,
    /// Registry and path that images are pushed to and pulled from; empty: they are loaded into the nodes.
    #[schemars(extend("x-nova-change" = "rolling"))]
    pub registry: String,
    /// Command that loads an image into the nodes, to which the image's name is appended; empty: it is found out.
    #[schemars(extend("x-nova-change" = "live"))]
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
    #[schemars(extend("x-nova-change" = "staged"))]
    pub etcd: Size,
    /// Of a PostgreSQL server.
    #[schemars(extend("x-nova-change" = "staged"))]
    pub postgres: Size,
    /// Of a Redis server.
    #[schemars(extend("x-nova-change" = "staged"))]
    pub redis: Size,
    /// Of a Sentinel, which writes down who leads.
    #[schemars(extend("x-nova-change" = "staged"))]
    pub sentinel: Size,
    /// Of a Kafka broker.
    #[schemars(extend("x-nova-change" = "staged"))]
    pub kafka: Size,
}

/// What only the operator has: files on the machine that deploys, and names. Those of one group are given together or not at all.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CredentialsSpec {
    /// Apple push notifications: file of the signing key (`.p8`).
    #[schemars(extend("x-nova-change" = "live"))]
    pub apns_key_file: String,
    /// Apple push notifications: id of that key.
    #[schemars(extend("x-nova-change" = "live"))]
    pub apns_key_id: String,
    /// Apple push notifications: id of the team.
    #[schemars(extend("x-nova-change" = "live"))]
    pub apns_team_id: String,
    /// TURN: URL of the server.
    #[schemars(extend("x-nova-change" = "live"))]
    pub turn_url: String,
    /// TURN: file of the shared secret.
    #[schemars(extend("x-nova-change" = "live"))]
    pub turn_secret_file: String,
    /// TLS of an ingress: file of the certificate chain.
    #[schemars(extend("x-nova-change" = "live"))]
    pub tls_certificate_file: String,
    /// TLS of an ingress: file of the private key.
    #[schemars(extend("x-nova-change" = "live"))]
    pub tls_key_file: String,
}
