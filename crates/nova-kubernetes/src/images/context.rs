//! Lays out an image's build context in a directory of its own.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use super::definition::{Content, Definition, jars};
use super::error::ImagesError;

/// The time of every file, so that builders find again what they built before, and a class archive fits its jars wherever the
/// image is unpacked: a whole second.
const TIME: Duration = Duration::from_secs(1_000_000_000);

/// Where files come from that lists name.
#[derive(Debug, Clone, Default)]
pub(super) struct Listed {
    /// Directory of Kafka's jars.
    pub(super) jars: Option<PathBuf>,
    /// Directory of Patroni's packages.
    pub(super) wheels: Option<PathBuf>,
}

/// Writes the Containerfile and all ingredients; what is listed is taken from where `listed` says.
pub(super) fn write(image: &Definition, listed: &Listed, into: &Path) -> Result<(), ImagesError> {
    put(&into.join("Containerfile"), image.containerfile.as_bytes(), 0o644)?;
    for ingredient in &image.ingredients {
        let path = into.join(&ingredient.name);
        match &ingredient.content {
            Content::Program(program) => strip(program, &path, ingredient.mode)?,
            Content::List(text) => put(&path, text.as_bytes(), ingredient.mode)?,
            Content::Jars => {
                let from = listed.jars.as_deref().ok_or(ImagesError::NoJars)?;
                copy_all(jars().map(|name| from.join(name)), &path, ingredient.mode)?;
            }
            Content::Wheels => {
                let from = listed.wheels.as_deref().unwrap_or(Path::new("/nonexistent"));
                let mut files = Vec::new();
                for entry in fs::read_dir(from).map_err(ImagesError::file(from))? {
                    files.push(entry.map_err(ImagesError::file(from))?.path());
                }
                copy_all(files, &path, ingredient.mode)?;
            }
        }
    }
    Ok(())
}

/// A program without its debug information, which would be most of the image; whole where nothing strips it.
fn strip(program: &Path, to: &Path, mode: u32) -> Result<(), ImagesError> {
    let mut command = Command::new("strip");
    command.arg("--strip-debug").arg("-o").arg(to).arg(program);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    if !command.status().is_ok_and(|status| status.success()) {
        fs::copy(program, to).map_err(ImagesError::file(program))?;
    }
    seal(to, mode)
}

fn copy_all(files: impl IntoIterator<Item = PathBuf>, into: &Path, mode: u32) -> Result<(), ImagesError> {
    fs::create_dir_all(into).map_err(ImagesError::file(into))?;
    for file in files {
        let Some(name) = file.file_name() else { continue };
        let to = into.join(name);
        fs::copy(&file, &to).map_err(ImagesError::file(&file))?;
        seal(&to, mode)?;
    }
    set_time(into)
}

fn put(path: &Path, content: &[u8], mode: u32) -> Result<(), ImagesError> {
    fs::write(path, content).map_err(ImagesError::file(path))?;
    seal(path, mode)
}

fn seal(path: &Path, mode: u32) -> Result<(), ImagesError> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(ImagesError::file(path))?;
    set_time(path)
}

fn set_time(path: &Path) -> Result<(), ImagesError> {
    File::open(path)
        .and_then(|file| file.set_modified(SystemTime::UNIX_EPOCH + TIME))
        .map_err(ImagesError::file(path))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::super::definition::Ingredient;
    use super::*;

    #[test]
    fn files_get_their_names_modes_and_one_time() {
        let (from, to) = (
            tempfile::tempdir().expect("a directory"),
            tempfile::tempdir().expect("a directory"),
        );
        let program = from.path().join("built");
        fs::write(&program, "not an object file, so it is taken as it is").expect("writable");
        let ingredient = |name: &str, mode, content| Ingredient {
            name: name.to_owned(),
            mode,
            content,
        };
        let image = Definition {
            name: "redis".to_owned(),
            containerfile: "FROM scratch\n",
            arguments: vec![],
            ingredients: vec![
                ingredient("program", 0o755, Content::Program(program)),
                ingredient("list", 0o644, Content::List("a\n")),
            ],
        };
        write(&image, &Listed::default(), to.path()).expect("written");
        for (name, mode) in [("Containerfile", 0o644), ("program", 0o755), ("list", 0o644)] {
            let meta = to.path().join(name).metadata().expect(name);
            assert_eq!(
                (meta.mode() & 0o777, meta.mtime(), meta.mtime_nsec()),
                (mode, 1_000_000_000, 0),
                "{name}"
            );
        }
    }

    #[test]
    fn without_jars_the_way_to_them_is_told() {
        let to = tempfile::tempdir().expect("a directory");
        let image = Definition {
            name: "kafka".to_owned(),
            containerfile: "FROM scratch\n",
            arguments: vec![],
            ingredients: vec![Ingredient {
                name: "libs".to_owned(),
                mode: 0o644,
                content: Content::Jars,
            }],
        };
        let error = write(&image, &Listed::default(), to.path()).expect_err("there are none");
        assert!(error.to_string().contains("nova doctor --install"), "{error}");
    }
}
