//! What the cluster itself reported of a component lately: scheduling, volumes, images, probes.

use k8s_openapi::api::core::v1::Event;
use k8s_openapi::jiff::Timestamp;
use kube::Api;
use kube::api::ListParams;
use nova_platform::components::{ComponentId, facts};

use super::KubernetesTarget;
use crate::agent::NAME;

/// Events that are told.
const TOLD: usize = 10;

impl KubernetesTarget {
    pub(super) async fn recent_events(&self, component: &ComponentId) -> Vec<String> {
        let Some(area) = self.area_of(component) else {
            return Vec::new();
        };
        let api: Api<Event> = Api::namespaced(self.client().clone(), &area.namespace(&self.spec));
        let Ok(list) = api.list(&ListParams::default().fields("type!=Normal").limit(500)).await else {
            return Vec::new();
        };
        newest(list.items, &self.workloads(component))
    }

    /// Names with which the objects of a component begin.
    fn workloads(&self, component: &ComponentId) -> Vec<String> {
        if *component == ComponentId::Agent {
            return vec![NAME.to_owned()];
        }
        let groups = (facts(component).groups)(&self.spec, component);
        groups.into_iter().map(|group| group.prefix).collect()
    }
}

fn newest(mut events: Vec<Event>, workloads: &[String]) -> Vec<String> {
    events.retain(|event| {
        event
            .involved_object
            .name
            .as_deref()
            .is_some_and(|name| concerns(name, workloads))
    });
    events.sort_by_key(time);
    let first = events.len().saturating_sub(TOLD);
    events.split_off(first).iter().map(words).collect()
}

/// `redis`, `redis-1`, and the claim `data-redis-1`, of the workload `redis`.
fn concerns(object: &str, workloads: &[String]) -> bool {
    let object = object.strip_prefix("data-").unwrap_or(object);
    workloads.iter().any(|workload| {
        let rest = object.strip_prefix(workload.as_str());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    })
}

fn time(event: &Event) -> Option<Timestamp> {
    let series = event
        .series
        .as_ref()
        .and_then(|series| series.last_observed_time.as_ref().map(|time| time.0));
    series
        .or(event.last_timestamp.as_ref().map(|time| time.0))
        .or(event.event_time.as_ref().map(|time| time.0))
        .or(event.metadata.creation_timestamp.as_ref().map(|time| time.0))
}

fn words(event: &Event) -> String {
    let object = &event.involved_object;
    let count = event
        .count
        .filter(|count| *count > 1)
        .map(|count| format!(" ({count} times)"));
    format!(
        "{} {}: {}{}: {}",
        object.kind.as_deref().unwrap_or("object").to_lowercase(),
        object.name.as_deref().unwrap_or_default(),
        event.reason.as_deref().unwrap_or("event"),
        count.unwrap_or_default(),
        event.message.as_deref().unwrap_or_default().trim()
    )
}

#[cfg(test)]
mod tests {
    use super::newest;
    use k8s_openapi::api::core::v1::Event;
    use serde_json::json;

    fn event(object: &str, reason: &str, second: u8) -> Event {
        serde_json::from_value(json!({
            "metadata": {"name": format!("{object}.{second}")}, "involvedObject": {"kind": "Pod", "name": object},
            "reason": reason, "message": "0/3 nodes\n", "count": second, "lastTimestamp": format!("2026-01-01T00:00:{second:02}Z"),
        }))
        .expect("an event")
    }

    #[test]
    fn the_newest_of_a_components_own_objects_are_told() {
        let mut events = vec![
            event("redis-1", "FailedScheduling", 2),
            event("data-redis-2", "ProvisioningFailed", 1),
            event("sentinel-1", "Unhealthy", 3),
            event("redisx-1", "Unhealthy", 4),
        ];
        let own = ["redis".to_owned(), "sentinel".to_owned()];
        let found = newest(events.clone(), &own);
        assert_eq!(found.len(), 3, "{found:?}");
        assert_eq!(found[1], "pod redis-1: FailedScheduling (2 times): 0/3 nodes");
        events.extend((5..25).map(|second| event("redis-1", "Unhealthy", second)));
        let found = newest(events, &own);
        assert_eq!(found.len(), 10);
        assert!(found[9].contains("(24 times)"), "{found:?}");
    }
}
