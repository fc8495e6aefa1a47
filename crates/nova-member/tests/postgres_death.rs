//! When a container's Patroni dies: nothing of it is left before its leader key goes. A process namespace stands for the container,
//! a small server for etcd: what counts is when it is asked, and by whose tag.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/container.rs"]
mod container;

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::{Arc, Mutex};
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::container::container;

/// As PostgreSQL: in a session of its own, so that it goes on alone. It holds the lock for as long as it lives.
const WITH_A_SERVER: &str = "setsid flock \"$LOCK\" sleep 600 &
while flock -n \"$LOCK\" true; do sleep 0.01; done
";

#[test]
fn of_a_patroni_that_dies_nothing_runs_when_its_leader_key_is_given_up() {
    let home = Home::new();
    let etcd = Etcd::start(&home);
    let output = home.runs_a_patroni_that(&format!("{WITH_A_SERVER}kill -9 $$"), &etcd);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(
        said.contains("nothing of postgres-1 runs: its leader key is given up"),
        "{said}"
    );
    assert_eq!(output.status.code(), Some(128 + 9));
    // Where the member is met, who leads, and the transaction.
    assert_eq!(etcd.server_ran(), [false, false, false]);
}

#[test]
fn one_that_is_told_to_end_gives_its_key_up_itself() {
    let home = Home::new();
    let etcd = Etcd::start(&home);
    let script = format!("{WITH_A_SERVER}trap 'exit 0' TERM; kill -TERM 1; while :; do sleep 0.05; done");
    let output = home.runs_a_patroni_that(&script, &etcd);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    // Whether it leads is asked while everything runs: it would hand over. Then it is left alone.
    assert_eq!(etcd.server_ran(), [true]);
}

/// The directories of a container.
struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Self {
        let home = Self(container::home());
        for name in [
            "patroni-rest",
            "postgres-superuser",
            "postgres-replication",
            "postgres-rewind",
        ] {
            fs::write(home.path("secrets").join(name), "secret").unwrap();
        }
        for file in ["1-bootstrap.yml", "2-member.yml"] {
            fs::write(home.path("config").join(file), "{}").unwrap();
        }
        File::create(home.path("lock")).unwrap();
        home
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn runs_a_patroni_that(&self, script: &str, etcd: &Etcd) -> Output {
        let patroni = self.path("patroni");
        container::program(&patroni, script);
        let start = json!({ "patroni": patroni, "leader_key": {
            "etcd": [{ "host": etcd.0.ip().to_string(), "port": etcd.0.port() }],
            "key": "/service/nova/leader",
            "holder": "postgres-1",
        }});
        fs::write(self.path("config/start.json"), start.to_string()).unwrap();
        let mut container = container(self.0.path(), "postgres", "postgres-1");
        container.env("LOCK", self.path("lock")).output().unwrap()
    }
}

/// Answers as one in which postgres-1 leads, by the session of the life that its settings name.
struct Etcd(SocketAddr, Arc<Mutex<Vec<bool>>>);

impl Etcd {
    fn start(home: &Home) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let etcd = Self(listener.local_addr().unwrap(), Arc::default());
        let (life, lock, seen) = (home.path("run/patroni/4-life.yml"), home.path("lock"), etcd.1.clone());
        // Ends with the test's process.
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                seen.lock()
                    .unwrap()
                    .push(File::open(&lock).unwrap().try_lock().is_err());
                let asked = request(&mut stream);
                let answer = answer(&asked, &life).to_string();
                let length = answer.len();
                write!(
                    stream,
                    "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{answer}"
                )
                .unwrap();
            }
        });
        etcd
    }

    /// For each request, whether something of the member ran when it came.
    fn server_ran(&self) -> Vec<bool> {
        self.1.lock().unwrap().clone()
    }
}

/// The body of a request.
fn request(stream: &mut TcpStream) -> Value {
    let mut read = Vec::new();
    loop {
        let mut chunk = [0; 4096];
        let length = stream.read(&mut chunk).unwrap();
        assert_ne!(length, 0, "the request ends early");
        read.extend_from_slice(&chunk[..length]);
        let body = read.windows(4).position(|four| four == b"\r\n\r\n").map(|end| end + 4);
        if let Some(body) = body
            && let Ok(asked) = serde_json::from_slice(&read[body..])
        {
            return asked;
        }
    }
}

fn answer(asked: &Value, life: &Path) -> Value {
    if asked["compare"].is_array() {
        return json!({ "succeeded": true });
    }
    let key = STANDARD.decode(asked["key"].as_str().unwrap()).unwrap();
    let value = if key.ends_with(b"/members/postgres-1") {
        fs::read_to_string(life).unwrap()
    } else {
        "postgres-1".to_owned()
    };
    json!({ "kvs": [{ "mod_revision": "2", "lease": "7", "value": STANDARD.encode(value) }] })
}
