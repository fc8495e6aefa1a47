//! The images that members run: what they are named, how they are built, and how they reach the nodes.
//!
//! An image's tag is made of all that goes into it, so that a name says what it holds: what exists under a name needs no
//! second build, and what a node has under a name needs no second loading.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nova_platform::spec::Spec;

mod build;
mod builder;
mod command;
mod context;
mod definition;
mod error;
#[cfg(test)]
mod fixtures;
mod load;
mod loader;
mod nodes;
mod tag;
#[cfg(test)]
mod tests;
mod wheels;

pub use build::{built, ensure_built};
pub use builder::Builder;
pub use command::CommandError;
pub use error::ImagesError;
pub use load::ensure_loaded;
pub use loader::Loader;
pub use nodes::{NodeImages, context_name, lacking, node_images};

/// What local images are called before their own name.
const LOCAL: &str = "localhost/nova";

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
            .unwrap_or_else(|| format!("{LOCAL}/{image}:{}", env!("CARGO_PKG_VERSION")))
    }

    /// Names and references, in the order of the names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.references
            .iter()
            .map(|(name, reference)| (name.as_str(), reference.as_str()))
    }
}

/// Where a build finds what it does not make itself.
#[derive(Debug, Clone)]
pub struct Sources {
    /// Directory of Nova's own programs: the one of the running `nova`.
    pub programs: PathBuf,
    /// Directory of Kafka's jars, when they are on this machine.
    pub kafka_jars: Option<PathBuf>,
    /// Directory in which fetched packages are kept for the next build.
    pub cache: PathBuf,
}

/// What happens while images are built and loaded.
#[derive(Debug, Clone, Copy)]
pub enum Progress<'a> {
    /// A build begins.
    Building {
        /// The image's name.
        image: &'a str,
        /// The program that builds.
        builder: Builder,
    },
    /// A builder or loader printed a line.
    Line {
        /// The image's name.
        image: &'a str,
        /// What it printed.
        line: &'a str,
    },
    /// An image goes into the nodes.
    Loading {
        /// The image's name.
        image: &'a str,
    },
    /// Built or loaded.
    Done(&'a Outcome),
}

/// What became of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The image's name.
    pub image: String,
    /// Its reference.
    pub reference: String,
    /// How long it took; `None` when nothing was to be done.
    pub took: Option<Duration>,
}

/// Told of progress, from several builds at once.
pub type Report<'a> = &'a (dyn Fn(Progress<'_>) + Send + Sync);

/// Names the images that would be built now, by their content; asks no builder. Reads Nova's programs in `programs`.
///
/// # Errors
///
/// When a program is not there or cannot be read.
pub fn references(spec: &Spec, programs: &Path) -> Result<Images, ImagesError> {
    let registry = spec.kubernetes.registry.trim_end_matches('/');
    let prefix = if registry.is_empty() { LOCAL } else { registry };
    let mut digests = tag::Digests::default();
    let named = definition::all(spec, programs).into_iter().map(|image| {
        let tag = tag::tag(&image, &mut digests)?;
        let reference = format!("{prefix}/{}:{tag}", image.name);
        Ok((image.name, reference))
    });
    Ok(Images::of(named.collect::<Result<_, ImagesError>>()?))
}

/// An outcome, reported.
fn done(image: String, reference: String, took: Option<Duration>, report: Report<'_>) -> Outcome {
    let outcome = Outcome { image, reference, took };
    report(Progress::Done(&outcome));
    outcome
}
