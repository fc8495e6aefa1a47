//! In which order objects go: whoever uses others first.

use nova_platform::components::{ComponentId, Stage, facts};
use nova_platform::spec::Spec;

use super::super::object::Key;
use crate::names::Area;

/// When an object goes. Only what makes pods has an order; a pod goes with the component that its name is here.
pub(super) fn stage(key: &Key, spec: &Spec) -> Stage {
    let of = |area: Area| key.namespace.as_deref() == Some(area.namespace(spec).as_str());
    if !matches!(
        key.kind.as_str(),
        "StatefulSet" | "Deployment" | "HorizontalPodAutoscaler" | "Pod"
    ) {
        return Stage::Foundation;
    }
    if of(Area::Services) {
        return Stage::Services;
    }
    if of(Area::System) {
        return Stage::Gateway;
    }
    let is_of = |id: &ComponentId| {
        (facts(id).groups)(spec, id)
            .iter()
            .any(|group| group.prefix == key.name)
    };
    let component = ComponentId::OWN.into_iter().find(is_of);
    // One that this version does not know was a store's of another.
    component.map_or(Stage::Stores, |id| facts(&id).removal)
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
        assert_eq!(of("StatefulSet", "nova-database", "postgres"), Stage::Postgres);
        assert_eq!(of("Pod", "nova-redis", "redis"), Stage::Stores);
        assert_eq!(of("StatefulSet", "nova-database", "etcd"), Stage::Etcd);
        assert_eq!(of("ConfigMap", "nova-redis", "redis-config"), Stage::Foundation);
        assert_eq!(of("Deployment", "nova-system", "agent"), Stage::Gateway);
        assert_eq!(of("RoleBinding", "nova-system", "viewers"), Stage::Foundation);
    }

    #[test]
    fn each_stage_comes_after_those_that_it_waits_for() {
        for (index, stage) in Stage::ALL.into_iter().enumerate() {
            for before in stage.after() {
                assert!(Stage::ALL[..index].contains(before), "{stage:?} waits for {before:?}");
            }
        }
    }
}
