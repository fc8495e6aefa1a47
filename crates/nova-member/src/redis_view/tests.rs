//! Who is waited for.
#![allow(clippy::unwrap_used, reason = "a failing unwrap is a failing test")]

use std::io::{BufRead, BufReader};
use std::time::Instant;

use super::*;

/// Longer than any answer takes, so that whoever waits for the silent one is seen to.
const PATIENCE: Duration = Duration::from_secs(5);

/// Takes connections; answers as a Sentinel that names `master`, or not at all.
fn sentinel(names: Option<&'static str>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    // Ends with the test's process.
    thread::spawn(move || {
        let mut held = Vec::new();
        for mut stream in listener.incoming().flatten() {
            let Some(master) = names else {
                held.push(stream);
                continue;
            };
            let fields = ["ip", master, "port", "1", "config-epoch", "4", "flags", "master"];
            let fields = fields.map(|field| format!("${}\r\n{field}\r\n", field.len()));
            let master = format!("*{}\r\n{}", fields.len(), fields.concat());
            for line in BufReader::new(stream.try_clone().unwrap())
                .lines()
                .map_while(Result::ok)
            {
                let answer = match line.as_str() {
                    "AUTH" => "+OK\r\n",
                    "MASTER" => &master,
                    _ => continue,
                };
                let _ = stream.write_all(answer.as_bytes());
            }
        }
    });
    port
}

fn at(member: &str, port: u16) -> Address {
    Address {
        member: member.to_owned(),
        host: "127.0.0.1".to_owned(),
        port,
    }
}

#[test]
fn whoever_is_gone_is_not_waited_for_when_the_others_are_enough() {
    let (silent, answers) = (sentinel(None), sentinel(Some("127.0.0.1")));
    let start = Start {
        server: "".into(),
        own: at("redis-1", 1),
        bind: String::new(),
        servers: vec![at("redis-1", 1)],
        sentinels: vec![at("sentinel-1", silent), at("sentinel-2", answers)],
        quorum: 2,
        password: "secret".to_owned(),
        sentinel_password: "secret".to_owned(),
    };
    let begin = Instant::now();
    let named = |view: &View| view.named_master().is_some();
    let view = View::ask_until(&start, PATIENCE, named);
    assert!(begin.elapsed() < PATIENCE, "the silent one was waited for");
    let master = HostPort::new("127.0.0.1", 1);
    assert_eq!(
        view.named_master().map(|named| (&named.master, named.epoch)),
        Some((&master, 4))
    );
    assert_eq!(view.sentinels[0], None);
}
