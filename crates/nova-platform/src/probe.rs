//! What it means to prove that a component works, whoever does it: a check and what it found, a member's role, and who can be asked.

mod check;

use std::future::Future;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::components::{ComponentId, PUBLISHER, facts};

pub use check::{Check, CheckKind, CheckResult};

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
        let mut all = ComponentId::OWN.iter().map(facts);
        self.role.is_some() && all.any(|facts| facts.leads.is_some() && facts.leads == self.role.as_deref())
    }
}

/// How much is proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Depth {
    /// That it works now; cheap enough to repeat every second.
    Status,
    /// Also what only a change of the platform can break, such as the isolation of the services from each other, and what leaves
    /// something behind: an event that is published.
    Full,
}

impl Depth {
    /// Whether more of this component is proved than what is cheap.
    #[must_use]
    pub fn adds_to(self, component: &ComponentId) -> bool {
        let more = match component {
            ComponentId::Postgres | ComponentId::Kafka => true,
            ComponentId::Service(name) => &**name == PUBLISHER,
            ComponentId::Etcd
            | ComponentId::Redis
            | ComponentId::Gateway
            | ComponentId::Agent
            | ComponentId::Foundation => false,
        };
        self == Self::Full && more
    }
}

/// Proves that components work; [`crate::checks::Checks`] against real stores.
pub trait Prober: Sync {
    /// Readies a component that runs for members that start with other settings, before the first of them is changed. Safe to
    /// repeat; says what it did. An error means "not yet": it is shown as the failing check and tried again.
    fn stage(
        &self,
        _component: &ComponentId,
        _limit: Duration,
    ) -> impl Future<Output = Result<Vec<String>, String>> + Send {
        std::future::ready(Ok(Vec::new()))
    }

    /// Makes what a component must hold before it can be checked (databases, roles, topics). Safe to repeat; says what it
    /// changed. An error means "not yet": it is shown as the failing check and tried again.
    fn prepare(
        &self,
        component: &ComponentId,
        limit: Duration,
    ) -> impl Future<Output = Result<Vec<String>, String>> + Send;

    /// All checks of a component, each ended after `limit` at the latest.
    fn check(&self, component: &ComponentId, limit: Duration) -> impl Future<Output = Vec<CheckResult>> + Send;

    /// What each member of a component says it is; empty where members are all alike.
    fn roles(&self, component: &ComponentId, limit: Duration) -> impl Future<Output = Vec<MemberRole>> + Send;

    /// The checks that are cheap enough to repeat all the time, and the roles, at once.
    fn glance(
        &self,
        component: &ComponentId,
        limit: Duration,
    ) -> impl Future<Output = (Vec<CheckResult>, Vec<MemberRole>)> + Send {
        async move { tokio::join!(self.check(component, limit), self.roles(component, limit)) }
    }
}
