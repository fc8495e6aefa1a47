//! Proofs that a component works, by a write and a read. The same checks serve deploy, status, verify and drill.

mod etcd;
mod events;
mod gateway;
mod isolation;
mod kafka;
mod liveness;
mod postgres;
mod redis;
mod service;
mod sessions;

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::time::Instant;

use crate::bounded;
use crate::components::ComponentId;
use crate::endpoints::Endpoints;
use crate::http;
use crate::patroni;
use crate::patroni_settings;
use crate::postgres_login::Login;
use crate::provision::{self, ProvisionError, SUPERUSER_SECRET, Tenancy};
use crate::secrets::Secrets;
use crate::spec::Spec;
use crate::topics;

pub use crate::probe::{Check, CheckKind, CheckResult, Depth, MemberRole, Prober};
pub use kafka::CHECK_TOPIC;
pub use nova_member::MASTER_NAME;

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

#[warn(clippy::wildcard_enum_match_arm)]
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
        component: &'a ComponentId,
        depth: Depth,
        limit: Duration,
    ) -> BoxFuture<'a, Vec<CheckResult>> {
        self.look(component, depth, limit).boxed()
    }

    async fn look(&self, component: &ComponentId, depth: Depth, limit: Duration) -> Vec<CheckResult> {
        let parts = &self.0;
        let until = Instant::now() + limit;
        match component {
            ComponentId::Etcd => parts.etcd.checks(until).await,
            ComponentId::Postgres => parts.postgres.checks(depth, until).await,
            ComponentId::Redis => parts.redis.checks(until).await,
            ComponentId::Kafka => {
                let topics = async {
                    match depth {
                        Depth::Status => None,
                        Depth::Full => Some(self.topics(until).await),
                    }
                };
                let (mut found, topics) = tokio::join!(parts.kafka.checks(until), topics);
                found.extend(topics);
                found
            }
            ComponentId::Gateway => parts.gateway.checks(until).await,
            ComponentId::Service(name) => match parts.endpoints.services.get(&**name) {
                Some(service) => {
                    let event = events::check(&parts.spec, &parts.endpoints, &parts.secrets, name, depth, until);
                    let (mut found, event) = tokio::join!(service::checks(&parts.http, service, until), event);
                    found.extend(event);
                    found
                }
                None => vec![unknown(component)],
            },
            // What a target adds of its own, it proves itself.
            ComponentId::Agent | ComponentId::Foundation => vec![unknown(component)],
        }
    }

    async fn topics(&self, until: Instant) -> CheckResult {
        let parts = &self.0;
        bounded::check(CheckKind::Topics, until, async |stage| {
            stage.enter("Kafka to tell of its topics");
            topics::verify(&parts.spec, &parts.endpoints, stage.remaining()).await
        })
        .await
    }

    /// What each member of a store says it is, and nothing about one that has not answered within `limit`. Empty for
    /// components whose members are all alike: the gateway and the services.
    pub fn roles<'a>(&'a self, component: &'a ComponentId, limit: Duration) -> BoxFuture<'a, Vec<MemberRole>> {
        self.ask_roles(component, limit).boxed()
    }

    async fn ask_roles(&self, component: &ComponentId, limit: Duration) -> Vec<MemberRole> {
        let parts = &self.0;
        let until = Instant::now() + limit;
        match component {
            ComponentId::Etcd => parts.etcd.roles(until).await,
            ComponentId::Postgres => parts.postgres.patroni().roles(until).await,
            ComponentId::Redis => parts.redis.roles(until).await,
            ComponentId::Kafka => parts.kafka.roles(until).await,
            ComponentId::Gateway | ComponentId::Service(_) | ComponentId::Agent | ComponentId::Foundation => Vec::new(),
        }
    }
}

fn unknown(component: &ComponentId) -> CheckResult {
    let error = format!("there is no component \"{component}\" in this platform");
    CheckResult::of(CheckKind::Known, Duration::ZERO, Err(error))
}

impl Prober for Checks {
    async fn stage(&self, component: &ComponentId, limit: Duration) -> Result<Vec<String>, String> {
        match component {
            ComponentId::Redis => self.0.redis.stage(limit).boxed().await,
            ComponentId::Etcd
            | ComponentId::Postgres
            | ComponentId::Kafka
            | ComponentId::Gateway
            | ComponentId::Service(_)
            | ComponentId::Agent
            | ComponentId::Foundation => Ok(Vec::new()),
        }
    }

    async fn prepare(&self, component: &ComponentId, limit: Duration) -> Result<Vec<String>, String> {
        let Parts {
            spec,
            endpoints,
            secrets,
            ..
        } = self.0.as_ref();
        match component {
            ComponentId::Postgres => {
                let password = provision::password(secrets, "patroni-rest").map_err(|error| error.to_string())?;
                let superuser = provision::password(secrets, SUPERUSER_SECRET).map_err(|error| error.to_string())?;
                let login = Login::superuser(superuser.clone());
                // The publication before the slot: what was committed between them could never be sent.
                let provisioning = provision::provision(spec, endpoints, secrets, limit).boxed();
                let mut changes = provisioning.await.map_err(|error| error.to_string())?;
                let settings = patroni_settings::ensure(spec, endpoints, &login, &password, limit).boxed();
                changes.extend(settings.await?);
                provision::slot::settled(spec, endpoints, superuser, limit)
                    .boxed()
                    .await?;
                Ok(changes)
            }
            ComponentId::Redis => self.0.redis.ensure(limit).boxed().await,
            ComponentId::Kafka => topics::ensure(spec, endpoints, limit).boxed().await,
            ComponentId::Etcd
            | ComponentId::Gateway
            | ComponentId::Service(_)
            | ComponentId::Agent
            | ComponentId::Foundation => Ok(Vec::new()),
        }
    }

    async fn check(&self, component: &ComponentId, limit: Duration) -> Vec<CheckResult> {
        let found = self.component(component, Depth::Status, limit).await;
        // What is meant to be refused stands in the stores' logs: once, and not in every round.
        if Depth::Full.adds_to(component) && found.iter().all(|result| result.ok) {
            return self.component(component, Depth::Full, limit).await;
        }
        found
    }

    async fn roles(&self, component: &ComponentId, limit: Duration) -> Vec<MemberRole> {
        Self::roles(self, component, limit).await
    }

    async fn glance(&self, component: &ComponentId, limit: Duration) -> (Vec<CheckResult>, Vec<MemberRole>) {
        tokio::join!(
            self.component(component, Depth::Status, limit),
            Self::roles(self, component, limit)
        )
    }
}
