//! Kafka's jars: exactly those of the list, each with its checksum, and an archive of their classes for a quick start.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::command::run;
use super::error::InstallError;
use super::{Finding, place};

mod archive;

const NAME: &str = "kafka-4.4.0";
const POM: &str = include_str!("../../install/kafka-pom.xml");
const CHECKSUMS: &str = include_str!("../../install/kafka-sha256.txt");
/// Written last, with the size of each jar, so that a later look needs no checksums.
const MARKER: &str = ".nova-complete";
const COPY: &str = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies";
const LIMIT: Duration = Duration::from_secs(900);

/// Class archive among Kafka's jars, made at installation: a broker starts in half the time with it.
pub const CLASS_ARCHIVE: &str = "kafka.jsa";

/// File names of Kafka's jars, in order.
pub fn kafka_jars() -> impl Iterator<Item = &'static str> {
    checksums().map(|(_, name)| name)
}

fn checksums() -> impl Iterator<Item = (&'static str, &'static str)> {
    CHECKSUMS.lines().filter_map(|line| line.split_once("  "))
}

pub(super) fn look() -> (Finding, Option<PathBuf>) {
    let found = place::candidates(NAME)
        .into_iter()
        .find(|directory| is_whole(directory));
    let finding = Finding {
        name: "Kafka".to_owned(),
        ok: found.is_some(),
        found: found
            .as_ref()
            .map(|directory| format!("4.4.0 in {}", directory.display())),
        wanted: "4.4.0 with the listed checksums".to_owned(),
        why: "change events go through it".to_owned(),
        install: "nova doctor --install".to_owned(),
    };
    (finding, found)
}

/// Whether Maven is needed and is not there.
pub(super) fn lacks_maven() -> bool {
    look().1.is_none() && place::locate("mvn").is_none()
}

/// Copies the jars beside their place, checks each, and moves them there.
pub(super) fn install(java: Option<PathBuf>, say: &mut dyn FnMut(&str)) -> Result<(), InstallError> {
    if look().1.is_some() {
        return Ok(());
    }
    let own = place::own().ok_or(InstallError::NoHome)?;
    let (directory, fresh) = (own.join(NAME), own.join(format!("{NAME}.new")));
    say(&format!("installing Kafka into {}", directory.display()));
    remove(&fresh)?;
    remove(&directory)?;
    make(&own)?;
    make(&fresh)?;
    fetch(&fresh, say)?;
    for (checksum, name) in checksums() {
        let path = fresh.join(name);
        let actual = sha256(&path).map_err(|source| InstallError::File {
            path: path.clone(),
            source,
        })?;
        if actual != checksum {
            return Err(InstallError::Checksum {
                file: path,
                wanted: checksum.to_owned(),
                actual,
            });
        }
        open_to_all(&path)?;
    }
    fs::rename(&fresh, &directory).map_err(|source| InstallError::File {
        path: directory.clone(),
        source,
    })?;
    // After the move, since it is bound to the paths of the jars. Brokers do without, only slower.
    match java.map(|java| archive::make(&java, &directory)) {
        Some(Err(error)) => say(&format!(
            "no class archive for Kafka, which only slows its start: {error}"
        )),
        _ => say("Kafka is installed"),
    }
    let marker = directory.join(MARKER);
    fs::write(&marker, sizes(&directory)).map_err(|source| InstallError::File {
        path: marker.clone(),
        source,
    })?;
    open_to_all(&marker)?;
    if is_whole(&directory) {
        Ok(())
    } else {
        Err(InstallError::Unreadable { path: directory })
    }
}

fn fetch(into: &Path, say: &mut dyn FnMut(&str)) -> Result<(), InstallError> {
    let maven = place::locate("mvn").ok_or(InstallError::NoMaven)?;
    let pom = into.join("pom.xml");
    fs::write(&pom, POM).map_err(|source| InstallError::File {
        path: pom.clone(),
        source,
    })?;
    let mut command = Command::new(maven);
    command
        .args(["--batch-mode", "--quiet", "-Dstyle.color=never", "--file"])
        .arg(&pom)
        .arg(COPY)
        .arg("-DincludeScope=runtime");
    command.arg(format!("-DoutputDirectory={}", into.display()));
    run(&mut command, LIMIT, say)?;
    fs::remove_file(&pom).map_err(|source| InstallError::File { path: pom, source })
}

fn is_whole(directory: &Path) -> bool {
    let complete = fs::read_to_string(directory.join(MARKER)).is_ok_and(|marker| marker == sizes(directory));
    let readable = || {
        kafka_jars()
            .next()
            .is_some_and(|jar| place::is_open_to_all(&directory.join(jar)))
    };
    complete && (!nix::unistd::geteuid().is_root() || readable())
}

/// A line a jar; a missing one has none, so that the whole differs.
fn sizes(directory: &Path) -> String {
    let line = |(checksum, name)| {
        directory
            .join(name)
            .metadata()
            .ok()
            .map(|meta| format!("{checksum} {} {name}\n", meta.len()))
    };
    checksums().filter_map(line).collect()
}

fn sha256(path: &Path) -> io::Result<String> {
    let mut digest = Sha256::new();
    io::copy(&mut File::open(path)?, &mut HashWriter(&mut digest))?;
    Ok(digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

struct HashWriter<'a>(&'a mut Sha256);

impl io::Write for HashWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn make(directory: &Path) -> Result<(), InstallError> {
    let lost = |source| InstallError::File {
        path: directory.to_owned(),
        source,
    };
    fs::create_dir_all(directory).map_err(lost)?;
    fs::set_permissions(directory, fs::Permissions::from_mode(0o755)).map_err(lost)
}

fn open_to_all(file: &Path) -> Result<(), InstallError> {
    fs::set_permissions(file, fs::Permissions::from_mode(0o644)).map_err(|source| InstallError::File {
        path: file.to_owned(),
        source,
    })
}

fn remove(directory: &Path) -> Result<(), InstallError> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(InstallError::File {
            path: directory.to_owned(),
            source: error,
        }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_whole() {
        let names: Vec<_> = kafka_jars().collect();
        assert_eq!(names.len(), CHECKSUMS.lines().count());
        assert!(names.iter().any(|name| name.starts_with("kafka_2.13-4.4.0")));
        assert!(
            names.iter().any(|name| name.starts_with("log4j-slf4j-impl-")),
            "brokers would log nothing"
        );
        assert!(checksums().all(|(checksum, name)| checksum.len() == 64 && name.ends_with(".jar")));
    }

    #[test]
    fn a_missing_or_cut_jar_is_noticed() -> io::Result<()> {
        let directory = tempfile::tempdir()?;
        for name in kafka_jars() {
            fs::write(directory.path().join(name), name)?;
        }
        fs::write(directory.path().join(MARKER), sizes(directory.path()))?;
        let same =
            || fs::read_to_string(directory.path().join(MARKER)).is_ok_and(|marker| marker == sizes(directory.path()));
        assert!(same());
        let first = directory.path().join(kafka_jars().next().expect("the list is whole"));
        fs::write(&first, "x")?;
        assert!(!same());
        fs::remove_file(&first)?;
        assert!(!same());
        Ok(())
    }
}
