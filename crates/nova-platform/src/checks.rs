//! Proofs that a component works, by a write and a read. The same checks serve deploy, status, verify and drill.

mod bounded;
pub(crate) mod etcd;
mod gateway;
pub(crate) mod http;
mod isolation;
mod kafka;
mod liveness;
pub(crate) mod patroni;
mod postgres;
mod redis;
mod service;
mod sessions;

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::endpoints::Endpoints;
use crate::patroni_settings;
use crate::postgres_login::Login;
use crate::provision::{self, ProvisionError, SUPERUSER_SECRET, Tenancy};
use crate::rollout::Prober;
use crate::secrets::Secrets;
use crate::spec::Spec;

pub use kafka::CHECK_TOPIC;
pub use redis::MASTER_NAME;

/// What one check found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckResult {
    /// Such as `write-read`, `replica-read postgres-2`, `quorum`.
    pub name: String,
    /// Whether it passed.
    pub ok: bool,
    /// How long it took, in milliseconds.
    pub ms: f64,
    /// Why it failed: what was tried, on what, and what came back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl CheckResult {
    /// What a check that took this long found; its error says why it failed.
    pub fn of(name: impl Into<String>, took: Duration, verdict: Result<(), String>) -> Self {
        let ms = (took.as_secs_f64() * 10_000.0).round() / 10.0;
        Self {
            name: name.into(),
            ok: verdict.is_ok(),
            ms,
            error: verdict.err(),
        }
    }
}

/// Checks without which a component does not serve at all: its own write and read, quorum, the gateway's way to the leader,
/// a real request. Any other failing check only degrades it.
const ESSENTIAL: [&str; 4] = ["write-read", "quorum", "primary-write", "request"];

impl CheckResult {
    /// Whether the component is down when this fails.
    #[must_use]
    pub fn is_essential(&self) -> bool {
        ESSENTIAL.contains(&self.name.as_str())
    }
}

/// What a store itself says of one of its members.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct MemberRole {
    /// The member's name.
    pub member: String,
    /// `leader`, `replica`, `sync-standby`, `master`, `sentinel`, `broker`, `controller`; `None` when it does not answer.
    pub role: Option<String>,
    /// Bytes that it lags behind its leader, where that has a meaning.
    pub lag_bytes: Option<u64>,
}

impl MemberRole {
    /// Whether its end makes the others elect.
    #[must_use]
    pub fn leads(&self) -> bool {
        matches!(self.role.as_deref(), Some("leader" | "master" | "controller"))
    }
}

/// How much is proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Depth {
    /// That it works now; cheap enough to repeat every second.
    Status,
    /// Also what only a change of the platform can break: the isolation of the services from each other.
    Full,
}

/// The checks of one platform. Its futures are boxed, so that the stores' clients are compiled into this crate once and not
/// again into every crate that awaits a check. Cheap to clone; clones share their connections, which are few, are kept between rounds
/// where that spares the stores a login, and are dropped on any error.
#[derive(Clone)]
pub struct Checks(Arc<Parts>);

struct Parts {
    spec: Spec,
    endpoints: Endpoints,
    secrets: Secrets,
    http: http::Http,
    etcd: etcd::Etcd,
    postgres: postgres::Postgres,
    redis: redis::Redis,
    kafka: kafka::Kafka,
    gateway: gateway::Gateway,
}

impl Checks {
    /// Of a platform whose members are met at `endpoints`. Connects to nothing yet.
    ///
    /// # Errors
    /// When a password that the checks need is not among the secrets.
    pub fn new(spec: &Spec, endpoints: &Endpoints, secrets: &Secrets) -> Result<Self, ProvisionError> {
        let password = |name| provision::password(secrets, name);
        let superuser = Login::superuser(password(SUPERUSER_SECRET)?);
        let tenancies = Tenancy::all(spec, secrets)?;
        let http = http::Http::new();
        let liveness = liveness::Liveness::new();
        let patroni = patroni::Patroni::sharing(endpoints, http.clone());
        Ok(Self(Arc::new(Parts {
            etcd: etcd::Etcd::new(&spec.platform.name, endpoints, http.clone()),
            postgres: postgres::Postgres::new(&spec.postgres, endpoints, &superuser, tenancies, patroni, liveness),
            redis: redis::Redis::new(
                &spec.redis,
                endpoints,
                &password("redis")?,
                &password("redis-sentinel")?,
            ),
            kafka: kafka::Kafka::new(&spec.kafka, endpoints),
            gateway: gateway::Gateway::new(endpoints, &superuser, liveness, http.clone()),
            spec: spec.clone(),
            endpoints: endpoints.clone(),
            secrets: secrets.clone(),
            http,
        })))
    }

    /// All checks of a component at once, each ended after `limit` at the latest, with what it was waiting for as its error.
    /// A component that is not known has one failing check, which says so.
    pub fn component<'a>(
        &'a self,
        component: &'a str,
        depth: Depth,
        limit: Duration,
    ) -> BoxFuture<'a, Vec<CheckResult>> {
        self.look(component, depth, limit).boxed()
    }

    async fn look(&self, component: &str, depth: Depth, limit: Duration) -> Vec<CheckResult> {
        let parts = &self.0;
        let until = Instant::now() + limit;
        match component {
            "etcd" => parts.etcd.checks(until).await,
            "postgres" => parts.postgres.checks(depth, until).await,
            "redis" => parts.redis.checks(until).await,
            "kafka" => parts.kafka.checks(until).await,
            "gateway" => parts.gateway.checks(until).await,
            name => match parts.endpoints.services.get(name) {
                Some(service) => service::checks(&parts.http, service, until).await,
                None => {
                    let error = format!("there is no component {name:?} in this platform");
                    vec![CheckResult::of("known", Duration::ZERO, Err(error))]
                }
            },
        }
    }

    /// What each member of a store says it is, and nothing about one that has not answered within `limit`. Empty for
    /// components whose members are all alike: the gateway and the services.
    pub fn roles<'a>(&'a self, component: &'a str, limit: Duration) -> BoxFuture<'a, Vec<MemberRole>> {
        self.ask_roles(component, limit).boxed()
    }

    async fn ask_roles(&self, component: &str, limit: Duration) -> Vec<MemberRole> {
        let parts = &self.0;
        let until = Instant::now() + limit;
        match component {
            "etcd" => parts.etcd.roles(until).await,
            "postgres" => parts.postgres.patroni().roles(until).await,
            "redis" => parts.redis.roles(until).await,
            "kafka" => parts.kafka.roles(until).await,
            _ => Vec::new(),
        }
    }
}

impl Prober for Checks {
    async fn prepare(&self, component: &str, limit: Duration) -> Result<Vec<String>, String> {
        let Parts {
            spec,
            endpoints,
            secrets,
            ..
        } = self.0.as_ref();
        match component {
            "postgres" => {
                let password = provision::password(secrets, "patroni-rest").map_err(|error| error.to_string())?;
                let mut changes = patroni_settings::ensure(spec, endpoints, &password, limit)
                    .boxed()
                    .await?;
                let provisioning = provision::provision(spec, endpoints, secrets, limit).boxed();
                changes.extend(provisioning.await.map_err(|error| error.to_string())?);
                Ok(changes)
            }
            _ => Ok(Vec::new()),
        }
    }

    async fn check(&self, component: &str, limit: Duration) -> Vec<CheckResult> {
        self.component(component, Depth::Full, limit).await
    }

    async fn roles(&self, component: &str, limit: Duration) -> Vec<MemberRole> {
        Self::roles(self, component, limit).await
    }

    async fn glance(&self, component: &str, limit: Duration) -> (Vec<CheckResult>, Vec<MemberRole>) {
        tokio::join!(
            self.component(component, Depth::Status, limit),
            Self::roles(self, component, limit)
        )
    }
}
