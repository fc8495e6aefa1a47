//! What the machine must have before a platform can run on it: looked for, and installed on request.

mod apt;
mod cgroup;
mod command;
mod error;
mod install;
mod kafka;
mod machine;
mod packages;
mod patroni;
mod place;
mod programs;
mod version;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::thread;

use nova_platform::spec::Spec;
use serde::Serialize;

pub use error::InstallError;
pub use install::install;
pub use kafka::{CLASS_ARCHIVE, kafka_jars};

/// Where the data tier's programs are, by [`nova_platform::components::Program::key`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Programs {
    paths: BTreeMap<&'static str, PathBuf>,
}

impl Programs {
    /// These.
    #[must_use]
    pub const fn of(paths: BTreeMap<&'static str, PathBuf>) -> Self {
        Self { paths }
    }

    /// Where one is: the program itself, of PostgreSQL the directory of its programs, of Kafka that of its jars. One that nobody looked
    /// for is its name, which then is what cannot be started.
    #[must_use]
    pub fn path<'a>(&'a self, program: &'a str) -> &'a Path {
        self.paths.get(program).map_or(Path::new(program), PathBuf::as_path)
    }
}

/// Directory of Kafka's jars, when they are on this machine: container images hold them too.
#[must_use]
pub fn kafka_directory() -> Option<PathBuf> {
    kafka::look().1
}

/// Fetches Kafka's jars, unless they are here.
///
/// # Errors
/// When Maven is missing or fails, or a jar is not the one that was meant.
pub fn fetch_kafka(say: &mut dyn FnMut(&str)) -> Result<(), InstallError> {
    kafka::install(programs::java(), say)
}

/// Where this user's installations go, and what is fetched for later; `None` without a home directory.
#[must_use]
pub fn own_directory() -> Option<PathBuf> {
    place::own()
}

/// One thing that was looked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Such as `PostgreSQL` or `disk space`.
    pub name: String,
    /// Whether it will do.
    pub ok: bool,
    /// What is there, with its version.
    pub found: Option<String>,
    /// What would do.
    pub wanted: String,
    /// What needs it.
    pub why: String,
    /// How to get it.
    pub install: String,
}

/// Everything that was looked for.
#[derive(Debug, Clone)]
pub struct Report {
    /// In a stable order.
    pub findings: Vec<Finding>,
    /// Where the programs are, when none is missing.
    pub programs: Option<Programs>,
}

/// The machine lacks something.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this machine lacks {}; `nova doctor` says how to get it, `nova doctor --install` gets it", list(.findings))]
pub struct Missing {
    /// What is missing or will not do.
    pub findings: Vec<Finding>,
}

impl Report {
    /// What is missing or will not do; `None` when nothing is.
    #[must_use]
    pub fn missing(&self) -> Option<Missing> {
        let findings: Vec<_> = self.findings.iter().filter(|finding| !finding.ok).cloned().collect();
        (!findings.is_empty()).then_some(Missing { findings })
    }
}

/// Looks for everything that this platform needs here. Changes nothing.
#[must_use]
pub fn inspect(spec: &Spec) -> Report {
    // Each program is asked for its version, and Java takes its time: all at once.
    let (found, mut others) = thread::scope(|scope| {
        let programs = scope.spawn(|| programs::find(spec));
        let machine = machine::inspect(spec);
        (programs.join(), machine)
    });
    let Ok((mut findings, programs)) = found else {
        return Report {
            findings: others,
            programs: None,
        };
    };
    findings.append(&mut others);
    Report { findings, programs }
}

fn list(findings: &[Finding]) -> String {
    let words = findings.iter().map(|finding| match &finding.found {
        Some(found) => format!("{} {} (found: {found})", finding.name, finding.wanted),
        None => format!("{} {}", finding.name, finding.wanted),
    });
    words.collect::<Vec<_>>().join(", ")
}
