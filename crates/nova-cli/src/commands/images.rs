//! `nova images`: builds, loads and lists the container images that a cluster's members run.

use anyhow::Context;
use nova_kubernetes::images::{self, Images, ImagesError, Loader, NodeImages, Outcome, Progress, Sources};
use nova_local::doctor;
use nova_platform::spec::Spec;
use serde_json::{Value, json};

use super::Session;
use crate::cli::{Format, Images as Action};
use crate::exit::Exit;
use crate::output::{DIM, GREEN, Output, YELLOW, seconds, table};

pub(super) fn is_prerequisite(error: &anyhow::Error) -> bool {
    let images = |cause: &(dyn std::error::Error + 'static)| {
        cause
            .downcast_ref::<ImagesError>()
            .is_some_and(ImagesError::is_prerequisite)
    };
    error.chain().any(images)
}

pub(super) async fn run(session: &Session, action: &Action) -> anyhow::Result<Exit> {
    let work = async {
        match action {
            Action::Build(_) => {
                let (_, outcomes) = build(session).await?;
                print_outcomes(&outcomes, session.output)
            }
            Action::Load { force, .. } => {
                let (images, _) = build(session).await?;
                let outcomes = load(session, &images, *force).await?;
                print_outcomes(&outcomes, session.output)
            }
            Action::List(_) => list(session).await,
        }
    };
    tokio::select! {
        done = work => done.map(|()| Exit::Done),
        _ = tokio::signal::ctrl_c() => {
            eprintln!("interrupted; what was built stays, and the same command goes on from there");
            Ok(Exit::Interrupted)
        }
    }
}

/// Names what would be built now.
pub(super) fn references(session: &Session) -> anyhow::Result<Images> {
    Ok(images::references(session.spec(), &sources()?.programs)?)
}

/// Builds what does not exist yet. Kafka's jars are fetched first when they are needed and not here.
pub(super) async fn build(session: &Session) -> anyhow::Result<(Images, Vec<Outcome>)> {
    let mut sources = sources()?;
    let images = images::references(session.spec(), &sources.programs)?;
    if sources.kafka_jars.is_none() && images::built(&images).await?.get("kafka") == Some(&false) {
        tokio::task::spawn_blocking(|| doctor::fetch_kafka(&mut |line| eprintln!("{line}"))).await??;
        sources.kafka_jars = doctor::kafka_directory();
    }
    let outcomes = images::ensure_built(session.spec(), &images, &sources, &|progress| {
        show("built", progress, session.output);
    })
    .await?;
    Ok((images, outcomes))
}

/// Loads what some node does not have.
pub(super) async fn load(session: &Session, images: &Images, force: bool) -> anyhow::Result<Vec<Outcome>> {
    let settings = &session.spec().kubernetes;
    let loader = Loader::choose(settings, &images::context_name(settings))?;
    let nodes = match images::node_images(settings).await {
        // A registry takes images without any cluster.
        Err(error) if loader == Loader::Registry => {
            eprintln!(
                "{} everything is pushed, since {error}",
                session.output.paint(YELLOW, "warning:")
            );
            Vec::new()
        }
        nodes => nodes?,
    };
    let show = |progress: Progress<'_>| show("loaded", progress, session.output);
    Ok(images::ensure_loaded(images, &loader, &nodes, force, &show).await?)
}

fn sources() -> anyhow::Result<Sources> {
    let nova = std::env::current_exe().context("cannot find the nova program itself")?;
    let programs = nova.parent().context("the nova program has no directory")?.to_owned();
    Ok(Sources {
        programs,
        kafka_jars: doctor::kafka_directory(),
        cache: doctor::own_directory().unwrap_or_else(std::env::temp_dir),
    })
}

fn show(done: &str, progress: Progress<'_>, output: Output) {
    match progress {
        Progress::Building { image, builder } => eprintln!("building {image} with {}", builder.program()),
        Progress::Loading { image } => eprintln!("loading {image}"),
        Progress::Line { image, line } if output.verbose => {
            eprintln!("{}", output.paint(DIM, &format!("{image}: {line}")))
        }
        Progress::Line { .. } => {}
        Progress::Done(outcome) => {
            if let Some(took) = outcome.took {
                eprintln!("{} {} in {}", output.paint(GREEN, done), outcome.image, seconds(took));
            }
        }
    }
}

fn print_outcomes(outcomes: &[Outcome], output: Output) -> anyhow::Result<()> {
    if output.format == Format::Json {
        let images: Vec<Value> = outcomes
            .iter()
            .map(|outcome| {
                json!({
                    "name": outcome.image, "reference": outcome.reference, "changed": outcome.took.is_some(),
                    "seconds": outcome.took.map(|took| took.as_secs_f64()),
                })
            })
            .collect();
        return Output::json(&json!({"schema": "nova.images/v1", "images": images}));
    }
    let rows: Vec<Vec<String>> = outcomes
        .iter()
        .map(|outcome| {
            let what = outcome.took.map_or_else(|| output.paint(DIM, "unchanged"), seconds);
            vec![outcome.image.clone(), outcome.reference.clone(), what]
        })
        .collect();
    print!("{}", table(&rows, 0));
    Ok(())
}

async fn list(session: &Session) -> anyhow::Result<()> {
    let spec: &Spec = session.spec();
    let images = images::references(spec, &sources()?.programs)?;
    let (built, nodes) = tokio::join!(images::built(&images), images::node_images(&spec.kubernetes));
    if session.output.format == Format::Json {
        let listed: Vec<Value> = images
            .iter()
            .map(|(name, reference)| {
                json!({
                    "name": name, "reference": reference,
                    "built": built.as_ref().ok().and_then(|built| built.get(name)),
                    "missing_on": nodes.as_ref().ok().map(|nodes| images::lacking(nodes, reference)),
                })
            })
            .collect();
        return Output::json(&json!({"schema": "nova.images/v1", "images": listed}));
    }
    let rows: Vec<Vec<String>> = images
        .iter()
        .map(|(name, reference)| {
            let built = match built.as_ref().map(|built| built.get(name) == Some(&true)) {
                Ok(true) => session.output.paint(GREEN, "built"),
                Ok(false) => session.output.paint(YELLOW, "not built"),
                Err(_) => "no builder here".to_owned(),
            };
            vec![
                name.to_owned(),
                reference.to_owned(),
                built,
                whereabouts(nodes.as_deref(), reference),
            ]
        })
        .collect();
    print!("{}", table(&rows, 0));
    if let Err(error) = nodes {
        let text = format!("{:#}", anyhow::Error::new(error));
        eprintln!("{} {text}", session.output.paint(YELLOW, "warning:"));
    }
    Ok(())
}

fn whereabouts(nodes: Result<&[NodeImages], &ImagesError>, reference: &str) -> String {
    match nodes.map(|nodes| images::lacking(nodes, reference)) {
        Ok(lacking) if lacking.is_empty() => "on all nodes".to_owned(),
        Ok(lacking) => format!("not on {}", lacking.join(", ")),
        Err(_) => String::new(),
    }
}
