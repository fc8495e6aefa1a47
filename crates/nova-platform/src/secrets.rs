//! Passwords and keys of one platform: generated once, kept in one private file, never shown by `Debug`.

mod file;
mod ring;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};
use time::OffsetDateTime;

use crate::components::{ComponentId, ISSUER, facts};
use crate::spec::Spec;
use crate::uses;

pub use ring::{KeyRing, SigningKey};

/// The name of the key ring that signs access tokens; the one secret that can be rotated.
pub const AUTH_SIGNING_KEY: &str = "auth-signing-key";

/// Passwords that exist whatever services a platform has.
fn store_passwords() -> impl Iterator<Item = &'static str> {
    let all = ComponentId::OWN.iter().map(facts);
    all.flat_map(|facts| facts.secrets.iter().copied())
}

/// Whether services read this secret of a store's from a file, beside their own database passwords.
fn is_read_by_services(name: &str) -> bool {
    let mut all = ComponentId::OWN.iter().map(facts);
    all.any(|facts| facts.given.contains(&name))
}

/// All secrets of one platform, by name.
#[derive(Clone)]
pub struct Secrets {
    values: BTreeMap<String, SecretString>,
}

impl Secrets {
    /// The platform's secrets: what the file holds, and for what is missing there (all of it the first time) new ones, saved
    /// before they are returned. What the file holds is never changed.
    ///
    /// # Errors
    /// When the file exists and is damaged, of another version or readable by others, or cannot be written.
    pub fn open_or_generate(path: &Path, spec: &Spec) -> Result<Self, SecretsError> {
        let mut secrets = match Self::load(path) {
            Err(SecretsError::Missing { .. }) => Self::empty(),
            other => other?,
        };
        if !secrets.complete(spec)?.is_empty() {
            secrets.save(path)?;
        }
        Ok(secrets)
    }

    /// New secrets for everything that a platform needs, not saved anywhere.
    ///
    /// # Errors
    /// When the system has no random numbers to give.
    pub fn generate(spec: &Spec) -> Result<Self, SecretsError> {
        let mut secrets = Self::empty();
        secrets.complete(spec)?;
        Ok(secrets)
    }

    /// What the file holds.
    ///
    /// # Errors
    /// When it is missing, damaged, of another version, another user's, or readable by others.
    pub fn load(path: &Path) -> Result<Self, SecretsError> {
        let secrets = Self {
            values: file::read(path)?,
        };
        // A ring that cannot be read is found here and not by the next rotation.
        if secrets.get(AUTH_SIGNING_KEY).is_some() {
            secrets
                .key_ring()
                .map_err(|reason| SecretsError::damaged(path, reason))?;
        }
        Ok(secrets)
    }

    /// These secrets, by name, as another store than the file keeps them.
    ///
    /// # Errors
    /// When a name is not one that a secret can have, a value is empty, or the key ring is damaged.
    pub fn from_values(values: BTreeMap<String, SecretString>) -> Result<Self, SecretsError> {
        for (name, value) in &values {
            if !is_name(name) {
                return Err(SecretsError::Name { name: name.clone() });
            }
            if value.expose_secret().is_empty() {
                return Err(SecretsError::Empty { name: name.clone() });
            }
        }
        let secrets = Self { values };
        if secrets.get(AUTH_SIGNING_KEY).is_some() {
            secrets.key_ring().map_err(|reason| SecretsError::Ring { reason })?;
        }
        Ok(secrets)
    }

    /// Every secret with its name, for a store that keeps them.
    pub fn values(&self) -> impl Iterator<Item = (&str, &SecretString)> {
        self.values.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// A directory with a file a secret, named as it: how Kubernetes shows them to a program. Whatever is not named like a
    /// secret, such as the links by which Kubernetes replaces all files at once, is passed over.
    ///
    /// # Errors
    /// When the directory or a file cannot be read, is larger than a secret can be, or as [`Secrets::from_values`].
    pub fn from_directory(directory: &Path) -> Result<Self, SecretsError> {
        Self::from_values(file::read_directory(directory, is_name)?)
    }

    /// Replaces the file at once: a reader sees the old content or the new one, also after a crash.
    ///
    /// # Errors
    /// When the file cannot be written; the old one is then still there.
    pub fn save(&self, path: &Path) -> Result<(), SecretsError> {
        file::write(path, &self.values)
    }

    /// Generates what is missing and leaves everything else alone. Returns the names that were added.
    ///
    /// # Errors
    /// When the system has no random numbers to give.
    pub fn complete(&mut self, spec: &Spec) -> Result<Vec<String>, SecretsError> {
        let mut added = Vec::new();
        for name in names_for(spec) {
            if self.values.contains_key(&name) {
                continue;
            }
            let value = if name == AUTH_SIGNING_KEY {
                KeyRing::generate(OffsetDateTime::now_utc())?.to_text()?
            } else {
                password()?
            };
            self.values.insert(name.clone(), value);
            added.push(name);
        }
        Ok(added)
    }

    /// The secret of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&SecretString> {
        self.values.get(name)
    }

    /// The secret of this name as text, for `nova secrets show` and nothing else.
    ///
    /// # Errors
    /// When there is none of this name.
    pub fn reveal(&self, name: &str) -> Result<&str, SecretsError> {
        self.get(name)
            .map(ExposeSecret::expose_secret)
            .ok_or_else(|| self.unknown(name))
    }

    /// All names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.values.keys().map(String::as_str)
    }

    /// What services read from files (`NOVA_*_FILE`): the file's name, which is the secret's, and its content.
    pub fn files(&self) -> impl Iterator<Item = (&str, &SecretString)> {
        let stores_only = |name: &str| store_passwords().any(|known| known == name) && !is_read_by_services(name);
        self.values
            .iter()
            .map(|(name, value)| (name.as_str(), value))
            .filter(move |(name, _)| !stores_only(name))
    }

    /// Adds a new key to the ring, newest last, and drops keys that nothing signed by is valid any more. [`Secrets::save`] it
    /// afterwards.
    ///
    /// # Errors
    /// When the name is unknown or a password: the stores hold those too, and nothing changes them there.
    pub fn rotate(&mut self, name: &str) -> Result<(), SecretsError> {
        self.rotate_at(name, OffsetDateTime::now_utc())
    }

    /// Puts one new key in the place of all there are, for when a key may have been stolen: whatever they signed is refused from then
    /// on. [`Secrets::save`] it afterwards.
    ///
    /// # Errors
    /// As [`Secrets::rotate`].
    pub fn revoke(&mut self, name: &str) -> Result<(), SecretsError> {
        self.renewable(name)?;
        let ring = KeyRing::generate(OffsetDateTime::now_utc())?;
        self.values.insert(name.to_owned(), ring.to_text()?);
        Ok(())
    }

    /// Whether there is such a secret, and it is one that can be replaced.
    fn renewable(&self, name: &str) -> Result<(), SecretsError> {
        if !self.values.contains_key(name) {
            return Err(self.unknown(name));
        }
        if name != AUTH_SIGNING_KEY {
            return Err(SecretsError::NotRotatable { name: name.to_owned() });
        }
        Ok(())
    }

    fn rotate_at(&mut self, name: &str, now: OffsetDateTime) -> Result<(), SecretsError> {
        self.renewable(name)?;
        let mut ring = self.key_ring().map_err(|reason| SecretsError::Ring { reason })?;
        ring.rotate(now)?;
        self.values.insert(name.to_owned(), ring.to_text()?);
        Ok(())
    }

    fn key_ring(&self) -> Result<KeyRing, String> {
        let text = self.get(AUTH_SIGNING_KEY).map_or("", ExposeSecret::expose_secret);
        KeyRing::from_text(text)
    }

    fn empty() -> Self {
        Self {
            values: BTreeMap::new(),
        }
    }

    fn unknown(&self, name: &str) -> SecretsError {
        SecretsError::Unknown {
            name: name.to_owned(),
            known: self.names().collect::<Vec<_>>().join(", "),
        }
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.values.keys()).finish()
    }
}

/// Why secrets could not be loaded, made or saved. No message holds any part of a secret.
#[derive(Debug, thiserror::Error)]
pub enum SecretsError {
    /// There is no file.
    #[error("there are no secrets at {}: `nova deploy` generates them", path.display())]
    Missing {
        /// Where it should be.
        path: PathBuf,
    },
    /// The file could not be read or written.
    #[error("cannot {action} the secrets at {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// Others than the owner may read or write the file.
    #[error("the secrets at {0} have mode {mode:04o}, so others than their owner may have read them: \
             set it with `chmod 600 {0}`", path.display())]
    Mode {
        /// Which file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file belongs to another user.
    #[error("the secrets at {} belong to user id {owner}, and this is user id {user}: run nova as their owner", path.display())]
    Owner {
        /// Which file.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
        /// Who asks.
        user: u32,
    },
    /// The file was written by another version of nova.
    #[error("the secrets at {} have format version {version}, and this nova knows version {known}: \
             use the nova that wrote them", path.display())]
    Version {
        /// Which file.
        path: PathBuf,
        /// What it says.
        version: u64,
        /// What this program knows.
        known: u64,
    },
    /// The file is not what was written.
    #[error("the secrets at {} are damaged ({reason}): restore the file from a backup; \
             the stores keep the old passwords, so new ones only fit after `nova cleanup --data`", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it, without any of its content.
        reason: String,
    },
    /// A name that no secret has.
    #[error("{name:?} is no name of a secret: lower-case letters, digits and dashes make one")]
    Name {
        /// What was found.
        name: String,
    },
    /// A secret without a value.
    #[error("the secret {name} is empty: restore it from a backup")]
    Empty {
        /// Which one.
        name: String,
    },
    /// The key ring in memory cannot be read.
    #[error("the key ring {AUTH_SIGNING_KEY} is damaged ({reason}): restore the secrets from a backup")]
    Ring {
        /// What is wrong with it.
        reason: String,
    },
    /// No secret of that name.
    #[error("there is no secret {name:?}: the names are {known}")]
    Unknown {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// A password that a store holds too.
    #[error(
        "{name} cannot be rotated: the running stores and clients hold this password too, and changing it here alone \
             would lock them out; only {AUTH_SIGNING_KEY} can be rotated"
    )]
    NotRotatable {
        /// What was asked for.
        name: String,
    },
    /// The system gave no random numbers.
    #[error("cannot generate {what}: the system's random number generator failed")]
    Random {
        /// What was to be made.
        what: &'static str,
    },
}

impl SecretsError {
    fn damaged(path: &Path, reason: impl Into<String>) -> Self {
        Self::Damaged {
            path: path.to_owned(),
            reason: reason.into(),
        }
    }
}

/// The names of all secrets that a platform needs.
#[must_use]
pub fn names_for(spec: &Spec) -> Vec<String> {
    let tenancies = spec
        .services
        .iter()
        .filter_map(|(name, service)| uses::tenancy(name, service));
    store_passwords()
        .chain([AUTH_SIGNING_KEY])
        .map(str::to_owned)
        .chain(tenancies.flat_map(|tenancy| {
            let owner = tenancy.schema.map(|schema| schema.password);
            owner.into_iter().chain([tenancy.password])
        }))
        .chain(clients(spec).map(client_secret))
        .collect()
}

/// Whether a secret can have this name: also a file's name and a key of a Kubernetes Secret.
fn is_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !name.is_empty() && name.len() <= 253 && !name.starts_with('-') && name.bytes().all(plain)
}

/// The services that prove to the issuer of tokens who they are: all that use it.
pub fn clients(spec: &Spec) -> impl Iterator<Item = &str> {
    uses::callers(spec, ISSUER)
}

/// The name of the secret by which a service gets its own tokens.
#[must_use]
pub fn client_secret(service: &str) -> String {
    format!("client-{service}")
}

/// 256 random bits as text that needs no quoting in any configuration file or URL.
fn password() -> Result<SecretString, SecretsError> {
    let mut bytes = Zeroizing::new([0_u8; 32]);
    aws_lc_rs::rand::fill(bytes.as_mut_slice()).map_err(|_| SecretsError::Random { what: "a password" })?;
    Ok(SecretString::from(URL_SAFE_NO_PAD.encode(bytes.as_slice())))
}

#[cfg(test)]
mod tests;
