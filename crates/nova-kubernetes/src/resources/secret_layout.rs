//! Which Secrets a platform has in the cluster and which keys they hold. Values are deploy's: nothing here knows one.

use nova_platform::components::{ComponentId, facts};
use nova_platform::config::service::secrets_of;
use nova_platform::spec::Spec;

use crate::names::Area;

/// The Secret that holds every secret of the platform, in [`Area::System`]. All others are made from it.
pub const ALL_SECRETS: &str = "nova-secrets";

/// Where the values of a Secret come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretSource {
    /// Generated once by nova (`nova_platform::secrets`); a key's origin is the secret's name.
    Generated,
    /// Given by the operator in `[kubernetes.credentials]`; a key's origin is the setting's name there, and what ends in
    /// `_file` is the content of that file. Empty until all settings of the group are given.
    Credentials,
}

/// A Secret without its values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretLayout {
    /// The namespace.
    pub area: Area,
    /// The Secret's name.
    pub name: String,
    /// Its `type`, such as `Opaque`.
    pub kind: &'static str,
    /// Where its values come from.
    pub source: SecretSource,
    /// Key in the Secret, and the name of the nova secret or of the setting that it holds.
    pub keys: Vec<(String, String)>,
}

const OPAQUE: &str = "Opaque";
const TLS: &str = "kubernetes.io/tls";

/// Every Secret of the platform: the one that holds all, one a consumer, and the operator's own.
#[must_use]
pub fn secret_layout(spec: &Spec) -> Vec<SecretLayout> {
    let generated = |area, name: &str, names: Vec<String>| SecretLayout {
        area,
        name: name.to_owned(),
        kind: OPAQUE,
        source: SecretSource::Generated,
        keys: names.into_iter().map(|name| (name.clone(), name)).collect(),
    };
    let given = |name: &str, kind, keys: &[(&str, &str)]| SecretLayout {
        area: Area::Services,
        name: name.to_owned(),
        kind,
        source: SecretSource::Credentials,
        keys: keys
            .iter()
            .map(|(key, setting)| ((*key).to_owned(), (*setting).to_owned()))
            .collect(),
    };
    let of_store = |id: &ComponentId| {
        let names = facts(id).secrets.iter().map(|name| (*name).to_owned());
        generated(facts(id).area, id.as_str(), names.collect())
    };
    let mut all = vec![
        generated(Area::System, ALL_SECRETS, nova_platform::secrets::names_for(spec)),
        of_store(&ComponentId::Redis),
        of_store(&ComponentId::Postgres),
    ];
    let services = spec.services.keys();
    let services = services.map(|service| (service, secrets_of(spec, service)));
    // One that reads none has no Secret.
    let services = services.filter(|(_, names)| !names.is_empty());
    all.extend(services.map(|(service, names)| generated(Area::Services, service, names)));
    all.extend([
        given(
            "apns",
            OPAQUE,
            &[
                ("key.p8", "apns_key_file"),
                ("key-id", "apns_key_id"),
                ("team-id", "apns_team_id"),
            ],
        ),
        given("turn", OPAQUE, &[("url", "turn_url"), ("secret", "turn_secret_file")]),
        given(
            "tls",
            TLS,
            &[("tls.crt", "tls_certificate_file"), ("tls.key", "tls_key_file")],
        ),
    ]);
    all
}
