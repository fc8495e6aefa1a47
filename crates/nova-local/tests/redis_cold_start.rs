//! Real Redis servers and Sentinels, started the way a platform starts them: however they died, whoever has the data leads; and a master
//! that is to end hands over.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nova_local::doctor::Programs;
use nova_local::members::{self, Site};
use nova_local::plan::MemberPlan;
use nova_member::hand_over::{Store, before_end};
use nova_member::{Place, redis_start, sentinel_start};
use nova_platform::secrets::Secrets;
use nova_platform::spec::Spec;

const PATIENCE: Duration = Duration::from_secs(60);

/// What stands in for `nova member` when this test program is started with the variable: it becomes the server.
#[test]
fn member() {
    let Some(directory) = std::env::var_os("NOVA_TEST_MEMBER").map(PathBuf::from) else {
        return;
    };
    let is_redis = directory
        .file_name()
        .is_some_and(|name| name.to_string_lossy().starts_with("redis"));
    let start = if is_redis {
        redis_start::run
    } else {
        sentinel_start::run
    };
    panic!(
        "{}",
        start(&Place::Directory(directory)).expect_err("it becomes the server")
    );
}

#[test]
fn whoever_has_the_data_leads_after_a_cold_start() {
    let mut redis = Redis::start_with(true, 0);
    let first = redis.settled();
    assert_eq!(first, 1, "the first server begins where nothing was written");
    redis.write(first, "before");

    redis.kill_all();
    redis.wipe(first);
    redis.start_all(false);
    let second = redis.settled();
    assert_ne!(second, first, "an empty server leads:\n{}", redis.logs());
    assert_eq!(redis.values(), ["before"; 3]);

    redis.write(second, "since");
    redis.kill_all();
    redis.start_all(true);
    redis.settled();
    assert_eq!(redis.values(), ["since"; 3], "a server with older data leads");
}

/// Killed, so that none had the time to write what the changed setting needs.
#[test]
fn a_change_of_the_append_only_file_while_all_are_down_loses_nothing() {
    let mut redis = Redis::start_with(false, 1);
    let first = redis.settled();
    redis.set(first, "in the snapshot");
    for server in 1..=3 {
        // An OK is taken off at the end of every answer.
        assert_eq!(redis.ask(server, "SAVE").as_deref(), Some(""), "server {server}");
    }
    redis.kill_all();
    redis.describe(true);
    redis.start_all(false);
    let second = redis.settled();
    assert_eq!(redis.values(), ["in the snapshot"; 3], "{}", redis.logs());

    redis.write(second, "in the append-only file");
    redis.kill_all();
    redis.describe(false);
    redis.start_all(false);
    redis.settled();
    assert_eq!(redis.values(), ["in the append-only file"; 3], "{}", redis.logs());
}

#[test]
fn a_master_that_is_to_end_hands_over_first() {
    let redis = Redis::start_with(true, 2);
    let first = redis.settled();
    redis.write(first, "before");
    let hand_over = |server: usize| before_end(Store::Redis, &Place::Directory(redis.of(&format!("redis-{server}"))));
    let replica = if first == 1 { 2 } else { 1 };
    assert!(
        hand_over(replica).expect("it is asked").is_none(),
        "a replica hands nothing over"
    );
    let began = Instant::now();
    // A Sentinel takes a while to know a replica well enough to choose it.
    while !matches!(hand_over(first), Ok(Some(_))) {
        assert!(began.elapsed() < PATIENCE, "nothing was handed over:\n{}", redis.logs());
        std::thread::sleep(Duration::from_millis(200));
    }
    // It follows already.
    assert!(
        redis.ask(first, "ROLE").is_some_and(|role| role.contains("slave")),
        "{}",
        redis.logs()
    );
    assert_ne!(redis.settled(), first, "{}", redis.logs());
    assert_eq!(redis.values(), ["before"; 3]);
}

struct Redis {
    directory: tempfile::TempDir,
    password: String,
    network: String,
    plans: Vec<MemberPlan>,
    running: Vec<Child>,
}

impl Redis {
    /// Each test has a number, and so a network.
    fn start_with(appendonly: bool, number: u32) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let mut spec: Spec =
            toml::from_str(include_str!("../../../nova.toml")).expect("the shipped description is valid");
        // A network of its own, so that a platform on this machine is not in the way.
        spec.local.network = format!(
            "127.{}.{}",
            100 + std::process::id() % 100,
            (std::process::id() / 100 + number) % 250
        );
        spec.redis.appendonly = appendonly;
        let secrets = Secrets::generate(&spec).expect("random numbers");
        let nowhere = PathBuf::from("/nonexistent");
        let programs = Programs::of(BTreeMap::from([("redis-server", "/usr/bin/redis-server".into())]));
        let services: BTreeMap<_, _> = spec
            .services
            .keys()
            .map(|name| (name.clone(), nowhere.clone()))
            .collect();
        let site = Site {
            spec: &spec,
            secrets: &secrets,
            state: directory.path(),
            programs: &programs,
            nova: &nowhere,
            services: &services,
            cores: 1,
        };
        let plans = members::plans(&site)
            .expect("nothing is missing")
            .into_iter()
            .filter(|plan| plan.component == nova_platform::components::ComponentId::Redis)
            .collect();
        let password = secrets.reveal("redis").expect("it has a value").to_owned();
        let mut redis = Self {
            directory,
            password,
            network: spec.local.network,
            plans,
            running: Vec::new(),
        };
        redis.lay_out();
        redis.start_all(false);
        redis
    }

    fn of(&self, member: &str) -> PathBuf {
        self.directory.path().join("members").join(member)
    }

    fn lay_out(&self) {
        for plan in &self.plans {
            let own = self.of(&plan.name);
            fs::create_dir_all(own.join("data")).expect("a directory");
            for file in &plan.files {
                fs::write(own.join(&file.path), &file.content).expect("a file");
            }
        }
    }

    fn start_all(&mut self, backwards: bool) {
        let mut names: Vec<String> = self.plans.iter().map(|plan| plan.name.clone()).collect();
        if backwards {
            names.reverse();
        }
        for name in names {
            let program = std::env::current_exe().expect("this test");
            let log = fs::OpenOptions::new()
                .create(true)
                .append(true)
                .open(self.of(&name).join("log"))
                .expect("a log");
            let mut command = Command::new(program);
            command
                .args(["--exact", "member", "--nocapture"])
                .env("NOVA_TEST_MEMBER", self.of(&name))
                .stdin(Stdio::null());
            command.stdout(log.try_clone().expect("a log")).stderr(log);
            self.running.push(command.spawn().expect("it starts"));
        }
    }

    /// Changes whether the append-only file is described.
    fn describe(&self, appendonly: bool) {
        let word = |on| if on { "appendonly yes\n" } else { "appendonly no\n" };
        for plan in &self.plans {
            let path = self.of(&plan.name).join("base.conf");
            let Ok(settings) = fs::read_to_string(&path) else {
                continue;
            };
            fs::write(&path, settings.replace(word(!appendonly), word(appendonly))).expect("a file");
        }
    }

    /// Writes, and waits until both replicas have it.
    fn set(&self, server: usize, value: &str) {
        let began = Instant::now();
        self.ask(server, &format!("SET key \"{value}\""));
        while self.values() != [value; 3] {
            assert!(began.elapsed() < PATIENCE, "the write did not arrive:\n{}", self.logs());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn kill_all(&mut self) {
        for mut child in self.running.drain(..) {
            // It may have ended by itself; the next start shows.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    fn wipe(&self, server: usize) {
        let data = self.of(&format!("redis-{server}")).join("data");
        fs::remove_dir_all(&data)
            .and_then(|()| fs::create_dir(&data))
            .expect("wiped");
    }

    /// Waits until one server leads two replicas, and says which.
    fn settled(&self) -> usize {
        let began = Instant::now();
        loop {
            let leading = (1..=3).find(|server| {
                let said = self.ask(*server, "INFO replication").unwrap_or_default();
                said.contains("role:master") && said.matches("state=online").count() == 2
            });
            match leading {
                Some(server) => return server,
                None if began.elapsed() > PATIENCE => panic!("no server leads:\n{}", self.logs()),
                None => std::thread::sleep(Duration::from_millis(50)),
            }
        }
    }

    /// Writes, and waits until both replicas have it, on disk as well: after its first copy of the master a replica rewrites
    /// its append-only file, and killed before that is done it comes back without what it had.
    fn write(&self, server: usize, value: &str) {
        let began = Instant::now();
        while self.values() != [value; 3] {
            assert!(began.elapsed() < PATIENCE, "the write did not arrive:\n{}", self.logs());
            self.ask(server, &format!("SET key \"{value}\""));
            std::thread::sleep(Duration::from_millis(20));
        }
        while !(1..=3).all(|server| self.is_persisted(server)) {
            assert!(
                began.elapsed() < PATIENCE,
                "the write is not on every disk:\n{}",
                self.logs()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn is_persisted(&self, server: usize) -> bool {
        let said = self.ask(server, "INFO persistence").unwrap_or_default();
        let settled = [
            "aof_enabled:1\r",
            "aof_rewrite_in_progress:0\r",
            "aof_rewrite_scheduled:0\r",
            "aof_last_write_status:ok\r",
        ];
        settled.iter().all(|wanted| said.contains(wanted))
    }

    fn values(&self) -> Vec<String> {
        let value = |server| {
            self.ask(server, "GET key")
                .and_then(|said| said.split("\r\n").nth(1).map(str::to_owned))
        };
        (1..=3).map(|server| value(server).unwrap_or_default()).collect()
    }

    fn ask(&self, server: usize, command: &str) -> Option<String> {
        let address: SocketAddr = format!("{}.{server}:6379", self.network).parse().ok()?;
        let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(1)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(2))).ok()?;
        write!(stream, "AUTH {}\r\n{command}\r\nQUIT\r\n", self.password).ok()?;
        let mut said = String::new();
        stream.read_to_string(&mut said).ok()?;
        said.strip_prefix("+OK\r\n")
            .map(|rest| rest.trim_end_matches("+OK\r\n").to_owned())
    }

    fn logs(&self) -> String {
        let log = |path: &Path| fs::read_to_string(path.join("log")).unwrap_or_default();
        self.plans
            .iter()
            .map(|plan| format!("== {}\n{}", plan.name, log(&self.of(&plan.name))))
            .collect()
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill_all();
    }
}
