//! One entry of `[services]`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::CallsOverride;
use crate::component_id::ComponentId;
use crate::units::Size;

/// One service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServiceSpec {
    /// Running copies.
    #[schemars(extend("x-nova-change" = "rolling"))]
    pub members: u16,
    /// Port of the API; operations listen on this + 1000.
    #[schemars(extend("x-nova-change" = "rolling"))]
    pub port: u16,
    /// Whether users and other services reach it: the gateway has a door to its port. One that is not has no autoscaler either, and is
    /// asked at its operations port only.
    #[serde(default = "default_public")]
    #[schemars(extend("x-nova-change" = "rolling"))]
    pub public: bool,
    /// What it connects to: `postgres`, `redis`, `kafka`, and the services that it calls. Addresses, passwords, network flows and the
    /// order of the start follow from it, and nothing that is not named is given.
    #[serde(default)]
    #[schemars(with = "Vec<String>", extend("x-nova-change" = "rolling"))]
    pub uses: Vec<ComponentId>,
    /// PostgreSQL database that it logs in to, of a service that uses `postgres`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", extend("x-nova-change" = "refused"))]
    pub database: Option<String>,
    /// Its schema there, which no other service can read; without one it logs in and owns nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", extend("x-nova-change" = "refused"))]
    pub schema: Option<String>,
    /// Whether its login may read the stream of all changes in its database (logical decoding), and the server's statistics.
    #[serde(default)]
    #[schemars(extend("x-nova-change" = "live"))]
    pub replication: bool,
    /// Components that must have passed their checks before a member starts, besides the stores that it uses.
    #[serde(default)]
    #[schemars(with = "Vec<String>", extend("x-nova-change" = "live"))]
    pub needs: Vec<ComponentId>,
    /// PostgreSQL connections of a member, to the primary and to the replicas each.
    #[serde(default = "default_database_pool")]
    #[schemars(extend("x-nova-change" = "rolling"))]
    pub database_pool: u32,
    /// Redis connections of a member.
    #[serde(default = "default_redis_pool")]
    #[schemars(extend("x-nova-change" = "rolling"))]
    pub redis_pool: u32,
    /// On Kubernetes, members that load may raise it to; not above `members`: it is not scaled. Of a public service only.
    #[serde(default)]
    #[schemars(extend("x-nova-change" = "rolling"))]
    pub members_max: u16,
    /// On Kubernetes, processor time that a member asks for, in thousandths of a core.
    #[serde(default = "default_cpu")]
    #[schemars(extend("x-nova-change" = "rolling"))]
    pub cpu: u32,
    /// On Kubernetes, processor time that a member may use, in thousandths of a core.
    #[serde(default = "default_cpu_limit")]
    #[schemars(extend("x-nova-change" = "rolling"))]
    pub cpu_limit: u32,
    /// On Kubernetes, memory that a member asks for.
    #[serde(default = "default_memory")]
    #[schemars(extend("x-nova-change" = "rolling"))]
    pub memory: Size,
    /// On Kubernetes, memory above which a member is ended.
    #[serde(default = "default_memory_limit")]
    #[schemars(extend("x-nova-change" = "rolling"))]
    pub memory_limit: Size,
    /// Further settings of the service, as its `--help` lists them.
    #[serde(default)]
    #[schemars(extend("x-nova-change" = "rolling"))]
    pub env: BTreeMap<String, String>,
    /// What differs from `[calls]` for one dependency, by the name of the service that is called.
    #[serde(default)]
    #[schemars(extend("x-nova-change" = "rolling"))]
    pub calls: BTreeMap<String, CallsOverride>,
}

impl ServiceSpec {
    /// The most members that there may be.
    #[must_use]
    pub fn most_members(&self) -> u16 {
        if self.public {
            self.members_max.max(self.members)
        } else {
            self.members
        }
    }
}

fn default_public() -> bool {
    true
}

fn default_database_pool() -> u32 {
    10
}

fn default_redis_pool() -> u32 {
    2
}

fn default_cpu() -> u32 {
    250
}

fn default_cpu_limit() -> u32 {
    1000
}

fn default_memory() -> Size {
    Size(256 << 20)
}

fn default_memory_limit() -> Size {
    Size(512 << 20)
}
