//! `./nova`, the script that builds and runs: from anywhere, whatever cargo's variables say, and never in the way of an incident.
//! In a checkout of its own, with a cargo and programs that are scripts.

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use nix::fcntl::{Flock, FlockArg};

use crate::support::Call;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../nova");
/// Puts a program where the real cargo would, and tells where in the real cargo's words. It fails when a source says so, and takes
/// long when one says so.
const CARGO: &str = r#"#!/bin/sh
echo "$@" >>"$FAKE/calls"
env | grep '^CARGO_BUILD_TARGET=' >>"$FAKE/calls"
while [ $# -gt 0 ]; do [ "$1" = --target-dir ] && target=$2; shift; done
grep -q broken crates/source && { echo 'error: expected `;`' >&2; exit 101; }
grep -q slow crates/source && sleep 60
mkdir -p "$target/$FAKE_TRIPLE/release"
program=$target/$FAKE_TRIPLE/release/nova
{ echo '#!/bin/sh'; echo "echo $(cat crates/source): \$*"; } >"$program"
chmod +x "$program"
echo '{"reason":"compiler-artifact","target":{"kind":["bin"],"name":"nova","src_path":"x"},"executable":"'"$program"'","fresh":false}'
"#;
const RUSTC: &str = "#!/bin/sh\necho 'rustc 1.95.0 (abc 2026-01-01)'\n";

/// A checkout whose only source is one line, which its program prints.
struct Checkout {
    directory: tempfile::TempDir,
}

impl Checkout {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let checkout = Self { directory };
        for folder in ["checkout/crates", "checkout/services", "bin", "elsewhere"] {
            fs::create_dir_all(checkout.at(folder)).unwrap();
        }
        fs::write(checkout.at("checkout/Cargo.toml"), "rust-version = \"1.95\"\n").unwrap();
        checkout.program("checkout/nova", &fs::read_to_string(SCRIPT).unwrap());
        checkout.program("bin/cargo", CARGO);
        checkout.program("bin/rustc", RUSTC);
        checkout.source("first");
        checkout
    }

    fn at(&self, path: &str) -> PathBuf {
        self.directory.path().join(path)
    }

    fn program(&self, path: &str, text: &str) {
        fs::write(self.at(path), text).unwrap();
        fs::set_permissions(self.at(path), fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Changes the source, a little in the future: a file system's clock is coarse.
    fn source(&self, line: &str) {
        let path = self.at("checkout/crates/source");
        fs::write(&path, line).unwrap();
        let file = File::options().write(true).open(&path).unwrap();
        file.set_modified(SystemTime::now() + Duration::from_secs(2)).unwrap();
    }

    fn command(&self, program: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        let path = std::env::var("PATH").unwrap();
        command
            .args(arguments)
            .current_dir(self.at("elsewhere"))
            .env("PATH", format!("{}:{path}", self.at("bin").display()))
            .env("FAKE", self.directory.path())
            .env("FAKE_TRIPLE", ".");
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("CARGO_") || name == "SUDO_USER") {
            command.env_remove(name);
        }
        command
    }

    fn nova(&self, arguments: &[&str]) -> Call {
        let mut command = self.command(&self.at("checkout/nova"), arguments);
        Call::of(&command.output().unwrap())
    }

    fn builds(&self) -> usize {
        let calls = fs::read_to_string(self.at("calls")).unwrap_or_default();
        calls.lines().filter(|line| line.starts_with("build")).count()
    }
}

#[track_caller]
fn says(call: &Call, stdout: &str) {
    assert_eq!((call.code, call.stdout.trim()), (0, stdout), "{}", call.stderr);
}

#[test]
fn it_builds_what_changed_and_only_then() {
    let checkout = Checkout::new();
    let first = checkout.nova(&["status"]);
    says(&first, "first: status");
    assert!(first.stderr.contains("building"), "never silent: {}", first.stderr);
    // The source is dated after the build began.
    checkout.nova(&["status"]);
    let past = SystemTime::now() - Duration::from_secs(60);
    for entry in ["crates/source", "crates", "services", "Cargo.toml"] {
        File::open(checkout.at("checkout").join(entry))
            .unwrap()
            .set_modified(past)
            .unwrap();
    }
    let builds = checkout.builds();
    let again = checkout.nova(&["deploy", "--yes"]);
    says(&again, "first: deploy --yes");
    assert_eq!((checkout.builds(), again.stderr.as_str()), (builds, ""));
    checkout.source("second");
    says(&checkout.nova(&["deploy"]), "second: deploy");
    assert_eq!(checkout.builds(), builds + 1);
}

#[test]
fn it_notes_the_commit_for_the_version() {
    let checkout = Checkout::new();
    let record = || {
        checkout.source("again");
        checkout.nova(&["deploy"]);
        let record = fs::read_to_string(checkout.at("checkout/target/release/nova-built")).unwrap();
        record.lines().nth(3).unwrap_or_default().to_owned()
    };
    assert_eq!(record(), "", "there is no repository");
    let git = |arguments: &[&str]| {
        let mut git = Command::new("git");
        git.args(["-c", "user.name=a", "-c", "user.email=a@b", "-C"]);
        Call::of(&git.arg(checkout.at("checkout")).args(arguments).output().unwrap()).expect_code(0);
    };
    git(&["init", "-q"]);
    git(&["add", "Cargo.toml", "crates"]);
    git(&["commit", "-q", "-m", "first"]);
    let (commit, date) = record()
        .split_once(' ')
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .unwrap();
    assert!(
        commit.len() >= 7 && !commit.ends_with('+') && date.len() == 10,
        "{commit} {date}"
    );
    fs::write(checkout.at("checkout/Cargo.toml"), "rust-version = \"1.94\"\n").unwrap();
    assert!(record().split_once(' ').unwrap().0.ends_with('+'));
}

#[test]
fn a_symlink_in_another_folder_is_as_good() {
    let checkout = Checkout::new();
    symlink("../checkout/nova", checkout.at("elsewhere/relative")).unwrap();
    symlink(checkout.at("elsewhere/relative"), checkout.at("bin/tool")).unwrap();
    let mut command = checkout.command(&checkout.at("bin/tool"), &["status", "-o", "json"]);
    says(&Call::of(&command.output().unwrap()), "first: status -o json");
    assert!(checkout.at("checkout/target/release/nova").exists());
}

#[test]
fn cargos_variables_do_not_hide_what_it_built() {
    let checkout = Checkout::new();
    let nova = checkout.at("checkout/nova");
    let mut relative = checkout.command(&nova, &["status"]);
    relative.env("CARGO_TARGET_DIR", "build");
    says(&Call::of(&relative.output().unwrap()), "first: status");
    assert!(
        checkout.at("checkout/build/release/nova").exists(),
        "it is meant from the checkout"
    );

    let mut other = checkout.command(&nova, &["status"]);
    other
        .env("CARGO_BUILD_TARGET_DIR", checkout.at("far"))
        .env("CARGO_BUILD_TARGET", "wasm32-wasip1");
    says(&Call::of(&other.output().unwrap()), "first: status");
    let calls = fs::read_to_string(checkout.at("calls")).unwrap();
    assert!(!calls.contains("wasm32"), "{calls}");

    // A configuration file may name a target: its folder is another then, which only cargo knows.
    let mut configured = checkout.command(&nova, &["status"]);
    configured
        .env("CARGO_TARGET_DIR", checkout.at("third"))
        .env("FAKE_TRIPLE", "some-triple");
    says(&Call::of(&configured.output().unwrap()), "first: status");
    checkout.source("second");
    let mut again = checkout.command(&nova, &["deploy"]);
    again
        .env("CARGO_TARGET_DIR", checkout.at("third"))
        .env("FAKE_TRIPLE", "some-triple");
    says(&Call::of(&again.output().unwrap()), "second: deploy");
}

#[test]
fn who_only_looks_gets_what_was_built_last_when_it_cannot_be_built() {
    let checkout = Checkout::new();
    checkout.nova(&["deploy"]);
    checkout.source("broken");
    for looks in [
        vec!["status"],
        vec!["--file", "mine.toml", "logs", "-f", "postgres"],
        vec!["doctor"],
        vec!["secrets", "list"],
        vec!["deploy", "--help"],
        vec!["--version"],
    ] {
        let call = checkout.nova(&looks);
        says(&call, &format!("first: {}", looks.join(" ")));
        let note: Vec<&str> = call.stderr.lines().collect();
        assert!(
            note.len() == 1 && note[0].contains("error: expected `;`"),
            "{looks:?}: {note:?}"
        );
    }
    for changes in [
        vec!["deploy"],
        vec!["drill", "redis"],
        vec!["doctor", "--install"],
        vec!["secrets", "rotate", "x"],
        vec!["secrets", "revoke", "x"],
    ] {
        let call = checkout.nova(&changes);
        assert_eq!((call.code, call.stdout.as_str()), (1, ""), "{changes:?}");
        assert!(
            call.stderr.contains("expected `;`") && call.stderr.contains("the build failed"),
            "{}",
            call.stderr
        );
    }
}

#[test]
fn who_only_looks_does_not_wait_for_another_build_nor_for_a_long_one() {
    let checkout = Checkout::new();
    checkout.nova(&["deploy"]);
    checkout.source("slow");
    let lock = File::create(checkout.at("checkout/target/release/.cargo-lock")).unwrap();
    let lock = Flock::lock(lock, FlockArg::LockExclusiveNonblock).unwrap();
    let builds = checkout.builds();
    let call = checkout.nova(&["status"]);
    says(&call, "first: status");
    assert!(call.stderr.contains("another build is at work"), "{}", call.stderr);
    assert_eq!(checkout.builds(), builds);
    drop(lock);

    let call = checkout.nova(&["status"]);
    says(&call, "first: status");
    assert!(call.stderr.contains("takes longer"), "{}", call.stderr);
    assert_eq!(checkout.builds(), builds + 1);
}

#[test]
fn a_rust_that_is_too_old_is_told_once() {
    let checkout = Checkout::new();
    checkout.program("bin/rustc", "#!/bin/sh\necho 'rustc 1.80.1 (abc 2024-01-01)'\n");
    let call = checkout.nova(&["deploy"]);
    assert_eq!((call.code, checkout.builds()), (5, 0), "{}", call.stderr);
    assert!(
        call.stderr.contains("1.95") && call.stderr.contains("rustup update"),
        "{}",
        call.stderr
    );
}

/// Root's files in the build folder could not be replaced by the owner's next build.
#[test]
fn by_sudo_the_checkouts_owner_builds() {
    let member = nix::unistd::User::from_name("nova").unwrap();
    let Some(owner) = member.filter(|_| nix::unistd::geteuid().is_root()) else {
        eprintln!("not root, or no user nova: nobody to build for");
        return;
    };
    let checkout = Checkout::new();
    let chown = ["-R", &owner.name, checkout.directory.path().to_str().unwrap()];
    Call::of(&Command::new("chown").args(chown).output().unwrap()).expect_code(0);
    let mut command = checkout.command(&checkout.at("checkout/nova"), &["deploy"]);
    command.env("SUDO_USER", &owner.name).env("CARGO_HOME", "/root/.cargo");
    says(&Call::of(&command.output().unwrap()), "first: deploy");
    for made in ["nova", "nova-built"] {
        let metadata = fs::metadata(checkout.at("checkout/target/release").join(made)).unwrap();
        assert_eq!(metadata.uid(), owner.uid.as_raw(), "{made}");
    }
}
