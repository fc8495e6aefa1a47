//! When a container's broker dies: its session is ended, by the first process, or at the next start when that went as well. A process
//! namespace stands for the container, a small server for the controllers, of which one leads when it was asked twice.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/container.rs"]
mod container;

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Output;
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::json;

use crate::container::container;

/// Writes of its session as a broker does, into the file that it is told.
const REGISTERS: &str = r#"
for word in "$@"; do case $word in -Dnova.session.log=*) session=${word#*=} ;; esac; done
echo "[BrokerLifecycleManager id=1] Successfully registered broker 1 with broker epoch 7" > "$session"
"#;
/// By the first process, when a session was ended.
const IS_TOLD_TO_END: &str = r#"
until [ -e "$ENDED" ]; do sleep 0.05; done
kill -TERM 1
sleep 60
"#;
const NOT_CONTROLLER: i16 = 41;

#[test]
fn of_a_broker_that_dies_the_session_is_ended() {
    let home = Home::new();
    let controllers = Controllers::start(&home);
    let output = home.runs_a_broker_that(&format!("{REGISTERS} kill -9 $$"), &controllers);
    assert_eq!(output.status.code(), Some(128 + 9));
    assert_eq!(
        said(&output),
        "nova: the broker is dead: its session was ended: others lead what it led\n"
    );
    // Once by the one that did not lead yet.
    assert_eq!(controllers.heard(), [7, 7]);
}

#[test]
fn what_went_with_its_whole_container_is_ended_when_the_next_one_starts() {
    let home = Home::new();
    let controllers = Controllers::start(&home);
    fs::write(
        home.path("data/session.log"),
        "Successfully registered broker 1 with broker epoch 5\n",
    )
    .unwrap();
    let output = home.runs_a_broker_that(&format!("{REGISTERS} {IS_TOLD_TO_END}"), &controllers);
    assert_eq!(
        said(&output),
        "nova: the broker is dead: its session was ended: others lead what it led\n"
    );
    // And not that of the life that was told to end.
    assert_eq!(controllers.heard(), [5, 5]);
}

fn said(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

/// The directories of a container whose volume is formatted.
struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Self {
        let home = Self(container::home());
        fs::create_dir(home.path("data/kafka")).unwrap();
        fs::write(home.path("data/kafka/meta.properties"), "").unwrap();
        for file in ["server.properties", "format.properties", "log4j2.properties"] {
            fs::write(home.path("config").join(file), "").unwrap();
        }
        home
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn runs_a_broker_that(&self, script: &str, controllers: &Controllers) -> Output {
        let java = self.path("java");
        container::program(&java, script);
        let start = json!({ "java": java, "options": [], "format": [], "controllers": [
            { "host": controllers.0.ip().to_string(), "port": controllers.0.port() },
        ]});
        fs::write(self.path("config/start.json"), start.to_string()).unwrap();
        let mut container = container(self.0.path(), "kafka", "kafka-1");
        container.env("ENDED", self.path("ended")).output().unwrap()
    }
}

/// Refuse the first heartbeat, and do what the others ask for.
struct Controllers(SocketAddr, Arc<Mutex<Vec<i64>>>);

impl Controllers {
    fn start(home: &Home) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let controllers = Self(listener.local_addr().unwrap(), Arc::default());
        let (heard, ended) = (controllers.1.clone(), home.path("ended"));
        // Ends with the test's process.
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let epoch = epoch(&mut stream);
                let mut heard = heard.lock().unwrap();
                heard.push(epoch);
                let error = if heard.len() == 1 { NOT_CONTROLLER } else { 0 };
                let answer = [&[0, 0, 0, 1, 0, 0, 0, 0, 0], &error.to_be_bytes()[..], &[0, 1, 0, 0]].concat();
                stream.write_all(&(answer.len() as u32).to_be_bytes()).unwrap();
                stream.write_all(&answer).unwrap();
                if error == 0 {
                    fs::write(&ended, "").unwrap();
                }
            }
        });
        controllers
    }

    /// The epochs that they were asked to fence.
    fn heard(&self) -> Vec<i64> {
        self.1.lock().unwrap().clone()
    }
}

/// Which epoch a heartbeat carries that asks to be fenced.
fn epoch(stream: &mut TcpStream) -> i64 {
    let mut length = [0; 4];
    stream.read_exact(&mut length).unwrap();
    let mut request = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut request).unwrap();
    let (_, body) = request.split_at(2 + 2 + 4 + 2 + "nova".len() + 1);
    let (_broker, rest) = body.split_first_chunk::<4>().unwrap();
    let (epoch, rest) = rest.split_first_chunk::<8>().unwrap();
    assert_eq!(rest[8..], [1, 0, 0], "it asks to be fenced, and does not end");
    i64::from_be_bytes(*epoch)
}
