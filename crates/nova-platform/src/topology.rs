//! Which components a platform has, what each needs, and which members run on which node.

use crate::components::{ComponentId, Group, facts};
use crate::spec::Spec;
use crate::uses;

pub use crate::components::Kind;

/// Number of nodes that members are spread over.
pub const NODES: u16 = 3;

/// A component: a part of the platform that starts, is checked and is shown as one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Component {
    /// What it is called.
    pub id: ComponentId,
    /// Components that must have passed their checks before this one starts.
    pub needs: Vec<ComponentId>,
    /// Its members, in order.
    pub members: Vec<Member>,
}

/// One running copy of a component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Such as `redis-1`, `sentinel-2`, `user-service-3`.
    pub name: String,
    /// The component that it belongs to.
    pub component: ComponentId,
    /// What program it runs.
    pub kind: Kind,
    /// Counts from 1 within its kind.
    pub ordinal: u16,
    /// Node number, 1 to [`NODES`]; `None` for the gateway, which stands on the users' side.
    pub node: Option<u16>,
}

impl Member {
    fn list(component: &ComponentId, group: Group) -> impl Iterator<Item = Self> {
        let Group { kind, prefix, members } = group;
        (1..=members).map(move |ordinal| Self {
            name: format!("{prefix}-{ordinal}"),
            component: component.clone(),
            kind,
            ordinal,
            node: (kind != Kind::Gateway).then_some((ordinal - 1) % NODES + 1),
        })
    }

    /// `node-1` and so on; `gateway` for the gateway.
    #[must_use]
    pub fn node_name(&self) -> String {
        self.node
            .map_or_else(|| "gateway".to_owned(), |node| format!("node-{node}"))
    }
}

/// The components of a platform, in a stable order: stores, gateway, services.
#[must_use]
pub fn components(spec: &Spec) -> Vec<Component> {
    let component = |id: ComponentId, needs: &[ComponentId]| Component {
        needs: needs.to_vec(),
        members: (facts(&id).groups)(spec, &id)
            .into_iter()
            .flat_map(|group| Member::list(&id, group))
            .collect(),
        id,
    };
    let own = ComponentId::OWN
        .into_iter()
        .map(|id| component(id.clone(), facts(&id).needs));
    let services = spec
        .services
        .iter()
        .map(|(name, service)| component(ComponentId::service(name), &uses::needs(service)));
    own.chain(services).collect()
}
