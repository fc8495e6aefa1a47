//! Where our own installations go: `/usr/local/lib/nova` for root, the user's data directory otherwise. A user finds what
//! root installed as well. Reads the environment, as configuration does.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

const SYSTEM: &str = "/usr/local/lib/nova";

/// Where this user installs to; `None` without a home directory.
pub(super) fn own() -> Option<PathBuf> {
    if nix::unistd::geteuid().is_root() {
        Some(SYSTEM.into())
    } else {
        user()
    }
}

/// Where an installation of this name may be, the nearest place first.
pub(super) fn candidates(name: &str) -> Vec<PathBuf> {
    let mut places: Vec<PathBuf> = own().into_iter().collect();
    if !places.iter().any(|place| place == Path::new(SYSTEM)) {
        places.push(SYSTEM.into());
    }
    places.into_iter().map(|place| place.join(name)).collect()
}

/// Directories that hold programs. Root's members run as another user, so for root only those of the system count.
pub(super) fn program_directories() -> Vec<PathBuf> {
    let system = [
        "/usr/local/sbin",
        "/usr/local/bin",
        "/usr/sbin",
        "/usr/bin",
        "/sbin",
        "/bin",
    ]
    .map(PathBuf::from);
    if nix::unistd::geteuid().is_root() {
        return system.into();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .filter(|directory| directory.is_absolute())
        .chain(system)
        .collect()
}

/// Whether every user can reach this file, so that the members' user can.
pub(super) fn is_open_to_all(file: &Path) -> bool {
    let permits = |path: &Path, bits: u32| path.metadata().is_ok_and(|meta| meta.mode() & bits == bits);
    permits(file, 0o004) && file.ancestors().skip(1).all(|directory| permits(directory, 0o001))
}

fn user() -> Option<PathBuf> {
    let absolute = |name| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let data = absolute("XDG_DATA_HOME").or_else(|| absolute("HOME").map(|home| home.join(".local/share")));
    data.map(|data| data.join("nova"))
}

/// A program of this name in a directory that counts.
pub(super) fn locate(name: &str) -> Option<PathBuf> {
    all_of(name, &program_directories()).next()
}

/// All programs of this name in these directories, each once.
pub(super) fn all_of(name: &str, directories: &[PathBuf]) -> impl Iterator<Item = PathBuf> {
    let mut seen = Vec::new();
    let paths: Vec<PathBuf> = directories.iter().map(|directory| directory.join(name)).collect();
    paths.into_iter().filter(move |path| {
        // A directory may be a link to another one.
        let real = path.canonicalize().unwrap_or_else(|_| path.clone());
        let new = path.is_file() && !seen.contains(&real);
        seen.push(real);
        new
    })
}
