//! In which order members end: what needs others ends before them. A Redis server needs a Sentinel to hand over.

use std::collections::BTreeMap;

use nova_platform::components::ComponentId;
use nova_platform::topology::Component;

use crate::supervisor::MemberReport;

/// Members that end together, in the order of ending. Members that no component claims end first.
pub(super) fn levels(components: &[Component], members: &[MemberReport]) -> Vec<Vec<String>> {
    let depths: BTreeMap<&ComponentId, usize> = components
        .iter()
        .map(|component| (&component.id, depth(components, &component.id, components.len())))
        .collect();
    let mut levels: BTreeMap<(usize, bool), Vec<String>> = BTreeMap::new();
    for member in members {
        let depth = depths.get(&member.launch.component).copied().unwrap_or(0);
        levels
            .entry((depth, member.launch.sentinel.is_some()))
            .or_default()
            .push(member.launch.member.clone());
    }
    levels.into_values().collect()
}

/// Length of the longest chain of dependents; `limit` ends it for a graph with a circle.
fn depth(components: &[Component], id: &ComponentId, limit: usize) -> usize {
    let Some(limit) = limit.checked_sub(1) else {
        return 0;
    };
    let dependents = components.iter().filter(|component| component.needs.contains(id));
    dependents
        .map(|dependent| 1 + depth(components, &dependent.id, limit))
        .max()
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::depth;
    use nova_platform::topology::Component;

    fn component(name: &str, needs: &[&str]) -> Component {
        Component {
            id: name.into(),
            needs: needs.iter().map(|need| (*need).into()).collect(),
            members: Vec::new(),
        }
    }

    #[test]
    fn dependents_end_before_what_they_need() {
        let all = [
            component("etcd", &[]),
            component("postgres", &["etcd"]),
            component("gateway", &["postgres"]),
            component("kafka", &[]),
            component("user-service", &["postgres", "gateway"]),
        ];
        let depths: Vec<usize> = all
            .iter()
            .map(|component| depth(&all, &component.id, all.len()))
            .collect();
        assert_eq!(depths, [3, 2, 1, 0, 0]);
    }

    #[test]
    fn a_circle_ends() {
        let all = [component("a", &["b"]), component("b", &["a"])];
        assert!(depth(&all, &"a".into(), all.len()) <= 2);
    }
}
