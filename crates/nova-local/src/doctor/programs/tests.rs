//! Programs that say more, less or something else than a version.

use std::os::unix::fs::PermissionsExt;

use super::*;

/// What is wanted of a program.
fn wanted(program: &str) -> &'static Packaged {
    packaged()
        .find(|wanted| wanted.program == program)
        .expect("it is among the facts")
}

/// Directories, each with a program of this name that runs a shell script.
fn directories(name: &str, scripts: &[&str]) -> Result<(tempfile::TempDir, Vec<PathBuf>), std::io::Error> {
    let root = tempfile::tempdir()?;
    let mut all = Vec::new();
    for (number, script) in scripts.iter().enumerate() {
        let directory = root.path().join(number.to_string());
        fs::create_dir(&directory)?;
        let program = directory.join(name);
        fs::write(&program, format!("#!/bin/sh\n{script}\n"))?;
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
        all.push(directory);
    }
    Ok((root, all))
}

const NOISE: &str = "echo 'Picked up _JAVA_OPTIONS: -Dsun.java2d.uiScale=2 version 1.2' >&2
echo \"ERROR: ld.so: object 'libx.so.9.8' from LD_PRELOAD cannot be preloaded: ignored.\" >&2
echo '2026-01-02 03:04:05 warning: 7.5 of 10'";

#[test]
fn a_version_is_found_behind_any_noise() -> Result<(), Box<dyn std::error::Error>> {
    let cases = [
        (
            wanted("etcd"),
            "etcd Version: 3.4.23\nGit SHA: Not provided",
            Version(3, 4),
        ),
        (
            wanted("redis-server"),
            "Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64",
            Version(7, 0),
        ),
        (
            wanted("haproxy"),
            "HAProxy version 2.6.12-1+deb12u4 2026/01/10 - https://haproxy.org/",
            Version(2, 6),
        ),
        (wanted("haproxy"), "HA-Proxy version 2.8.1 2023/07/03", Version(2, 8)),
        (
            wanted("java"),
            "openjdk version \"17.0.15\" 2025-04-15\nOpenJDK Runtime Environment",
            Version(17, 0),
        ),
        (wanted("java"), "openjdk version \"21\" 2023-09-19", Version(21, 0)),
        (wanted("java"), "java version \"24-ea\" 2025-03-18", Version(24, 0)),
        (
            wanted("postgres"),
            "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)",
            Version(15, 18),
        ),
    ];
    for (wanted, says, version) in cases {
        let script = format!("{NOISE}\ncat <<'END'\n{says}\nEND");
        let (_root, directories) = directories(wanted.program, &[&script])?;
        let program = directories[0].join(wanted.program);
        assert_eq!(version_of(&program, wanted), Said::Version(version), "{says}");
        let (finding, found) = look_in(wanted, &directories);
        assert!(finding.ok && found == Some(program), "{finding:?}");
    }
    Ok(())
}

#[test]
fn what_is_no_version_of_the_program_is_none() -> Result<(), Box<dyn std::error::Error>> {
    for (wanted, says) in [
        (wanted("redis-server"), "Valkey server v=8.0.1 sha=00000000:0"),
        (wanted("redis-server"), "Error: 7.0 things went wrong"),
        (wanted("java"), "Picked up _JAVA_OPTIONS: -Dsun.java2d.uiScale=2"),
        (wanted("java"), "java version \"1.8.0_402\""),
        (wanted("etcd"), ""),
    ] {
        let script = format!("cat <<'END'\n{says}\nEND");
        let (_root, directories) = directories(wanted.program, &[&script])?;
        let (finding, _) = look_in(wanted, &directories);
        assert!(!finding.ok, "{finding:?}");
    }
    Ok(())
}

#[test]
fn a_foreign_program_of_the_same_name_does_not_hide_the_right_one() -> Result<(), Box<dyn std::error::Error>> {
    let right = "echo 'Redis server v=7.0.15 sha=0'";
    for foreign in [
        "echo 'Redis server v=5.0.3 sha=0'",
        "echo 'Valkey server v=8.0.1 sha=0'",
        "exit 1",
    ] {
        let (_root, directories) = directories("redis-server", &[foreign, right])?;
        let (finding, found) = look_in(wanted("redis-server"), &directories);
        assert!(finding.ok, "{finding:?}");
        assert_eq!(found, Some(directories[1].join("redis-server")));
        let (finding, found) = look_in(wanted("redis-server"), &directories[..1]);
        assert!(!finding.ok && found.is_some(), "{finding:?}");
    }
    Ok(())
}

#[test]
fn what_is_slow_is_not_missing() {
    let path = Path::new("/usr/bin/java");
    assert!(judge(wanted("java"), Some((path, Said::Nothing))).ok);
    assert!(!judge(wanted("java"), None).ok);
    assert!(judge(wanted("java"), Some((path, Said::Version(Version(17, 0))))).ok);
    assert!(!judge(wanted("java"), Some((path, Said::Version(Version(11, 0))))).ok);
}
