//! `nova render`: the Kubernetes resources as files.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use nova_kubernetes::images::Images;
use nova_kubernetes::profile::Profile;
use nova_kubernetes::render::{MARK, files};
use nova_platform::spec::ProfileChoice;

use super::{Session, WrongUsage, images};
use crate::cli::{Format, Render};
use crate::exit::Exit;
use crate::output::Output;

const DEFAULT_OUT: &str = "deploy/rendered";

pub(super) fn run(session: &Session, args: &Render) -> anyhow::Result<Exit> {
    let images = if args.built {
        images::references(session)?
    } else {
        Images::released()
    };
    let mut written = Vec::new();
    for profile in profiles(session, args)? {
        let directory = args
            .out
            .clone()
            .unwrap_or_else(|| Path::new(DEFAULT_OUT).join(profile.name()));
        written.extend(write(session, profile, &images, &directory)?);
    }
    if session.output.format == Format::Json {
        Output::json(&serde_json::json!({"schema": "nova.render/v1", "files": written}))?;
    } else {
        for file in &written {
            println!("{}", file.display());
        }
    }
    Ok(Exit::Done)
}

/// Without a cluster nobody knows what "auto" comes to. The session's choice is that of `--profile`, or else the description's.
fn profiles(session: &Session, args: &Render) -> Result<Vec<Profile>, WrongUsage> {
    match session.spec().kubernetes.profile {
        ProfileChoice::Production => Ok(vec![Profile::Production]),
        ProfileChoice::Small => Ok(vec![Profile::Small]),
        ProfileChoice::Auto if args.out.is_none() => Ok(Profile::ALL.to_vec()),
        ProfileChoice::Auto => Err(WrongUsage(
            "--out holds the files of one profile, and \"auto\" is none: add --profile production or --profile small"
                .to_owned(),
        )),
    }
}

/// Writes all files, or none when one that is there is somebody else's.
fn write(session: &Session, profile: Profile, images: &Images, directory: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let files = files(session.spec(), profile, images)?;
    let files: Vec<(PathBuf, String)> = files
        .into_iter()
        .map(|(name, text)| (directory.join(name), text))
        .collect();
    for (path, _) in &files {
        refuse_others(path)?;
    }
    fs::create_dir_all(directory).with_context(|| format!("cannot make the directory {}", directory.display()))?;
    for (path, text) in &files {
        fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(files.into_iter().map(|(path, _)| path).collect())
}

fn refuse_others(path: &Path) -> anyhow::Result<()> {
    match fs::read(path) {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound) => Ok(()),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
        Ok(content) if content.starts_with(MARK.as_bytes()) => Ok(()),
        Ok(_) => anyhow::bail!(
            "{} was not written by `nova render` (its first line is not {MARK:?}), so nothing was written; move it away, or choose \
             another directory with --out",
            path.display()
        ),
    }
}
