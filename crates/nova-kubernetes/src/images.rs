//! The images that members run, and under which names a cluster finds them.

use std::collections::BTreeMap;

/// Image references by image name: `etcd`, `postgres`, `redis`, `kafka`, `haproxy`, `nova`, and each service's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Images {
    references: BTreeMap<String, String>,
}

impl Images {
    /// These references; an image that is not among them has its name with the version of this program as its tag.
    #[must_use]
    pub fn of(references: BTreeMap<String, String>) -> Self {
        Self { references }
    }

    /// The names that a release has: what `nova render` writes when nothing was built.
    #[must_use]
    pub fn released() -> Self {
        Self::of(BTreeMap::new())
    }

    /// What a pod's `image` says.
    #[must_use]
    pub fn reference(&self, image: &str) -> String {
        self.references
            .get(image)
            .cloned()
            .unwrap_or_else(|| format!("localhost/nova/{image}:{}", env!("CARGO_PKG_VERSION")))
    }
}
