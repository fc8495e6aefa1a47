//! Where a platform was deployed last from this machine, so that `--target` need not be typed again: a small file beside its
//! state directory.

use std::path::PathBuf;

use nova_local::layout::Layout;

use crate::cli::TargetKind;

/// Where it was deployed last; local when nothing is known.
pub(super) fn remembered(platform: &str) -> TargetKind {
    let text = file(platform).and_then(|path| std::fs::read_to_string(path).ok());
    match text.as_deref().map(str::trim) {
        Some("kubernetes") => TargetKind::Kubernetes,
        _ => TargetKind::Local,
    }
}

/// Remembers it. A machine where that cannot be written needs `--target` each time, and that is all.
pub(super) fn remember(platform: &str, kind: TargetKind) {
    let Some(path) = file(platform) else {
        return;
    };
    if kind == TargetKind::Local {
        let _ = std::fs::remove_file(&path);
        return;
    }
    if let Some(directory) = path.parent() {
        let _ = std::fs::create_dir_all(directory);
    }
    if let Err(error) = write(&path, kind) {
        tracing::warn!(%error, "the target is not remembered: --target kubernetes is needed with every command");
    }
}

fn write(path: &std::path::Path, kind: TargetKind) -> Result<(), Box<dyn std::error::Error>> {
    Ok(std::fs::write(path, format!("{}\n", kind.name()))?)
}

/// No platform's name holds a dot, so that it is nobody's state directory.
fn file(platform: &str) -> Option<PathBuf> {
    let layout = Layout::of(platform).ok()?;
    Some(layout.directory().with_file_name(format!("{platform}.target")))
}
