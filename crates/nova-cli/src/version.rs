//! The version with the commit that this was built from. `./nova` writes that down beside the program: compiled in, each commit would
//! make a new program, and new images of it, of sources that are the same.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::LazyLock;

const RECORD: &str = "nova-built";

/// `0.1.0`, or `0.1.0 (069312f 2026-11-29)` where the record is about this very program; `069312f+` with changes on top.
pub(crate) fn text() -> &'static str {
    static TEXT: LazyLock<String> = LazyLock::new(|| {
        let version = env!("CARGO_PKG_VERSION");
        let program = std::env::current_exe().ok();
        match program.as_deref().and_then(commit) {
            Some(commit) => format!("{version} ({commit})"),
            None => version.to_owned(),
        }
    });
    &TEXT
}

/// Lines of the record: the checkout, the program, its time and size, the commit.
fn commit(program: &Path) -> Option<String> {
    let program = program.canonicalize().ok()?;
    let record = fs::read_to_string(program.with_file_name(RECORD)).ok()?;
    let lines: Vec<&str> = record.lines().collect();
    let [_, recorded, identity, commit] = lines.as_slice() else {
        return None;
    };
    let same = Path::new(recorded).canonicalize().is_ok_and(|path| path == program);
    let metadata = program.metadata().ok()?;
    let unchanged = *identity == format!("{} {}", metadata.mtime(), metadata.size());
    (same && unchanged && !commit.is_empty()).then(|| (*commit).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_counts_for_the_program_that_it_is_about() -> Result<(), Box<dyn std::error::Error>> {
        let directory = tempfile::tempdir()?;
        let program = directory.path().join("nova");
        fs::write(&program, "program")?;
        assert_eq!(commit(&program), None);
        let metadata = program.metadata()?;
        let record = |size: u64| {
            let (path, time) = (program.display(), metadata.mtime());
            format!("/checkout\n{path}\n{time} {size}\n069312f 2026-11-29\n")
        };
        fs::write(directory.path().join(RECORD), record(7))?;
        assert_eq!(commit(&program).as_deref(), Some("069312f 2026-11-29"));
        fs::write(directory.path().join(RECORD), record(8))?;
        assert_eq!(commit(&program), None);
        Ok(())
    }
}
