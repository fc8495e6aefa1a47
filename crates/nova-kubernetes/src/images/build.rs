//! Builds the images that the builder's store does not have.

use std::collections::BTreeMap;
use std::time::Instant;

use futures::{StreamExt, TryStreamExt};
use nova_platform::spec::Spec;

use super::definition::{Content, Definition, Ingredient};
use super::{Builder, Images, ImagesError, Outcome, Progress, Report, Sources, context, definition, done, wheels};

/// Images that are built at the same time.
const BUILDS: usize = 2;

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
    image: Definition,
    reference: &str,
    sources: &Sources,
    say: &(dyn Fn(&str) + Send + Sync),
) -> Result<(), ImagesError> {
    let needs_wheels = |ingredient: &Ingredient| matches!(ingredient.content, Content::Wheels);
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
