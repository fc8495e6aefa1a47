//! Names the commit that `nova --version` tells. Runs again when HEAD moves, and otherwise never.

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let commit = git(&["log", "-1", "--format=%h %cs"]);
    // HEAD names a branch, whose file or line in packed-refs names the commit.
    let branch = git(&["symbolic-ref", "--quiet", "HEAD"]);
    for file in ["HEAD".to_owned(), "packed-refs".to_owned()].into_iter().chain(branch) {
        let path = git(&["rev-parse", "--git-path", &file]);
        if let Some(path) = path.filter(|path| Path::new(path).exists()) {
            println!("cargo::rerun-if-changed={path}");
        }
    }
    // From an archive of the sources there is none.
    let commit = commit.map_or_else(String::new, |commit| format!(" ({commit})"));
    println!("cargo::rustc-env=NOVA_COMMIT={commit}");
}

/// One line of git, when there is git, a repository, and something to tell.
fn git(arguments: &[&str]) -> Option<String> {
    let mut command = Command::new("git");
    // By sudo the repository is somebody else's; nothing of it is executed.
    command.args(["-c", "safe.directory=*"]).args(arguments);
    let output = command.output().ok().filter(|output| output.status.success())?;
    let line = String::from_utf8(output.stdout).ok()?;
    Some(line.trim().to_owned()).filter(|line| !line.is_empty())
}
