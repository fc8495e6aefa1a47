//! The data tier's programs: where they are and whether they are new enough.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use nova_platform::components::{ComponentId, Packaged, Program, facts};
use nova_platform::spec::Spec;
use nova_platform::topology::Kind;

use super::command::{CommandError, ask};
use super::version::Version;
use super::{Finding, Programs, kafka, patroni, place};
use crate::layout::Layout;

/// What was found of a program, and where it is.
pub(super) type Found = (Finding, Option<PathBuf>);

/// Everything that members of any component are run with, in the components' order.
fn all() -> impl Iterator<Item = &'static Program> {
    ComponentId::OWN.iter().flat_map(|id| facts(id).programs)
}

/// Those that the distribution brings.
fn packaged() -> impl Iterator<Item = &'static Packaged> {
    all().filter_map(|program| match program {
        Program::Packaged(wanted) | Program::Postgres(wanted) => Some(wanted),
        Program::Patroni | Program::Kafka => None,
    })
}

/// Looks for all of them at once.
pub(super) fn find(spec: &Spec) -> (Vec<Finding>, Option<Programs>) {
    let found: Vec<(&Program, Found)> = thread::scope(|scope| {
        let looking: Vec<_> = all()
            .map(|program| (program, scope.spawn(move || look_for(spec, program))))
            .collect();
        let found = looking.into_iter().map(|(program, looking)| {
            let found = looking.join().unwrap_or_else(|_| (lost(program), None));
            (program, found)
        });
        found.collect()
    });
    let paths = found
        .iter()
        .map(|(program, (finding, path))| Some((program.key(), path.clone().filter(|_| finding.ok)?)));
    let programs = paths.collect::<Option<BTreeMap<_, _>>>().map(Programs::of);
    (found.into_iter().map(|(_, (finding, _))| finding).collect(), programs)
}

fn look_for(spec: &Spec, program: &Program) -> Found {
    match program {
        Program::Packaged(wanted) => look(wanted),
        Program::Postgres(wanted) => look_for_postgres(wanted, data_version(spec)),
        Program::Patroni => patroni::look(),
        Program::Kafka => kafka::look(),
    }
}

/// When the look itself came to nothing.
fn lost(program: &Program) -> Finding {
    match program {
        Program::Packaged(wanted) | Program::Postgres(wanted) => judge(wanted, None),
        Program::Patroni => patroni::look().0,
        Program::Kafka => kafka::look().0,
    }
}

/// Packages of those programs that are missing or too old.
pub(super) fn missing_packages(spec: &Spec) -> Vec<&'static str> {
    let (findings, _) = find(spec);
    let is_missing = |wanted: &&Packaged| {
        findings
            .iter()
            .any(|finding| finding.name == wanted.name && !finding.ok)
    };
    packaged().filter(is_missing).map(|wanted| wanted.package).collect()
}

/// Where Java is, whatever its version.
pub(super) fn java() -> Option<PathBuf> {
    packaged()
        .find(|wanted| wanted.program == "java")
        .and_then(|wanted| look(wanted).1)
}

fn look(wanted: &Packaged) -> Found {
    look_in(wanted, &place::program_directories())
}

/// The first one that will do; when none does, what the first one is.
fn look_in(wanted: &Packaged, directories: &[PathBuf]) -> Found {
    let mut first = None;
    for program in place::all_of(wanted.program, directories) {
        let finding = judge(wanted, Some((&program, version_of(&program, wanted))));
        if finding.ok {
            return (finding, Some(program));
        }
        first.get_or_insert((finding, Some(program)));
    }
    first.unwrap_or_else(|| (judge(wanted, None), None))
}

/// What a program says about its version.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Said {
    Version(Version),
    /// Nothing in time, which a busy machine is given.
    Nothing,
    /// This, which is no version of the program that is wanted.
    Other(String),
}

fn version_of(program: &Path, wanted: &Packaged) -> Said {
    let mut command = Command::new(program);
    command.arg(wanted.version_flag);
    // Members do not get these, and Java says so when it does.
    for options in ["_JAVA_OPTIONS", "JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS"] {
        command.env_remove(options);
    }
    match ask(&mut command) {
        Ok(said) => match Version::introduced(&said, wanted.introductions) {
            Some(version) => Said::Version(version),
            None => Said::Other(said.lines().next().unwrap_or("nothing").to_owned()),
        },
        Err(CommandError::TooLong { .. }) => Said::Nothing,
        Err(error) => Said::Other(error.to_string()),
    }
}

/// Debian keeps PostgreSQL's versions side by side. Data that is already there decides which one; else the newest does.
fn look_for_postgres(wanted: &Packaged, data_version: Option<u32>) -> Found {
    let mut versions: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let directory = entry.path().join("bin");
            (directory.join("postgres").is_file() && directory.join("initdb").is_file())
                .then_some((entry.file_name().to_str()?.parse().ok()?, directory))
        })
        .collect();
    versions.sort();
    let Some(major) = data_version else {
        let newest = versions.pop();
        let finding = judge(
            wanted,
            newest
                .as_ref()
                .map(|(major, path)| (path.as_path(), Said::Version(Version(*major, 0)))),
        );
        return (finding, newest.map(|(_, path)| path));
    };
    let same = versions.iter().find(|(version, _)| *version == major);
    let mut finding = judge(
        wanted,
        same.map(|(major, path)| (path.as_path(), Said::Version(Version(*major, 0)))),
    );
    if same.is_none() {
        finding.wanted = major.to_string();
        finding.why = format!("the data of this platform was made by version {major}");
        finding.install = format!("apt-get install postgresql-{major}");
    }
    (finding, same.map(|(_, path)| path.clone()))
}

/// The version that made the data that is here already.
fn data_version(spec: &Spec) -> Option<u32> {
    let layout = Layout::of(&spec.platform.name).ok()?;
    let members = nova_platform::topology::components(spec)
        .into_iter()
        .flat_map(|component| component.members);
    members
        .filter(|member| member.kind == Kind::Postgres)
        .find_map(|member| {
            let data = layout
                .directory()
                .join("members")
                .join(member.name)
                .join("data/pg/PG_VERSION");
            fs::read_to_string(data).ok()?.trim().parse().ok()
        })
}

fn judge(wanted: &Packaged, found: Option<(&Path, Said)>) -> Finding {
    let [major, minor] = wanted.at_least;
    let at_least = Version(major, minor);
    let (ok, found) = match found {
        None => (false, None),
        Some((path, said)) => {
            let path = path.display();
            match said {
                Said::Version(version) => (version >= at_least, Some(format!("{version} in {path}"))),
                Said::Nothing => (true, Some(format!("{path}, which did not tell its version in time"))),
                Said::Other(said) => (false, Some(format!("{path} says {said:?}"))),
            }
        }
    };
    Finding {
        name: wanted.name.to_owned(),
        ok,
        found,
        wanted: format!(">= {at_least}"),
        why: wanted.why.to_owned(),
        install: format!("apt-get install {}", wanted.package),
    }
}

#[cfg(test)]
mod tests;
