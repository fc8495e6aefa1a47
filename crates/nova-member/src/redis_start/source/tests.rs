//! What a server begins from, for every way in which the setting may have changed, with files of a real server.
#![allow(clippy::unwrap_used, reason = "a failing unwrap is a failing test")]

use std::process::{Command, Stdio};

use super::*;

const SERVER: &str = "/usr/bin/redis-server";

/// A snapshot that says that it was begun at this time.
fn snapshot(directory: &Path, begun: u64) {
    let mut bytes = b"REDIS0010\xfa\x09redis-ver\x067.0.15\xfa\x0aredis-bits\xc0\x40\xfa\x05ctime\xc2".to_vec();
    bytes.extend(u32::try_from(begun).unwrap().to_le_bytes());
    fs::write(directory.join(SNAPSHOT), bytes).unwrap();
}

/// An append-only file that was last written at this time.
fn appended(directory: &Path, written: u64) {
    fs::create_dir(directory.join(DIRECTORY)).unwrap();
    fs::write(directory.join(MANIFEST), LIST).unwrap();
    let manifest = File::options().write(true).open(directory.join(MANIFEST)).unwrap();
    manifest
        .set_modified(SystemTime::UNIX_EPOCH + Duration::from_millis(written * 1000 + 1))
        .unwrap();
}

#[test]
fn the_later_of_both_counts_unless_one_was_kept_all_the_time() {
    let was = |described: &'static str| Some(described);
    for (mark, described, written, begun, expected) in [
        (None, true, None, None, Source::Nothing),
        (was("no"), true, None, Some(9), Source::Snapshot),
        (was("no"), false, None, Some(9), Source::Snapshot),
        (was("yes"), true, Some(5), None, Source::Appended),
        (was("yes"), true, Some(5), Some(9), Source::Appended),
        (was("yes"), false, Some(5), Some(9), Source::Snapshot),
        (was("yes"), false, Some(9), Some(9), Source::Appended),
        (was("yes"), false, Some(9), Some(5), Source::Appended),
        (was("no"), true, Some(5), Some(9), Source::Snapshot),
        (was("no"), true, Some(9), Some(5), Source::Appended),
        (was(""), true, Some(5), Some(9), Source::Snapshot),
    ] {
        let case = format!("{mark:?} {described} {written:?} {begun:?}");
        let directory = tempfile::tempdir().unwrap();
        if let Some(mark) = mark {
            fs::write(directory.path().join(MARK), mark).unwrap();
        }
        if let Some(written) = written {
            appended(directory.path(), written);
        }
        if let Some(begun) = begun {
            snapshot(directory.path(), begun);
        }
        let source = Source::find(directory.path(), described).unwrap();
        assert_eq!(source, expected, "{case}");
        assert_eq!(
            source.keeps_appending(described),
            described || expected == Source::Appended,
            "{case}"
        );
    }
}

#[test]
fn a_snapshot_that_does_not_say_when_is_not_the_later_one() {
    let directory = tempfile::tempdir().unwrap();
    appended(directory.path(), 5);
    for bytes in [&b""[..], b"REDIS0010\xff", b"REDIS0010\xfa\x05ctime\xc3", b"RED"] {
        fs::write(directory.path().join(SNAPSHOT), bytes).unwrap();
        assert_eq!(Source::find(directory.path(), false).unwrap(), Source::Appended);
    }
}

#[test]
fn settings_are_read_as_redis_reads_them() {
    assert!(is_described("port 1\nappendonly yes\nappendfsync everysec\n"));
    assert!(!is_described("appendonly yes\nappendonly no\n"));
    assert!(!is_described("port 1\n"));
}

/// What a server that is started here and asked to end has.
fn keys(directory: &Path, appendonly: &str, port: u16, commands: &[&str]) -> String {
    let mut server = Command::new(SERVER)
        .args([
            "--port",
            &port.to_string(),
            "--bind",
            "127.0.0.1",
            "--appendonly",
            appendonly,
        ])
        .current_dir(directory)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut said = String::new();
    let began = std::time::Instant::now();
    // While it loads it counts keys already, and refuses to write.
    while (!said.contains("keys=") || said.contains("-LOADING")) && began.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(20));
        let Ok(mut stream) = std::net::TcpStream::connect(("127.0.0.1", port)) else {
            continue;
        };
        let mut all: Vec<&str> = commands.to_vec();
        all.extend(["SET always there", "INFO keyspace", "QUIT"]);
        write!(stream, "{}\r\n", all.join("\r\n")).unwrap();
        said.clear();
        stream.read_to_string(&mut said).unwrap();
    }
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.write_all(b"SHUTDOWN SAVE\r\n").unwrap();
    assert!(server.wait().unwrap().success());
    said
}

#[test]
fn a_real_server_begins_with_a_snapshot_that_was_adopted() {
    let directory = tempfile::tempdir().unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    keys(directory.path(), "no", port, &["SET a 1", "SET b 2"]);
    let began = snapshot_begun(&directory.path().join(SNAPSHOT)).unwrap().unwrap();
    assert!(began.elapsed().unwrap() < Duration::from_secs(60), "{began:?}");
    mark(directory.path(), false).unwrap();

    let source = Source::find(directory.path(), true).unwrap();
    assert_eq!(source, Source::Snapshot);
    source.adopt(directory.path()).unwrap();
    // A second time changes nothing that counts.
    source.adopt(directory.path()).unwrap();
    assert!(directory.path().join(OLDER).exists());
    let said = keys(directory.path(), "yes", port, &["SET c 3"]);
    assert!(said.contains("keys=4"), "{said}");
    mark(directory.path(), true).unwrap();
    assert_eq!(Source::find(directory.path(), true).unwrap(), Source::Appended);
    let said = keys(directory.path(), "yes", port, &[]);
    assert!(said.contains("keys=4"), "{said}");
}
