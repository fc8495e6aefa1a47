//! The images that members run: what they are named, how they are built, and how they reach the nodes.
//!
//! An image's tag is made of all that goes into it, so that a name says what it holds: what exists under a name needs no
//! second build, and what a node has under a name needs no second loading.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use futures::{StreamExt, TryStreamExt};
use nova_platform::spec::Spec;

mod builder;
mod command;
mod context;
mod definition;
mod error;
#[cfg(test)]
mod fixtures;
mod loader;
mod nodes;
mod tag;
#[cfg(test)]
mod tests;
mod wheels;

pub use builder::Builder;
pub use command::CommandError;
pub use definition::FIXED;
pub use error::ImagesError;
pub use loader::Loader;
pub use nodes::{NodeImages, context_name, lacking, node_images};

/// What local images are called before their own name.
const LOCAL: &str = "localhost/nova";
/// Images that are built at the same time.
const BUILDS: usize = 2;

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

/// Which of the images are in the builder's store, by name.
///
/// # Errors
///
/// When nothing builds images on this machine.
pub async fn built(images: &Images) -> Result<BTreeMap<String, bool>, ImagesError> {
    let builder = Builder::find().await?;
    let mut there = BTreeMap::new();
    for (name, reference) in images.iter() {
        there.insert(name.to_owned(), builder.has(reference).succeeds().await);
    }
    Ok(there)
}

/// Builds what is not in the builder's store yet, two at a time. Ended when the future is dropped.
///
/// # Errors
///
/// When nothing builds images here, something that an image holds is missing, or a build fails; the others' results stay in
/// the store.
pub async fn ensure_built(
    spec: &Spec,
    images: &Images,
    sources: &Sources,
    report: Report<'_>,
) -> Result<Vec<Outcome>, ImagesError> {
    let builder = Builder::find().await?;
    let builds = definition::all(spec, &sources.programs)
        .into_iter()
        .map(|image| async move {
            let reference = images.reference(&image.name);
            let began = Instant::now();
            let there = builder.has(&reference).succeeds().await;
            if !there {
                let (name, label) = (image.name.clone(), image.name.clone());
                report(Progress::Building { image: &name, builder });
                let say = move |line: &str| report(Progress::Line { image: &label, line });
                build(builder, image, &reference, sources, &say).await?;
                return Ok(done(name, reference, Some(began.elapsed()), report));
            }
            Ok(done(image.name, reference, None, report))
        });
    let mut outcomes: Vec<Outcome> = futures::stream::iter(builds)
        .buffer_unordered(BUILDS)
        .try_collect()
        .await?;
    outcomes.sort_by(|a, b| a.image.cmp(&b.image));
    Ok(outcomes)
}

async fn build(
    builder: Builder,
    image: definition::Definition,
    reference: &str,
    sources: &Sources,
    say: &(dyn Fn(&str) + Send + Sync),
) -> Result<(), ImagesError> {
    let needs_wheels = |ingredient: &definition::Ingredient| matches!(ingredient.content, definition::Content::Wheels);
    let wheels = if image.ingredients.iter().any(needs_wheels) {
        Some(wheels::fetch(&sources.cache, say).await?)
    } else {
        None
    };
    let listed = context::Listed {
        jars: sources.kafka_jars.clone(),
        wheels,
    };
    let directory = tempfile::tempdir().map_err(ImagesError::file("a directory for temporary files"))?;
    let command = builder.build(reference, &image.arguments, directory.path());
    let (name, into) = (image.name.clone(), directory.path().to_owned());
    tokio::task::spawn_blocking(move || context::write(&image, &listed, &into))
        .await
        .unwrap_or_else(|error| Err(ImagesError::file(directory.path())(std::io::Error::other(error))))?;
    command
        .run(say)
        .await
        .map_err(|source| ImagesError::Build { image: name, source })
}

/// Loads what some node does not have, or everything when `force` is set, one image after the other. `nodes` is what
/// [`node_images`] says; without nodes everything is loaded.
///
/// # Errors
///
/// When nothing builds images here, or an image does not get there.
pub async fn ensure_loaded(
    images: &Images,
    loader: &Loader,
    nodes: &[NodeImages],
    force: bool,
    report: Report<'_>,
) -> Result<Vec<Outcome>, ImagesError> {
    let mut outcomes = Vec::new();
    let builder = Builder::find().await?;
    for (image, reference) in images.iter() {
        let began = Instant::now();
        let took = if is_wanted(reference, nodes, force) {
            report(Progress::Loading { image });
            load(builder, loader, reference, &|line| {
                report(Progress::Line { image, line })
            })
            .await
            .map_err(loader::failed(reference))?;
            Some(began.elapsed())
        } else {
            None
        };
        outcomes.push(done(image.to_owned(), reference.to_owned(), took, report));
    }
    Ok(outcomes)
}

fn is_wanted(reference: &str, nodes: &[NodeImages], force: bool) -> bool {
    force || nodes.is_empty() || !lacking(nodes, reference).is_empty()
}

async fn load(
    builder: Builder,
    loader: &Loader,
    reference: &str,
    say: &(dyn Fn(&str) + Send + Sync),
) -> Result<(), CommandError> {
    let failed = |source| CommandError::Start {
        program: builder.program().to_owned(),
        source,
    };
    let directory = tempfile::tempdir().map_err(failed)?;
    let archive = directory.path().join("image.tar");
    if loader.takes_archive() {
        builder.archive(reference, &archive).run(say).await?;
    }
    match loader.invocation(reference, &archive) {
        Some(invocation) => invocation.run(say).await,
        None => builder.push(reference).run(say).await,
    }
}

fn done(image: String, reference: String, took: Option<Duration>, report: Report<'_>) -> Outcome {
    let outcome = Outcome { image, reference, took };
    report(Progress::Done(&outcome));
    outcome
}
