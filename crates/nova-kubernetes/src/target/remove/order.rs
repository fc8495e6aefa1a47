//! In which order objects go: whoever uses others first, the agent last.

use nova_platform::spec::Spec;

use super::super::object::Key;
use crate::names::Area;

/// Objects that go together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// The services.
    Services,
    /// The gateway: PostgreSQL's clients come through it.
    Gateway,
    /// PostgreSQL, Redis and Kafka.
    Stores,
    /// etcd, which PostgreSQL's members need to the end.
    Etcd,
    /// What pods needed, of all of them.
    Foundation,
    /// The agent and what it has.
    Agent,
}

impl Stage {
    /// In order.
    pub(super) const ALL: [Self; 6] = [
        Self::Services,
        Self::Gateway,
        Self::Stores,
        Self::Etcd,
        Self::Foundation,
        Self::Agent,
    ];

    /// Whether pods end in this stage.
    pub(super) const fn ends_pods(self) -> bool {
        !matches!(self, Self::Foundation)
    }
}

/// When an object goes. Only what makes pods has an order; a pod goes with the component that its name is here.
pub(super) fn stage(key: &Key, spec: &Spec) -> Stage {
    let of = |area: Area| key.namespace.as_deref() == Some(area.namespace(spec).as_str());
    if of(Area::System) {
        return Stage::Agent;
    }
    if !matches!(
        key.kind.as_str(),
        "StatefulSet" | "Deployment" | "HorizontalPodAutoscaler" | "Pod"
    ) {
        return Stage::Foundation;
    }
    if of(Area::Services) {
        return Stage::Services;
    }
    match key.name.as_str() {
        "gateway" => Stage::Gateway,
        "etcd" => Stage::Etcd,
        _ => Stage::Stores,
    }
}

#[cfg(test)]
mod tests {
    use super::{Key, Stage, stage};
    use nova_platform::load::load;

    #[test]
    fn whoever_uses_others_goes_first() {
        let spec = load(None).expect("the defaults").spec;
        let of = |kind: &str, namespace: &str, name: &str| stage(&Key::new("v1", kind, Some(namespace), name), &spec);
        assert_eq!(of("Deployment", "nova-services", "user-service"), Stage::Services);
        assert_eq!(of("Deployment", "nova-database", "gateway"), Stage::Gateway);
        assert_eq!(of("StatefulSet", "nova-database", "postgres"), Stage::Stores);
        assert_eq!(of("Pod", "nova-redis", "redis"), Stage::Stores);
        assert_eq!(of("StatefulSet", "nova-database", "etcd"), Stage::Etcd);
        assert_eq!(of("ConfigMap", "nova-redis", "redis-config"), Stage::Foundation);
        assert_eq!(of("Deployment", "nova-system", "agent"), Stage::Agent);
    }
}
