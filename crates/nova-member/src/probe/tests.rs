//! What counts as ready, asked of a server that answers as Redis does.
#![allow(clippy::unwrap_used, reason = "a failing unwrap is a failing test")]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use super::*;

/// Answers each command with what `says` has for it, and any other with an error.
fn server(says: &'static [(&'static str, &'static str)]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let _ = answer(stream, says);
        }
    });
    port
}

fn answer(mut stream: TcpStream, says: &[(&str, &str)]) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    while let Some(first) = lines.next() {
        let words: usize = first?.trim_start_matches('*').parse().unwrap_or(0);
        let mut command = Vec::new();
        for _ in 0..words {
            lines.next();
            command.extend(lines.next().transpose()?);
        }
        let command = command.join(" ");
        let said = says.iter().find(|(asked, _)| *asked == command);
        stream.write_all(said.map_or("-ERR unexpected\r\n", |(_, said)| said).as_bytes())?;
    }
    Ok(())
}

fn place(root: &std::path::Path, port: u16) -> Place {
    let at =
        |member: &str| serde_json::json!({ "member": member, "host": "a-name-that-is-not-asked-for", "port": port });
    let start = serde_json::json!({
        "server": "/usr/bin/redis-server", "own": at("redis-1"), "bind": "0.0.0.0",
        "servers": [at("redis-1")], "sentinels": [], "quorum": 1,
    });
    fs::write(root.join("redis-1.start.json"), start.to_string()).unwrap();
    for (name, password) in [("redis", "p"), ("redis-sentinel", "s")] {
        fs::write(root.join(name), password).unwrap();
    }
    Place::Mounted {
        config: root.into(),
        member: "redis-1".into(),
        secrets: root.into(),
        data: "/nonexistent".into(),
        run: "/nonexistent".into(),
    }
}

fn ask(
    probe: fn(&Place) -> Result<(), StartError>,
    says: &'static [(&'static str, &'static str)],
) -> Result<(), String> {
    let root = tempfile::tempdir().unwrap();
    probe(&place(root.path(), server(says))).map_err(|error| error.to_string())
}

const AUTH: (&str, &str) = ("AUTH p", "+OK\r\n");
const PING: (&str, &str) = ("PING", "+PONG\r\n");

#[test]
fn a_master_and_a_connected_replica_are_ready() {
    static MASTER: [(&str, &str); 3] = [AUTH, PING, ("ROLE", "*3\r\n$6\r\nmaster\r\n:17\r\n*0\r\n")];
    static REPLICA: [(&str, &str); 3] = [
        AUTH,
        PING,
        (
            "ROLE",
            "*5\r\n$5\r\nslave\r\n$8\r\n10.0.0.1\r\n:6379\r\n$9\r\nconnected\r\n:17\r\n",
        ),
    ];
    assert_eq!(ask(redis, &MASTER), Ok(()));
    assert_eq!(ask(redis, &REPLICA), Ok(()));
}

#[test]
fn who_loads_or_copies_or_waits_for_a_role_is_not_ready() {
    static LOADING: [(&str, &str); 2] = [AUTH, ("PING", "-LOADING Redis is loading the dataset in memory\r\n")];
    static COPYING: [(&str, &str); 3] = [
        AUTH,
        PING,
        (
            "ROLE",
            "*5\r\n$5\r\nslave\r\n$8\r\n10.0.0.1\r\n:6379\r\n$4\r\nsync\r\n:-1\r\n",
        ),
    ];
    static WAITING: [(&str, &str); 1] = [(
        "AUTH p",
        "-NOVAEMPTY this server has no data and waits for its role\r\n",
    )];
    for (says, told) in [
        (&LOADING[..], "LOADING"),
        (&COPYING[..], "\"sync\""),
        (&WAITING[..], "NOVAEMPTY"),
    ] {
        let error = ask(redis, says).unwrap_err();
        assert!(
            error.starts_with("redis-1 at 127.0.0.1:") && error.contains(told),
            "{error}"
        );
        assert!(!error.contains("a-name"), "{error}");
    }
}

#[test]
fn a_sentinel_is_asked_with_its_own_password() {
    static SENTINEL: [(&str, &str); 2] = [("AUTH s", "+OK\r\n"), PING];
    assert_eq!(ask(sentinel, &SENTINEL), Ok(()));
    assert!(ask(redis, &SENTINEL).is_err());
    static STRANGER: [(&str, &str); 2] = [AUTH, PING];
    assert!(ask(sentinel, &STRANGER).is_err());
}

#[test]
fn a_server_that_is_not_there_is_not_ready() {
    let root = tempfile::tempdir().unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let error = redis(&place(root.path(), port)).unwrap_err().to_string();
    assert!(error.contains("is not ready: "), "{error}");
}
