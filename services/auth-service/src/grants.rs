//! Which service may do what at which other one. What does not stand here is not granted.

use nova_service::{ReadAccounts, Scope};

/// A service, and what it may do where.
struct Grant {
    service: &'static str,
    audience: &'static str,
    scope: &'static str,
}

impl Grant {
    const fn to<S: Scope>(service: &'static str) -> Self {
        Self {
            service,
            audience: S::AUDIENCE,
            scope: S::NAME,
        }
    }
}

/// All of them but auth-service's own, whose tokens nobody asks for.
const GRANTS: [Grant; 1] = [Grant::to::<ReadAccounts>("user-service")];

/// Whether this service may have a token for exactly this.
pub(crate) fn may(service: &str, audience: &str, scope: &str) -> bool {
    let mut grants = GRANTS.iter();
    grants.any(|grant| grant.service == service && grant.audience == audience && grant.scope == scope)
}

#[cfg(test)]
mod tests {
    use super::may;

    #[test]
    fn only_what_is_granted_is_given() {
        assert!(may("user-service", "auth-service", "accounts.read"));
        for (service, audience, scope) in [
            ("user-service", "user-service", "accounts.erase"),
            ("user-service", "auth-service", "accounts.erase"),
            ("search-service", "auth-service", "accounts.read"),
            ("user-service", "nova", ""),
            ("user-service", "auth-service", "accounts.read accounts.erase"),
            ("user-service", "", ""),
        ] {
            assert!(!may(service, audience, scope), "{service} {audience} {scope}");
        }
    }
}
