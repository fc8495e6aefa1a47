//! Brings the images into the nodes, or to the registry that these pull from.

use std::time::Instant;

use super::{
    Builder, CommandError, Images, ImagesError, Loader, NodeImages, Outcome, Progress, Report, done, lacking, loader,
};

/// Loads what some node does not have, or everything when `force` is set, one image after the other. `nodes` is what
/// [`super::node_images`] says; without nodes everything is loaded.
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

/// Whether there is anything to do for an image.
pub(super) fn is_wanted(reference: &str, nodes: &[NodeImages], force: bool) -> bool {
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
