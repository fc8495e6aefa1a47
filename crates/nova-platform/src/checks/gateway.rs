//! The gateway: PostgreSQL through its two doors, with new connections as any client makes them, and an answer on the port
//! of each service. Whether a service stands behind that port is the service's own check.

use std::sync::Arc;

use futures::future::join_all;
use tokio::time::Instant;

use super::liveness::Liveness;
use super::sessions::Sessions;
use super::{CheckKind, CheckResult};
use crate::bounded::{Stage, Verdict, check};
use crate::endpoints::{Endpoints, HostPort};
use crate::http::Http;
use crate::postgres_login::{Login, explain};

/// See the module.
pub(super) struct Gateway {
    primary: (HostPort, Arc<Sessions>),
    replicas: (HostPort, Arc<Sessions>),
    /// Whether there is anything but a leader.
    has_replicas: bool,
    frontends: Vec<(String, HostPort)>,
    liveness: Liveness,
    http: Http,
}

impl Gateway {
    pub(super) fn new(endpoints: &Endpoints, superuser: &Login, liveness: Liveness, http: Http) -> Self {
        let door = |address: &HostPort| {
            (
                address.clone(),
                Arc::new(Sessions::new(superuser.clone(), address.clone())),
            )
        };
        Self {
            primary: door(&endpoints.primary),
            replicas: door(&endpoints.replicas),
            has_replicas: endpoints.postgres().len() > 1,
            frontends: endpoints
                .services
                .iter()
                .filter_map(|(name, at)| Some((name.clone(), at.gateway.clone()?)))
                .collect(),
            liveness,
            http,
        }
    }

    pub(super) async fn checks(&self, until: Instant) -> Vec<CheckResult> {
        let write = check(CheckKind::PrimaryWrite, until, async |stage| {
            self.primary_write(&stage).await
        });
        let read = check(CheckKind::ReplicasRead, until, async |stage| {
            self.replicas_read(&stage).await
        });
        let frontends = join_all(self.frontends.iter().map(|(name, address)| {
            check(CheckKind::Frontend.about(name), until, async move |stage| {
                self.frontend(address, &stage).await
            })
        }));
        let (write, read, frontends) = tokio::join!(write, read, frontends);
        [write, read].into_iter().chain(frontends).collect()
    }

    async fn primary_write(&self, stage: &Stage) -> Verdict {
        let (address, sessions) = &self.primary;
        let who = format!("the gateway's door to the primary ({address})");
        self.liveness.write_and_read(sessions, &who, stage).await?;
        sessions.close();
        Ok(())
    }

    async fn replicas_read(&self, stage: &Stage) -> Verdict {
        let (address, sessions) = &self.replicas;
        let who = format!("the gateway's door to the replicas ({address})");
        stage.enter(format!("a connection to {who}"));
        let of = |error| format!("{who}: {}", explain(&error));
        let mut session = sessions.fresh(stage.remaining()).await.map_err(of)?;
        stage.enter(format!("an answer through {who}"));
        let found = self.liveness.read(&mut session).await.map_err(of)?;
        if self.has_replicas && !found.in_recovery {
            return Err(format!(
                "{who} leads to the leader: the gateway finds no replica that is up"
            ));
        }
        Ok(())
    }

    async fn frontend(&self, address: &HostPort, stage: &Stage) -> Verdict {
        stage.enter(format!("any HTTP answer from the gateway at {address}"));
        // 503 is HAProxy's own answer when no member stands behind it, and an answer all the same.
        self.http.get(address, "/").await.map(drop)
    }
}
