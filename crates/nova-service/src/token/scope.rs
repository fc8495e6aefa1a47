//! What a service token is good for: one service, and one thing that may be done there. A token that somebody received cannot be
//! shown to anybody else, and opens no other route.

/// One thing that a service may do at another. Its type is what a route asks for ([`super::Granted`]), and what a caller asks a token for
/// ([`super::ServiceTokens`]), so that the two cannot differ.
pub trait Scope: Send + Sync + 'static {
    /// The service where it is done: the token's audience.
    const AUDIENCE: &'static str;
    /// Its name, as it stands in tokens.
    const NAME: &'static str;
}

/// See an account with its address and sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadAccounts {}

impl Scope for ReadAccounts {
    const AUDIENCE: &'static str = "auth-service";
    const NAME: &'static str = "accounts.read";
}

/// Erase everything that an account left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EraseAccounts {}

impl Scope for EraseAccounts {
    const AUDIENCE: &'static str = "user-service";
    const NAME: &'static str = "accounts.erase";
}

/// Whether a token's list of scopes, separated by spaces (RFC 6749, section 3.3), names this one.
pub(super) fn names(scopes: &str, scope: &str) -> bool {
    scopes.split(' ').any(|one| one == scope)
}

#[cfg(test)]
mod tests {
    use super::names;

    #[test]
    fn a_scope_is_named_as_a_whole() {
        assert!(names("accounts.read", "accounts.read"));
        assert!(names("other accounts.read", "accounts.read"));
        for scopes in [
            "",
            " ",
            "accounts",
            "accounts.reads",
            "accounts.read,x",
            "xaccounts.read",
        ] {
            assert!(!names(scopes, "accounts.read"), "{scopes}");
        }
    }
}
