//! Real Redis servers and Sentinels with a container's directories: met by name, listening on every address, asked by the probe.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn the_same_server_leads_after_all_were_given_other_addresses() {
    let mut redis = Redis::new();
    // No addresses as they are written, but names that every system resolves without asking anyone.
    redis.write_settings("127.88");
    redis.start_all();
    assert_eq!(
        redis.settled("127.88.0"),
        0,
        "the first server begins where nothing was written"
    );
    redis.wait("all are ready", Redis::all_are_ready);

    redis.set("before", "127.88.0");
    // Refused until the Sentinels know a replica that is fit.
    redis.wait("a failover", |redis| {
        let said = redis.ask_port(redis.sentinel_ports[0], SENTINEL_PASSWORD, "SENTINEL FAILOVER nova");
        said.is_some_and(|said| said == "+OK")
    });
    redis.wait("another leads", |redis| {
        redis.leader("127.88.0").is_some_and(|leader| leader != 0)
    });
    let leader = redis.settled("127.88.0");

    redis.kill_all();
    assert!(!redis.probe(&format!("redis-{}", leader + 1)), "a dead server is ready");
    redis.write_settings("127.89");
    redis.start_all();
    assert_eq!(redis.settled("127.89.0"), leader, "{}", redis.logs());
    assert_eq!(redis.ask(leader, "GET key").unwrap(), "$6\r\nbefore");
    redis.wait("all are ready", Redis::all_are_ready);

    redis.kill_all();
    let damaged = format!("redis-{}", (leader + 1) % 3 + 1);
    redis.damage(&damaged);
    redis.start_all();
    redis.wait("it does not load that", |redis| {
        redis.log_of(&damaged).contains("Bad file format")
    });
    redis.start(&damaged);
    redis.wait("all are ready", Redis::all_are_ready);
    assert_eq!(redis.ask((leader + 1) % 3, "GET key").unwrap(), "$6\r\nbefore");
    assert!(redis.log_of(&damaged).contains("they are removed"), "{}", redis.logs());
}

#[test]
fn what_cannot_start_says_why() {
    let redis = Redis::new();
    redis.write_settings("127.88");
    let run = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_nova-member"))
            .args(arguments)
            .output()
            .unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, said) = run(&["redis"]);
    assert_eq!(code, Some(2));
    assert!(
        said.starts_with("nova-member: error: --member is missing\n\nusage: "),
        "{said}"
    );

    fs::write(redis.root().join("secrets/redis-sentinel"), "").unwrap();
    let output = redis.command("redis", "redis-1").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        "nova-member: error: there is no password \"redis-sentinel\"; `nova deploy` lays it out\n"
    );
}

const PASSWORD: &str = "the-password";
const SENTINEL_PASSWORD: &str = "the-other";

struct Redis {
    directory: tempfile::TempDir,
    ports: [u16; 3],
    sentinel_ports: [u16; 3],
    running: Vec<Child>,
}

impl Redis {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        for folder in ["config/redis", "config/sentinel", "secrets"] {
            fs::create_dir_all(directory.path().join(folder)).unwrap();
        }
        for (name, password) in [("redis", PASSWORD), ("redis-sentinel", SENTINEL_PASSWORD)] {
            fs::write(directory.path().join("secrets").join(name), format!("{password}\n")).unwrap();
        }
        // Held together, so that no two are the same.
        let listeners: Vec<_> = (0..6).map(|_| TcpListener::bind("0.0.0.0:0").unwrap()).collect();
        let ports: Vec<u16> = listeners
            .iter()
            .map(|listener| listener.local_addr().unwrap().port())
            .collect();
        Self {
            directory,
            ports: [ports[0], ports[1], ports[2]],
            sentinel_ports: [ports[3], ports[4], ports[5]],
            running: Vec::new(),
        }
    }

    fn root(&self) -> &Path {
        self.directory.path()
    }

    /// Settings in which members are met in this network.
    fn write_settings(&self, network: &str) {
        let addresses = |kind: &str, ports: &[u16]| -> Vec<serde_json::Value> {
            let one = |(index, port): (usize, &u16)| {
                let number = index + 1;
                serde_json::json!({ "member": format!("{kind}-{number}"), "host": format!("{network}.{number}"), "port": port })
            };
            ports.iter().enumerate().map(one).collect()
        };
        let (servers, sentinels) = (
            addresses("redis", &self.ports),
            addresses("sentinel", &self.sentinel_ports),
        );
        for (kind, all) in [("redis", &servers), ("sentinel", &sentinels)] {
            for own in all {
                let start = serde_json::json!({
                    "server": "/usr/bin/redis-server", "own": own, "bind": "0.0.0.0",
                    "servers": servers, "sentinels": sentinels, "quorum": 2,
                });
                let base = match kind {
                    "redis" => format!(
                        "bind 0.0.0.0\nport {}\nappendonly yes\nrepl-diskless-sync-delay 0\n",
                        own["port"]
                    ),
                    _ => format!(
                        "bind 0.0.0.0\nport {}\nsentinel down-after-milliseconds nova 1000\n\
                         sentinel failover-timeout nova 10000\n",
                        own["port"]
                    ),
                };
                let file = |name: &str| {
                    self.root()
                        .join(format!("config/{kind}/{}.{name}", own["member"].as_str().unwrap()))
                };
                fs::write(file("start.json"), start.to_string()).unwrap();
                fs::write(file("base.conf"), base).unwrap();
            }
        }
    }

    fn command(&self, kind: &str, member: &str) -> Command {
        let place = |folder: &str| self.root().join(folder).display().to_string();
        let (data, run) = (place(&format!("data/{member}")), place(&format!("run/{member}")));
        fs::create_dir_all(&data).unwrap();
        // A working directory does not outlive the container.
        let _ = fs::remove_dir_all(&run);
        fs::create_dir_all(&run).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_nova-member"));
        command
            .args([kind, "--config", &place(&format!("config/{kind}")), "--member", member])
            .args(["--secrets", &place("secrets"), "--data", &data, "--run", &run])
            .stdin(Stdio::null());
        command
    }

    fn start_all(&mut self) {
        for member in members() {
            self.start(&member);
        }
    }

    fn start(&mut self, member: &str) {
        let log = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.log(member))
            .unwrap();
        let mut command = self.command(kind_of(member), member);
        command.stdout(log.try_clone().unwrap()).stderr(log);
        self.running.push(command.spawn().unwrap());
    }

    /// Leaves in a server's data what a disk that was full for a moment does: a hole between two writes.
    fn damage(&self, member: &str) {
        let directory = self.root().join(format!("data/{member}/redis/appendonlydir"));
        let files = fs::read_dir(directory).unwrap().map(|file| file.unwrap().path());
        let writes = files.filter(|file| file.to_string_lossy().ends_with(".incr.aof"));
        let mut writes = fs::OpenOptions::new().append(true).open(writes.max().unwrap()).unwrap();
        writes.write_all(b"\0\0\0*1\r\n$4\r\nPING\r\n").unwrap();
    }

    fn kill_all(&mut self) {
        for mut child in self.running.drain(..) {
            // It may have ended by itself; the next start shows.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    fn probe(&self, member: &str) -> bool {
        let kind = kind_of(member);
        let place = |folder: &str| self.root().join(folder).display().to_string();
        let status = Command::new(env!("CARGO_BIN_EXE_nova-member"))
            .args([
                "probe",
                kind,
                "--config",
                &place(&format!("config/{kind}")),
                "--member",
                member,
            ])
            .args(["--secrets", &place("secrets")])
            .stderr(Stdio::null())
            .status();
        status.unwrap().success()
    }

    fn all_are_ready(&self) -> bool {
        members().all(|member| self.probe(&member))
    }

    /// The server whose two replicas are met at these addresses and are online.
    fn leader(&self, network: &str) -> Option<usize> {
        (0..3).find(|server| {
            let said = self.ask(*server, "INFO replication").unwrap_or_default();
            let online = said.lines().filter(|line| {
                line.starts_with("slave") && line.contains(&format!("ip={network}.")) && line.contains("state=online")
            });
            said.contains("role:master") && online.count() == 2
        })
    }

    fn settled(&self, network: &str) -> usize {
        self.wait("one leads", |redis| redis.leader(network).is_some());
        self.leader(network).unwrap()
    }

    /// Writes, and waits until all have it on disk.
    fn set(&self, value: &str, network: &str) {
        let leader = self.settled(network);
        self.wait("the write is everywhere", |redis| {
            redis.ask(leader, &format!("SET key {value}"));
            (0..3).all(|server| {
                let persistence = redis.ask(server, "INFO persistence").unwrap_or_default();
                redis.ask(server, "GET key").is_some_and(|said| said.ends_with(value))
                    && persistence.contains("aof_rewrite_in_progress:0\r")
                    && persistence.contains("aof_rewrite_scheduled:0\r")
            })
        });
    }

    fn wait(&self, for_what: &str, is_so: impl Fn(&Self) -> bool) {
        let began = Instant::now();
        while !is_so(self) {
            assert!(began.elapsed() < PATIENCE, "not in time: {for_what}\n{}", self.logs());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn ask(&self, server: usize, command: &str) -> Option<String> {
        self.ask_port(self.ports[server], PASSWORD, command)
    }

    fn ask_port(&self, port: u16, password: &str, command: &str) -> Option<String> {
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(1)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(2))).ok()?;
        write!(stream, "AUTH {password}\r\n{command}\r\n").ok()?;
        // It closes the connection once it has answered; a Sentinel knows no QUIT.
        stream.shutdown(Shutdown::Write).ok()?;
        let mut said = String::new();
        stream.read_to_string(&mut said).ok()?;
        let said = said.strip_prefix("+OK\r\n")?;
        Some(said.trim_end().to_owned())
    }

    fn log(&self, member: &str) -> PathBuf {
        self.root().join(format!("{member}.log"))
    }

    fn log_of(&self, member: &str) -> String {
        fs::read_to_string(self.log(member)).unwrap_or_default()
    }

    fn logs(&self) -> String {
        members()
            .map(|member| format!("== {member}\n{}", self.log_of(&member)))
            .collect()
    }
}

fn members() -> impl Iterator<Item = String> {
    ["redis", "sentinel"]
        .into_iter()
        .flat_map(|kind| (1..=3).map(move |number| format!("{kind}-{number}")))
}

fn kind_of(member: &str) -> &str {
    member.split('-').next().unwrap()
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill_all();
    }
}
