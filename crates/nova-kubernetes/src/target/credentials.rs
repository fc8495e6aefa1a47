//! What only the operator has, read from the files that the description names.

use std::collections::BTreeMap;

use secrecy::SecretString;

use super::{KubernetesError, KubernetesTarget};
use crate::resources::SecretSource;

/// Largest file that is read, in bytes: a Secret holds no more.
const LARGEST: u64 = 512 << 10;

/// By the Secret's name: its values by key. Groups that are not given are not there.
pub(super) type Credentials = BTreeMap<String, BTreeMap<String, SecretString>>;

impl KubernetesTarget {
    /// Reads all that are given; touches nothing in the cluster.
    pub(super) fn read_credentials(&self) -> Result<Credentials, KubernetesError> {
        let settings = serde_json::to_value(&self.spec.kubernetes.credentials)
            .map_err(|error| KubernetesError::Credentials(error.to_string()))?;
        let mut all = Credentials::new();
        for layout in self
            .layouts
            .iter()
            .filter(|one| one.source == SecretSource::Credentials)
        {
            let setting = |name: &str| {
                settings
                    .get(name)
                    .and_then(|value| value.as_str())
                    .unwrap_or_default()
                    .to_owned()
            };
            let missing: Vec<&str> = layout
                .keys
                .iter()
                .filter(|(_, origin)| setting(origin).is_empty())
                .map(|(_, origin)| origin.as_str())
                .collect();
            if missing.len() == layout.keys.len() {
                continue;
            }
            if !missing.is_empty() {
                return Err(KubernetesError::Credentials(format!(
                    "{} is only half given: {} is missing",
                    layout.name,
                    missing.join(", ")
                )));
            }
            let mut values = BTreeMap::new();
            for (key, origin) in &layout.keys {
                let given = setting(origin);
                let value = if origin.ends_with("_file") {
                    read(origin, &given)?
                } else {
                    given
                };
                values.insert(key.clone(), SecretString::from(value));
            }
            all.insert(layout.name.clone(), values);
        }
        Ok(all)
    }
}

fn read(setting: &str, path: &str) -> Result<String, KubernetesError> {
    let failed = |why: String| KubernetesError::Credentials(format!("{setting}: {path}: {why}"));
    let metadata = std::fs::metadata(path).map_err(|error| failed(error.to_string()))?;
    if !metadata.is_file() || metadata.len() > LARGEST {
        return Err(failed("not a regular file of at most 512 KiB".to_owned()));
    }
    let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
    if text.trim().is_empty() {
        return Err(failed("the file is empty".to_owned()));
    }
    Ok(text)
}
