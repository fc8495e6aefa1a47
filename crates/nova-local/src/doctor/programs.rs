//! The data tier's programs: where they are and whether they are new enough.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use nova_platform::spec::Spec;
use nova_platform::topology::Kind;

use super::command::ask;
use super::version::Version;
use super::{Finding, Programs, kafka, patroni, place};
use crate::layout::Layout;

/// A program that the distribution brings.
pub(super) struct Wanted {
    pub(super) name: &'static str,
    program: &'static str,
    version_flag: &'static str,
    at_least: Version,
    why: &'static str,
    pub(super) package: &'static str,
}

const ETCD: Wanted = Wanted {
    name: "etcd",
    program: "etcd",
    version_flag: "--version",
    at_least: Version(3, 4),
    why: "it holds Patroni's leader key",
    package: "etcd-server",
};
const REDIS: Wanted = Wanted {
    name: "Redis",
    program: "redis-server",
    version_flag: "--version",
    at_least: Version(7, 0),
    why: "caches and rate limits, and Sentinel",
    package: "redis-server",
};
const HAPROXY: Wanted = Wanted {
    name: "HAProxy",
    program: "haproxy",
    version_flag: "-v",
    at_least: Version(2, 6),
    why: "it is the gateway",
    package: "haproxy",
};
const JAVA: Wanted = Wanted {
    name: "Java",
    program: "java",
    version_flag: "-version",
    at_least: Version(17, 0),
    why: "Kafka runs on it",
    package: "default-jre-headless",
};
const POSTGRES: Wanted = Wanted {
    name: "PostgreSQL",
    program: "postgres",
    version_flag: "--version",
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

/// A program of this name in a directory that counts.
pub(super) fn locate(name: &str) -> Option<PathBuf> {
    place::program_directories()
        .into_iter()
        .map(|directory| directory.join(name))
        .find(|path| path.is_file())
}

fn look(wanted: &Wanted) -> (Finding, Option<PathBuf>) {
    let program = locate(wanted.program);
    let version = program
        .as_deref()
        .and_then(|program| version_of(program, wanted.version_flag));
    (
        judge(wanted, program.as_deref().map(|program| (program, version))),
        program,
    )
}

fn version_of(program: &Path, flag: &str) -> Option<Version> {
    let said = ask(Command::new(program).arg(flag).env_remove("JAVA_TOOL_OPTIONS"))?;
    Version::first_in(&said)
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
                .map(|(major, path)| (path.as_path(), Some(Version(*major, 0)))),
        );
        return (finding, newest.map(|(_, path)| path));
    };
    let same = versions.iter().find(|(version, _)| *version == major);
    let mut finding = judge(
        &POSTGRES,
        same.map(|(major, path)| (path.as_path(), Some(Version(*major, 0)))),
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

fn judge(wanted: &Wanted, found: Option<(&Path, Option<Version>)>) -> Finding {
    let version = found.and_then(|(_, version)| version);
    Finding {
        name: wanted.name.to_owned(),
        ok: version.is_some_and(|version| version >= wanted.at_least),
        found: found.map(|(path, version)| match version {
            Some(version) => format!("{version} in {}", path.display()),
            None => format!("{} of an unknown version", path.display()),
        }),
        wanted: format!(">= {}", wanted.at_least),
        why: wanted.why.to_owned(),
        install: format!("apt-get install {}", wanted.package),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_old_and_unknown_versions_will_not_do() {
        let path = Path::new("/usr/bin/redis-server");
        assert!(judge(&REDIS, Some((path, Some(Version(7, 0))))).ok);
        for found in [Some((path, Some(Version(6, 2)))), Some((path, None)), None] {
            assert!(!judge(&REDIS, found).ok, "{found:?}");
        }
    }
}
