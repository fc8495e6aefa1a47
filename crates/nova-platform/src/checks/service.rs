//! A service: each member says that it is ready and lacks nothing, and one real request passes through the gateway.

use std::collections::BTreeMap;

use futures::future::join_all;
use serde::Deserialize;
use tokio::time::Instant;

use super::{CheckKind, CheckResult};
use crate::bounded::{Stage, Verdict, check};
use crate::endpoints::{HostPort, ServiceEndpoints, ServiceMemberEndpoint};
use crate::http::Http;

/// Major and minor version of OpenAPI that services speak.
const OPENAPI: &str = "3.1";

/// What readiness says in its body.
#[derive(Deserialize, Default)]
struct Readiness {
    /// Parts that are down, and without which the service goes on.
    #[serde(default)]
    degraded: Vec<String>,
    /// Why, for each of them.
    #[serde(default)]
    reasons: BTreeMap<String, String>,
}

impl Readiness {
    /// "redis (connection refused), identity"; empty when nothing is missing.
    fn missing(&self) -> String {
        let part = |part: &String| match self.reasons.get(part) {
            Some(reason) if !reason.is_empty() => format!("{part} ({reason})"),
            _ => part.clone(),
        };
        self.degraded.iter().map(part).collect::<Vec<_>>().join(", ")
    }
}

#[derive(Deserialize)]
struct Document {
    openapi: String,
}

/// Per member `ready` (it serves) and `dependencies` (it lacks nothing), and of a public one `request` through the gateway. A member that
/// serves without an optional part passes the first and fails the second, which degrades the component and no more.
pub(super) async fn checks(http: &Http, service: &ServiceEndpoints, until: Instant) -> Vec<CheckResult> {
    let request = async {
        let gateway = service.gateway.as_ref()?;
        let request = check(CheckKind::Request, until, async |stage| {
            real_request(http, gateway, &stage).await
        });
        Some(request.await)
    };
    let members = join_all(service.members.iter().map(|member| member_checks(http, member, until)));
    let (request, members) = tokio::join!(request, members);
    request.into_iter().chain(members.into_iter().flatten()).collect()
}

async fn member_checks(http: &Http, member: &ServiceMemberEndpoint, until: Instant) -> [CheckResult; 2] {
    let (told, hears) = tokio::sync::oneshot::channel();
    let ready = check(CheckKind::Ready.of_member(&member.member), until, async move |stage| {
        let readiness = ready(http, member, &stage).await;
        let _ = told.send(readiness.as_ref().ok().map(Readiness::missing));
        readiness.map(drop)
    });
    let dependencies = check(
        CheckKind::Dependencies.of_member(&member.member),
        until,
        async move |stage: Stage| {
            stage.enter(format!("the readiness of {}", member.member));
            match hears.await {
                Ok(Some(degraded)) if degraded.is_empty() => Ok(()),
                Ok(Some(degraded)) => Err(format!("{} serves without {degraded}", member.member)),
                _ => Err(format!("{} does not serve", member.member)),
            }
        },
    );
    let (ready, dependencies) = tokio::join!(ready, dependencies);
    [ready, dependencies]
}

async fn ready(http: &Http, member: &ServiceMemberEndpoint, stage: &Stage) -> Result<Readiness, String> {
    stage.enter(format!(
        "GET http://{}/health/ready of {}",
        member.operations, member.member
    ));
    let answer = http
        .get(&member.operations, "/health/ready")
        .await
        .map_err(|error| format!("{}: {error}", member.member))?;
    match answer.status {
        200 => Ok(serde_json::from_str(&answer.body).unwrap_or_default()),
        _ => Err(format!("{} is not ready: {}", member.member, answer.unexpected())),
    }
}

async fn real_request(http: &Http, gateway: &HostPort, stage: &Stage) -> Verdict {
    stage.enter(format!("GET http://{gateway}/openapi.json through the gateway"));
    let document: Document = http.get(gateway, "/openapi.json").await?.json()?;
    if document.openapi.starts_with(OPENAPI) {
        Ok(())
    } else {
        Err(format!(
            "http://{gateway}/openapi.json is OpenAPI {}, not {OPENAPI}",
            document.openapi
        ))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]
mod tests {
    use super::Readiness;

    #[test]
    fn readiness_names_what_is_missing_and_why() {
        let body = r#"{"status":"degraded","degraded":["identity","redis"],"reasons":{"redis":"connection refused"}}"#;
        let readiness: Readiness = serde_json::from_str(body).unwrap();
        assert_eq!(readiness.missing(), "identity, redis (connection refused)");
        let whole: Readiness = serde_json::from_str(r#"{"status":"ready","degraded":[]}"#).unwrap();
        assert_eq!(whole.missing(), "");
    }
}
