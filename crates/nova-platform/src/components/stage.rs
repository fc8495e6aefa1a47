//! In which order components go when a platform is removed: whoever uses others first.

/// Components that go together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The services.
    Services,
    /// Redis and Kafka, which nothing else needs then.
    Stores,
    /// The gateway: PostgreSQL's clients come through it. The agent is one of them.
    Gateway,
    /// PostgreSQL.
    Postgres,
    /// etcd, which PostgreSQL's members need to the end.
    Etcd,
    /// What pods needed, of all of them.
    Foundation,
}

impl Stage {
    /// In order.
    pub const ALL: [Self; 6] = [
        Self::Services,
        Self::Stores,
        Self::Gateway,
        Self::Postgres,
        Self::Etcd,
        Self::Foundation,
    ];

    /// Whether pods end in this stage.
    #[must_use]
    pub const fn ends_pods(self) -> bool {
        !matches!(self, Self::Foundation)
    }

    /// Stages of which nothing may be left before this one begins.
    #[must_use]
    pub const fn after(self) -> &'static [Self] {
        match self {
            Self::Services => &[],
            Self::Stores | Self::Gateway => &[Self::Services],
            Self::Postgres => &[Self::Gateway],
            Self::Etcd => &[Self::Postgres],
            Self::Foundation => &[Self::Stores, Self::Etcd],
        }
    }
}
