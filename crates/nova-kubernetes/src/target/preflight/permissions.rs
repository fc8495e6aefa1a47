//! Whether the user of the context may do what a deploy does.

use std::collections::BTreeSet;

use futures::stream::{StreamExt, TryStreamExt};
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec};
use kube::api::PostParams;
use kube::{Api, Client};

use super::super::object::Key;
use super::super::{CONCURRENCY, KubernetesTarget, explain};
use super::Finding;
use crate::names::Area;

/// What is done to every applied kind.
const VERBS: [&str; 5] = ["get", "list", "create", "patch", "delete"];
/// Denied permissions that are told before "and more".
const TOLD: usize = 6;

/// One thing that a deploy does.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Deed {
    verb: &'static str,
    group: String,
    resource: String,
    subresource: Option<&'static str>,
    namespace: Option<String>,
}

impl std::fmt::Display for Deed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.verb, self.resource)?;
        if let Some(subresource) = self.subresource {
            write!(f, "/{subresource}")?;
        }
        match &self.namespace {
            Some(namespace) => write!(f, " in {namespace}"),
            None => Ok(()),
        }
    }
}

pub(super) async fn look(target: &KubernetesTarget) -> Finding {
    let name = "permissions";
    let everything = Deed {
        verb: "*",
        group: "*".to_owned(),
        resource: "*".to_owned(),
        subresource: None,
        namespace: None,
    };
    let client = target.client();
    match allowed(client, &everything).await {
        Ok(true) => return Finding::ok(name, "everything"),
        Ok(false) => {}
        Err(error) => return Finding::ok(name, format!("not looked at: {}", explain(&error))),
    }
    let denied: Result<Vec<Option<Deed>>, kube::Error> = futures::stream::iter(deeds(target))
        .map(|deed| async move { Ok((!allowed(client, &deed).await?).then_some(deed)) })
        .buffered(CONCURRENCY)
        .try_collect()
        .await;
    match denied {
        Err(error) => Finding::ok(name, format!("not looked at: {}", explain(&error))),
        Ok(all) => {
            let denied: Vec<Deed> = all.into_iter().flatten().collect();
            judge(&denied)
        }
    }
}

fn judge(denied: &[Deed]) -> Finding {
    let name = "permissions";
    if denied.is_empty() {
        return Finding::ok(name, "all that a deploy needs");
    }
    let told: Vec<String> = denied.iter().take(TOLD).map(ToString::to_string).collect();
    let more = denied.len().saturating_sub(TOLD);
    let more = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    Finding::missing(
        name,
        format!("this context's user may not {}{more}", told.join(", ")),
        "ask the cluster's administrator for them, or take another context ([kubernetes] context)",
    )
}

fn deeds(target: &KubernetesTarget) -> BTreeSet<Deed> {
    let mut all = BTreeSet::new();
    for key in target.wanted() {
        let resource = key.resource();
        all.extend(VERBS.map(|verb| Deed {
            verb,
            group: resource.group.clone(),
            resource: resource.plural.clone(),
            subresource: None,
            namespace: key.namespace.clone(),
        }));
    }
    for area in Area::ALL {
        let namespace = area.namespace(&target.spec);
        let pods = Key::new("v1", "Pod", Some(&namespace), "").resource();
        let pod = |verb, subresource| Deed {
            verb,
            group: String::new(),
            resource: pods.plural.clone(),
            subresource,
            namespace: Some(namespace.clone()),
        };
        all.extend([pod("list", None), pod("get", Some("log"))]);
        if area == Area::System {
            all.insert(pod("create", Some("portforward")));
            all.extend(["get", "create", "update", "delete"].map(|verb| Deed {
                verb,
                group: "coordination.k8s.io".to_owned(),
                resource: "leases".to_owned(),
                subresource: None,
                namespace: Some(namespace.clone()),
            }));
        }
    }
    all
}

async fn allowed(client: &Client, deed: &Deed) -> Result<bool, kube::Error> {
    let api: Api<SelfSubjectAccessReview> = Api::all(client.clone());
    let review = SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec {
            resource_attributes: Some(ResourceAttributes {
                verb: Some(deed.verb.to_owned()),
                group: Some(deed.group.clone()),
                resource: Some(deed.resource.clone()),
                subresource: deed.subresource.map(str::to_owned),
                namespace: deed.namespace.clone(),
                ..ResourceAttributes::default()
            }),
            ..SelfSubjectAccessReviewSpec::default()
        },
        ..SelfSubjectAccessReview::default()
    };
    let answer = api.create(&PostParams::default(), &review).await?;
    Ok(answer.status.is_some_and(|status| status.allowed))
}

#[cfg(test)]
mod tests {
    use super::{Deed, judge};

    #[test]
    fn what_is_denied_is_named() {
        let deed = |verb, subresource| Deed {
            verb,
            group: String::new(),
            resource: "pods".to_owned(),
            subresource,
            namespace: Some("nova-system".to_owned()),
        };
        let finding = judge(&[deed("list", None), deed("create", Some("portforward"))]);
        assert!(!finding.ok);
        assert_eq!(
            finding.found,
            "this context's user may not list pods in nova-system, create pods/portforward in nova-system"
        );
        let many: Vec<Deed> = (0..9).map(|_| deed("list", None)).collect();
        assert!(judge(&many).found.ends_with("and 3 more"));
        assert!(judge(&[]).ok);
    }
}
