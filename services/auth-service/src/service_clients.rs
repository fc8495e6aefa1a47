//! The services that may get tokens of their own, and their secrets' digests.

use std::{collections::HashMap, str::FromStr};

use anyhow::ensure;
use aws_lc_rs::constant_time;
use nova_service::config::SecretFile;
use secrecy::ExposeSecret;

use crate::digest::sha256;

const LONGEST_NAME: usize = 64;

/// A service and its secret, written `NAME=FILE`.
#[derive(Clone)]
pub struct ServiceClient {
    name: String,
    secret: [u8; 32],
}

/// All of them, by name.
#[derive(Debug, Default)]
pub struct ServiceClients(HashMap<String, [u8; 32]>);

impl ServiceClient {
    /// A service with this secret.
    pub fn new(name: &str, secret: &str) -> Result<Self, String> {
        let plausible = (1..=LONGEST_NAME).contains(&name.len())
            && name
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if !plausible {
            return Err(format!(
                "`{name}` is no service's name: lower-case letters, digits and dashes"
            ));
        }
        Ok(Self {
            name: name.to_owned(),
            secret: sha256(secret.as_bytes()),
        })
    }
}

impl FromStr for ServiceClient {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("`{text}` is no service and its secret's file; write it like user-service=/etc/nova/client");
        let (name, file) = text.split_once('=').ok_or_else(wrong)?;
        let secret: SecretFile = file.parse()?;
        Self::new(name.trim(), secret.secret().expose_secret())
    }
}

/// Shows no secret, nor its digest.
impl std::fmt::Debug for ServiceClient {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "ServiceClient({})", self.name)
    }
}

impl ServiceClients {
    /// Fails when two have one name: which of the secrets holds would be a matter of luck.
    pub fn new(clients: &[ServiceClient]) -> anyhow::Result<Self> {
        let mut all = HashMap::new();
        for client in clients {
            let before = all.insert(client.name.clone(), client.secret);
            ensure!(
                before.is_none(),
                "NOVA_AUTH_CLIENTS names {} twice; leave one of them",
                client.name
            );
        }
        Ok(Self(all))
    }

    /// The name of the service that has this name and secret. Digests are compared, in constant time, so that the time
    /// taken tells nothing about a secret; an unknown name costs the same comparison.
    pub fn authenticate(&self, name: &str, secret: &str) -> Option<&str> {
        let known = self.0.get_key_value(name);
        let (expected, presented) = (known.map_or([0; 32], |(_, digest)| *digest), sha256(secret.as_bytes()));
        let same = constant_time::verify_slices_are_equal(&expected, &presented).is_ok();
        known.filter(|_| same).map(|(name, _)| name.as_str())
    }

    /// Whether there is such a service.
    pub fn is_known(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_known_by_its_own_secret_alone() {
        let clients = [("user-service", "one"), ("search-service", "two")];
        let clients = clients.map(|(name, secret)| ServiceClient::new(name, secret).unwrap());
        assert!(!format!("{clients:?}").contains("one"));
        let all = ServiceClients::new(&clients).unwrap();
        assert_eq!(all.authenticate("user-service", "one"), Some("user-service"));
        for (name, secret) in [
            ("user-service", "two"),
            ("user-service", ""),
            ("user-service", "one "),
            ("nobody", "one"),
            ("nobody", ""),
            ("", ""),
        ] {
            assert_eq!(all.authenticate(name, secret), None, "{name}:{secret}");
        }
        let twice = [clients[0].clone(), clients[0].clone()];
        assert!(
            ServiceClients::new(&twice)
                .unwrap_err()
                .to_string()
                .contains("user-service")
        );
    }

    #[test]
    fn what_is_no_service_with_a_file_is_refused() {
        for wrong in [
            "",
            "user-service",
            "user-service=",
            "user-service=/nonexistent",
            "User=/dev/null",
        ] {
            assert!(wrong.parse::<ServiceClient>().is_err(), "{wrong:?}");
        }
        for wrong in ["", "User", "user service", "user:service", &"x".repeat(65)] {
            assert!(ServiceClient::new(wrong, "secret").is_err(), "{wrong:?}");
        }
    }
}
