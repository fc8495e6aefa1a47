//! Patroni's packages for the Python of its image. They are fetched here, where the machine's own settings for package indexes
//! hold, and installed inside the image from files only; the lists' checksums are checked at both places.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::command::Invocation;
use super::definition::{PATRONI, PATRONI_BUILD};
use super::error::ImagesError;
use super::tag::hexadecimal;

/// Python of the images' distribution.
const PYTHON_OF_IMAGES: &str = "3.13";
const PYTHON: &str = "/usr/bin/python3";
const LIMIT: Duration = Duration::from_secs(300);

/// The directory with all packages; those that were fetched before are taken again.
pub(super) async fn fetch(cache: &Path, say: &(dyn Fn(&str) + Send + Sync)) -> Result<PathBuf, ImagesError> {
    let digest = hexadecimal(&Sha256::digest(format!("{PYTHON_OF_IMAGES}\n{PATRONI_BUILD}{PATRONI}")));
    let whole = cache.join(format!("patroni-packages-{}", &digest[..12]));
    if whole.is_dir() {
        return Ok(whole);
    }
    fs::create_dir_all(cache).map_err(ImagesError::file(cache))?;
    // Beside its place, so that moving it there is one step: what has the name is whole.
    let work = tempfile::tempdir_in(cache).map_err(ImagesError::file(cache))?;
    let (python, packages) = (work.path().join("python"), work.path().join("packages"));
    python_of_its_own(&python, say).await?;
    let python = python.join("bin/python").display().to_string();
    for (name, list) in [("build.txt", PATRONI_BUILD), ("requirements.txt", PATRONI)] {
        let file = work.path().join(name);
        fs::write(&file, list).map_err(ImagesError::file(&file))?;
        let (file, packages) = (file.display().to_string(), packages.display().to_string());
        let quiet = ["-m", "pip", "--quiet", "--no-input", "--disable-pip-version-check"];
        let pinned = [
            "--no-deps",
            "--no-build-isolation",
            "--require-hashes",
            "--requirement",
            file.as_str(),
        ];
        let version = ["--python-version", PYTHON_OF_IMAGES, "--dest", packages.as_str()];
        let download = quiet.into_iter().chain(["download"]).chain(version).chain(pinned);
        pip(&python, download, say).await?;
        if list == PATRONI_BUILD {
            // Some are published as source only, which is asked for its name with these.
            pip(&python, quiet.into_iter().chain(["install"]).chain(pinned), say).await?;
        }
    }
    match fs::rename(&packages, &whole) {
        // Another one was faster.
        Err(_) if whole.is_dir() => Ok(whole),
        moved => moved.map_err(ImagesError::file(&whole)).map(|()| whole),
    }
}

async fn python_of_its_own(directory: &Path, say: &(dyn Fn(&str) + Send + Sync)) -> Result<(), ImagesError> {
    let directory = directory.display().to_string();
    Invocation::new(PYTHON, ["-m", "venv", directory.as_str()], LIMIT)
        .run(say)
        .await
        .map_err(ImagesError::Wheels)
}

async fn pip<'a>(
    python: &str,
    arguments: impl Iterator<Item = &'a str>,
    say: &(dyn Fn(&str) + Send + Sync),
) -> Result<(), ImagesError> {
    Invocation::new(python, arguments, LIMIT)
        .run(say)
        .await
        .map_err(ImagesError::Wheels)
}
