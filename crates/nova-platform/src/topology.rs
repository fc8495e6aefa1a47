//! Which components a platform has, what each needs, and which members run on which node.

use crate::spec::Spec;

/// Number of nodes that members are spread over.
pub const NODES: u16 = 3;

/// A component: a part of the platform that starts, is checked and is shown as one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Component {
    /// `etcd`, `postgres`, `redis`, `kafka`, `gateway`, or a service's name.
    pub name: String,
    /// Components that must have passed their checks before this one starts.
    pub needs: Vec<String>,
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
    pub component: String,
    /// What program it runs.
    pub kind: Kind,
    /// Counts from 1 within its kind.
    pub ordinal: u16,
    /// Node number, 1 to [`NODES`]; `None` for the gateway, which stands on the users' side.
    pub node: Option<u16>,
}

impl Member {
    fn list(component: &str, prefix: &str, kind: Kind, count: u16) -> impl Iterator<Item = Self> {
        (1..=count).map(move |ordinal| Self {
            name: format!("{prefix}-{ordinal}"),
            component: component.to_owned(),
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
    let component = |name: &str, needs: &[&str], members: Vec<Member>| Component {
        name: name.to_owned(),
        needs: needs.iter().map(|need| (*need).to_owned()).collect(),
        members,
    };
    let one_kind = |name: &str, kind, count| Member::list(name, name, kind, count).collect::<Vec<_>>();
    let redis = one_kind("redis", Kind::Redis, spec.redis.members)
        .into_iter()
        .chain(Member::list("redis", "sentinel", Kind::Sentinel, spec.redis.sentinels))
        .collect();
    let mut all = vec![
        component("etcd", &[], one_kind("etcd", Kind::Etcd, spec.etcd.members)),
        component(
            "postgres",
            &["etcd"],
            one_kind("postgres", Kind::Postgres, spec.postgres.members),
        ),
        component("redis", &[], redis),
        component("kafka", &[], one_kind("kafka", Kind::Kafka, spec.kafka.members)),
        component("gateway", &["postgres"], one_kind("gateway", Kind::Gateway, 1)),
    ];
    all.extend(spec.services.iter().map(|(name, service)| Component {
        name: name.clone(),
        needs: service.needs.clone(),
        members: one_kind(name, Kind::Service, service.members),
    }));
    all
}
