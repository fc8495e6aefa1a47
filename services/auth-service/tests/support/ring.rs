//! A file of signing keys that a test can rewrite, and tokens that the service never signed.

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use tempfile::NamedTempFile;
use time::{Duration, OffsetDateTime, format_description::well_known::Rfc3339};

pub(crate) struct Ring {
    file: NamedTempFile,
    keys: Vec<Value>,
}

impl Ring {
    /// Keys of these names and ages in seconds.
    pub(crate) fn new(keys: &[(&str, i64)]) -> Self {
        let mut ring = Self {
            file: NamedTempFile::new().unwrap(),
            keys: Vec::new(),
        };
        keys.iter().for_each(|(kid, age)| ring.add(kid, *age));
        ring
    }

    pub(crate) fn path(&self) -> &str {
        self.file.path().to_str().unwrap()
    }

    /// Adds a key that was created so many seconds ago.
    pub(crate) fn add(&mut self, kid: &str, age: i64) {
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
        let encoded = STANDARD.encode(document.as_ref());
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{encoded}\n-----END PRIVATE KEY-----\n");
        self.keys
            .push(json!({"kid": kid, "created_at": ago(age), "private_key_pem": pem}));
        self.write();
    }

    /// The same keys, for whoever has stolen them; the file is another.
    pub(crate) fn clone_of_keys(&self) -> Self {
        Self {
            file: NamedTempFile::new().unwrap(),
            keys: self.keys.clone(),
        }
    }

    /// One new key instead of all there are.
    pub(crate) fn replace(&mut self, kid: &str) {
        self.keys.clear();
        self.add(kid, 0);
    }

    /// Pretends that a key is older or younger.
    pub(crate) fn set_age(&mut self, kid: &str, age: i64) {
        let key = self.keys.iter_mut().find(|key| key["kid"] == kid).unwrap();
        key["created_at"] = json!(ago(age));
        self.write();
    }

    /// A token with these claims, signed by one of the keys.
    pub(crate) fn sign(&self, kid: &str, typ: &str, claims: &Value) -> String {
        let key = self.keys.iter().find(|key| key["kid"] == kid).unwrap();
        let pem = key["private_key_pem"].as_str().unwrap();
        let header = Header {
            typ: Some(typ.to_owned()),
            kid: Some(kid.to_owned()),
            ..Header::new(Algorithm::ES256)
        };
        jsonwebtoken::encode(&header, claims, &EncodingKey::from_ec_pem(pem.as_bytes()).unwrap()).unwrap()
    }

    fn write(&self) {
        let next = self.file.path().with_extension("next");
        std::fs::write(&next, json!({ "keys": self.keys }).to_string()).unwrap();
        std::fs::rename(&next, self.file.path()).unwrap();
    }
}

/// The same token with another character in the middle of one of its parts.
pub(crate) fn tampered(token: &str, part: usize) -> String {
    let mut parts: Vec<String> = token.split('.').map(str::to_owned).collect();
    let middle = parts[part].len() / 2;
    let other = if parts[part].as_bytes()[middle] == b'A' {
        "B"
    } else {
        "A"
    };
    parts[part].replace_range(middle..=middle, other);
    parts.join(".")
}

fn ago(seconds: i64) -> String {
    (OffsetDateTime::now_utc() - Duration::seconds(seconds))
        .format(&Rfc3339)
        .unwrap()
}
