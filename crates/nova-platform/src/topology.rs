//! Which components a platform has, what each needs, and which members run on which node.

use crate::components::ComponentId;
use crate::spec::Spec;

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

/// What program a member runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An etcd voter.
    Etcd,
    /// Patroni with its PostgreSQL.
    Postgres,
    /// A Redis server.
    Redis,
    /// A Redis Sentinel; a member of the component `redis`.
    Sentinel,
    /// A Kafka broker and controller.
    Kafka,
    /// HAProxy.
    Gateway,
    /// A Nova service.
    Service,
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
    fn list(component: &ComponentId, prefix: &str, kind: Kind, count: u16) -> impl Iterator<Item = Self> {
        (1..=count).map(move |ordinal| Self {
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
    let component = |id: ComponentId, needs: &[ComponentId], members: Vec<Member>| Component {
        id,
        needs: needs.to_vec(),
        members,
    };
    let one_kind = |id: &ComponentId, kind, count| Member::list(id, id.as_str(), kind, count).collect::<Vec<_>>();
    let redis = one_kind(&ComponentId::Redis, Kind::Redis, spec.redis.members)
        .into_iter()
        .chain(Member::list(
            &ComponentId::Redis,
            "sentinel",
            Kind::Sentinel,
            spec.redis.sentinels,
        ))
        .collect();
    let of_one_kind = |id: ComponentId, needs: &[ComponentId], kind, count| {
        let members = one_kind(&id, kind, count);
        component(id, needs, members)
    };
    let mut all = vec![
        of_one_kind(ComponentId::Etcd, &[], Kind::Etcd, spec.etcd.members),
        of_one_kind(
            ComponentId::Postgres,
            &[ComponentId::Etcd],
            Kind::Postgres,
            spec.postgres.members,
        ),
        component(ComponentId::Redis, &[], redis),
        of_one_kind(ComponentId::Kafka, &[], Kind::Kafka, spec.kafka.members),
        of_one_kind(ComponentId::Gateway, &[ComponentId::Postgres], Kind::Gateway, 1),
    ];
    all.extend(spec.services.iter().map(|(name, service)| {
        of_one_kind(
            ComponentId::service(name),
            &service.needs,
            Kind::Service,
            service.members,
        )
    }));
    all
}
