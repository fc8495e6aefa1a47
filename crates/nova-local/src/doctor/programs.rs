//! The data tier's programs: where they are and whether they are new enough.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use nova_platform::spec::Spec;
use nova_platform::topology::Kind;

use super::command::{CommandError, ask};
use super::version::Version;
use super::{Finding, Programs, kafka, patroni, place};
use crate::layout::Layout;

/// A program that the distribution brings.
pub(super) struct Wanted {
    pub(super) name: &'static str,
    program: &'static str,
    version_flag: &'static str,
    /// How it begins when it tells its version; what does not is another program.
    introductions: &'static [&'static str],
    at_least: Version,
    why: &'static str,
    pub(super) package: &'static str,
}

const ETCD: Wanted = Wanted {
    name: "etcd",
    program: "etcd",
    version_flag: "--version",
    introductions: &["etcd Version: "],
    at_least: Version(3, 4),
    why: "it holds Patroni's leader key",
    package: "etcd-server",
};
const REDIS: Wanted = Wanted {
    name: "Redis",
    program: "redis-server",
    version_flag: "--version",
    introductions: &["Redis server v="],
    at_least: Version(7, 0),
    why: "caches and rate limits, and Sentinel",
    package: "redis-server",
};
const HAPROXY: Wanted = Wanted {
    name: "HAProxy",
    program: "haproxy",
    version_flag: "-v",
    introductions: &["HAProxy version ", "HA-Proxy version "],
    at_least: Version(2, 6),
    why: "it is the gateway",
    package: "haproxy",
};
const JAVA: Wanted = Wanted {
    name: "Java",
    program: "java",
    version_flag: "-version",
    introductions: &["openjdk version \"", "java version \""],
    at_least: Version(17, 0),
    why: "Kafka runs on it",
    package: "default-jre-headless",
};
const POSTGRES: Wanted = Wanted {
    name: "PostgreSQL",
    program: "postgres",
    version_flag: "--version",
    introductions: &["postgres (PostgreSQL) "],
    at_least: Version(15, 0),
    why: "accounts, profiles and posts live in it",
    package: "postgresql",
};

/// Looks for all of them at once.
pub(super) fn find(spec: &Spec) -> (Vec<Finding>, Option<Programs>) {
    thread::scope(|scope| {
        let etcd = scope.spawn(|| look(&ETCD));
        let redis = scope.spawn(|| look(&REDIS));
        let haproxy = scope.spawn(|| look(&HAPROXY));
        let java = scope.spawn(|| look(&JAVA));
        let postgres = scope.spawn(|| look_for_postgres(data_version(spec)));
        let patroni = patroni::look();
        let kafka = kafka::look();
        let nothing = |wanted: &Wanted| (judge(wanted, None), None);
        let found = [
            etcd.join().unwrap_or_else(|_| nothing(&ETCD)),
            postgres.join().unwrap_or_else(|_| nothing(&POSTGRES)),
            patroni,
            redis.join().unwrap_or_else(|_| nothing(&REDIS)),
            java.join().unwrap_or_else(|_| nothing(&JAVA)),
            kafka,
            haproxy.join().unwrap_or_else(|_| nothing(&HAPROXY)),
        ];
        let paths = found
            .each_ref()
            .map(|(finding, path)| path.clone().filter(|_| finding.ok));
        let programs = match paths {
            [
                Some(etcd),
                Some(postgres_bin_dir),
                Some(patroni),
                Some(redis_server),
                Some(java),
                Some(kafka_lib),
                Some(haproxy),
            ] => Some(Programs {
                etcd,
                redis_server,
                postgres_bin_dir,
                patroni,
                java,
                kafka_lib,
                haproxy,
            }),
            _ => None,
        };
        (found.map(|(finding, _)| finding).into(), programs)
    })
}

/// Packages of those programs that are missing or too old.
pub(super) fn missing_packages(spec: &Spec) -> Vec<&'static str> {
    let (findings, _) = find(spec);
    let is_missing = |wanted: &&Wanted| {
        findings
            .iter()
            .any(|finding| finding.name == wanted.name && !finding.ok)
    };
    [&ETCD, &POSTGRES, &REDIS, &JAVA, &HAPROXY]
        .into_iter()
        .filter(is_missing)
        .map(|wanted| wanted.package)
        .collect()
}

/// Where Java is, whatever its version.
pub(super) fn java() -> Option<PathBuf> {
    look(&JAVA).1
}

fn look(wanted: &Wanted) -> (Finding, Option<PathBuf>) {
    look_in(wanted, &place::program_directories())
}

/// The first one that will do; when none does, what the first one is.
fn look_in(wanted: &Wanted, directories: &[PathBuf]) -> (Finding, Option<PathBuf>) {
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

fn version_of(program: &Path, wanted: &Wanted) -> Said {
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
fn look_for_postgres(data_version: Option<u32>) -> (Finding, Option<PathBuf>) {
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
            &POSTGRES,
            newest
                .as_ref()
                .map(|(major, path)| (path.as_path(), Said::Version(Version(*major, 0)))),
        );
        return (finding, newest.map(|(_, path)| path));
    };
    let same = versions.iter().find(|(version, _)| *version == major);
    let mut finding = judge(
        &POSTGRES,
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

fn judge(wanted: &Wanted, found: Option<(&Path, Said)>) -> Finding {
    let (ok, found) = match found {
        None => (false, None),
        Some((path, said)) => {
            let path = path.display();
            match said {
                Said::Version(version) => (version >= wanted.at_least, Some(format!("{version} in {path}"))),
                Said::Nothing => (true, Some(format!("{path}, which did not tell its version in time"))),
                Said::Other(said) => (false, Some(format!("{path} says {said:?}"))),
            }
        }
    };
    Finding {
        name: wanted.name.to_owned(),
        ok,
        found,
        wanted: format!(">= {}", wanted.at_least),
        why: wanted.why.to_owned(),
        install: format!("apt-get install {}", wanted.package),
    }
}

#[cfg(test)]
mod tests;
