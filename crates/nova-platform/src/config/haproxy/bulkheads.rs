//! How the gateway's connections are shared out: each door has some of its own, so that whoever fills one shuts no other.

use crate::spec::Spec;

/// Connections of those who ask for the gateway's own health.
pub(super) const HEALTH: u32 = 16;

/// What single doors accept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bulkheads {
    /// Each of the two to PostgreSQL.
    pub(super) postgres: u32,
    /// Each of those to services.
    pub(super) service: u32,
    /// Of one client at one of those: half, so that nobody fills it alone. All users behind one address translation, and on
    /// many a cluster all users, are one client.
    pub(super) client: u32,
    services: u32,
}

impl Bulkheads {
    /// As many to PostgreSQL as its leader takes, but half of all at most; the services' doors share the rest.
    pub(super) fn of(spec: &Spec) -> Self {
        let all = spec.gateway.max_connections;
        let services = u32::try_from(spec.public_services().count()).unwrap_or(u32::MAX);
        let postgres = spec.postgres.max_connections.min(all / 4).max(1);
        let service = (all.saturating_sub(2 * postgres) / services.max(1)).max(2);
        Self {
            postgres,
            service,
            client: service / 2,
            services,
        }
    }

    /// All that the doors accept.
    pub(super) fn global(self) -> u32 {
        2 * self.postgres + self.services * self.service + HEALTH
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failing unwrap is a failing test")]

    use super::*;

    #[test]
    fn no_door_reaches_into_another() {
        let mut spec = crate::load::load(None).unwrap().spec;
        for all in [4, 100, 2_000, 100_000] {
            spec.gateway.max_connections = all;
            let shares = Bulkheads::of(&spec);
            assert!(shares.postgres >= 1 && shares.client >= 1 && shares.client < shares.service);
            assert_eq!(
                shares.global(),
                2 * shares.postgres + u32::try_from(spec.public_services().count()).unwrap() * shares.service + HEALTH
            );
            assert!(shares.postgres <= spec.postgres.max_connections);
        }
        spec.gateway.max_connections = 2_000;
        assert!(Bulkheads::of(&spec).global() <= 2_000 + HEALTH);
    }
}
