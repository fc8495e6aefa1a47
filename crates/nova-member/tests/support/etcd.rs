//! Members of etcd at loopback addresses of their own, kept as a supervisor keeps them: started again when they end, and watched.

use std::fs::{self, File};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nova_member::etcd_api::At;
use nova_member::etcd_watch::Watch;
use nova_member::{Address, HostPort, Place};
use serde_json::{Value, json};

const CLIENT: u16 = 2379;
const PEER: u16 = 2380;
const LIMIT: Duration = Duration::from_secs(90);
const PAUSE: Duration = Duration::from_millis(50);

/// Counts the platforms of this process, so that each has a network of its own.
static PLATFORMS: AtomicU16 = AtomicU16::new(0);

/// A directory a member, and those that are kept.
pub(crate) struct Platform {
    // Fields are dropped in this order: nobody writes when the directory goes.
    watches: Vec<(u16, Task)>,
    kept: Vec<(u16, Keeper)>,
    home: tempfile::TempDir,
    network: String,
}

/// A thread that ends when it is told.
struct Task(Arc<AtomicBool>, Option<JoinHandle<()>>);

struct Keeper {
    child: Arc<Mutex<Option<Child>>>,
    task: Task,
}

/// Writes until it is told to end.
pub(crate) struct Writer {
    count: Arc<AtomicUsize>,
    keys: Arc<Mutex<Vec<String>>>,
    task: Task,
}

impl Platform {
    /// With members that are described and not started.
    pub(crate) fn new(members: u16) -> Self {
        let own = u32::from(PLATFORMS.fetch_add(1, Ordering::SeqCst));
        let number = std::process::id().wrapping_mul(8).wrapping_add(own);
        let platform = Self {
            home: tempfile::tempdir().unwrap(),
            network: format!("127.{}.{}", 100 + number / 256 % 100, number % 256),
            kept: Vec::new(),
            watches: Vec::new(),
        };
        platform.describe(members);
        platform
    }

    /// Writes the settings of these members, and of those that were there before.
    pub(crate) fn describe(&self, members: u16) {
        let host = |member: u16| format!("{}.{member}", self.network);
        let listed: Vec<Value> = (1..=members)
            .map(|member| json!({ "member": format!("etcd-{member}"), "host": host(member) }))
            .collect();
        let all = json!({ "token": "test", "client_port": CLIENT, "peer_port": PEER, "members": listed });
        for member in 1..=members {
            let name = format!("etcd-{member}");
            for directory in ["config", "data", "run"] {
                fs::create_dir_all(self.home.path().join(&name).join(directory)).unwrap();
            }
            let (client, peer) = (self.client(member), self.peer_url(member));
            let data = self.data(member);
            let start = json!({
                "server": "etcd",
                "member": name,
                "bind": host(member),
                "quota": 16 << 20,
                "arguments": [
                    format!("--name={name}"),
                    format!("--data-dir={}", data.display()),
                    format!("--listen-client-urls=http://{client}"),
                    format!("--advertise-client-urls=http://{client}"),
                    format!("--listen-peer-urls={peer}"),
                    format!("--initial-advertise-peer-urls={peer}"),
                    format!("--quota-backend-bytes={}", 16 << 20),
                    "--logger=zap", "--log-level=warn", "--log-outputs=stderr",
                ],
            });
            fs::write(self.config(member).join("start.json"), start.to_string()).unwrap();
            fs::write(self.config(member).join("members.json"), all.to_string()).unwrap();
        }
    }

    /// Starts it, again whenever it ends, and watches it.
    pub(crate) fn keep(&mut self, member: u16) {
        self.keep_without_watch(member);
        self.watch(member);
    }

    pub(crate) fn keep_without_watch(&mut self, member: u16) {
        let child = Arc::new(Mutex::new(None));
        let (home, place) = (self.home.path().to_owned(), format!("etcd-{member}"));
        let kept = Arc::clone(&child);
        let task = Task::begin(move || {
            let mut child = kept.lock().unwrap();
            let ended = child
                .as_mut()
                .is_none_or(|child: &mut Child| child.try_wait().unwrap().is_some());
            if ended {
                *child = Some(start(&home, &place));
            }
        });
        self.kept.push((member, Keeper { child, task }));
    }

    pub(crate) fn watch(&mut self, member: u16) {
        let (mut watch, place, log) = (Watch::default(), self.place(member), self.log_file(member));
        let task = Task::begin(move || {
            if let Some(told) = watch.look(&place).told {
                use std::io::Write;
                writeln!(append(&log), "watch: {told}").unwrap();
            }
        });
        self.watches.push((member, task));
    }

    /// Ends it in good order, for good.
    pub(crate) fn stop(&mut self, member: u16) {
        self.watches.retain(|(other, _)| *other != member);
        self.kept.retain(|(other, _)| *other != member);
    }

    /// SIGKILL; whoever keeps it starts it again.
    pub(crate) fn kill(&self, member: u16) {
        self.kill_and(member, || {});
    }

    /// SIGKILL, and something happens to its data before it starts again.
    pub(crate) fn kill_with(&self, member: u16, harm: &str) {
        let data = self.data(member);
        self.kill_and(member, || match harm {
            "everything" => fs::remove_dir_all(&data).unwrap(),
            "member" => fs::remove_dir_all(data.join("member")).unwrap(),
            "log" => fs::remove_dir_all(data.join("member/wal")).unwrap(),
            "state" => fs::remove_file(data.join("member/snap/db")).unwrap(),
            _ => cut(&data.join("member/wal")),
        });
    }

    fn kill_and(&self, member: u16, then: impl FnOnce()) {
        let (_, keeper) = self.kept.iter().find(|(other, _)| *other == member).unwrap();
        let mut child = keeper.child.lock().unwrap();
        if let Some(child) = child.as_mut() {
            let _ = child.kill();
            child.wait().unwrap();
        }
        then();
    }

    /// Its data are gone.
    pub(crate) fn lose(&self, member: u16) {
        fs::remove_dir_all(self.data(member)).unwrap();
    }

    /// A file beside its data.
    pub(crate) fn put(&self, member: &str, file: &str, content: &str) {
        fs::write(self.home.path().join(member).join("data").join(file), content).unwrap();
    }

    pub(crate) fn has(&self, member: u16, file: &str) -> bool {
        self.home.path().join(format!("etcd-{member}/data")).join(file).exists()
    }

    pub(crate) fn log(&self, member: u16) -> String {
        fs::read_to_string(self.log_file(member)).unwrap_or_default()
    }

    pub(crate) fn client(&self, member: u16) -> HostPort {
        HostPort::new(format!("{}.{member}", self.network), CLIENT)
    }

    pub(crate) fn peer_url(&self, member: u16) -> String {
        format!("http://{}.{member}:{PEER}", self.network)
    }

    pub(crate) fn addresses(&self, members: &[u16]) -> Vec<Address> {
        let of = |member: &u16| Address {
            member: format!("etcd-{member}"),
            host: self.client(*member).host,
            port: CLIENT,
        };
        members.iter().map(of).collect()
    }

    /// Its number in the cluster.
    pub(crate) fn id(&self, member: u16) -> u64 {
        At(&self.client(member)).status().map_or(0, |status| status.member)
    }

    pub(crate) fn is_up(&self, member: u16) -> bool {
        let at = self.client(member);
        TcpStream::connect((at.host.as_str(), at.port)).is_ok() && At(&at).status().is_ok()
    }

    pub(crate) fn write(&self, key: &str, value: &str) {
        assert!(put(&self.client(1), key, value), "{key} was not written");
    }

    /// Whether it was acknowledged.
    pub(crate) fn try_write(&self, key: &str, value: &str) -> bool {
        put(&self.client(1), key, value)
    }

    pub(crate) fn read(&self, member: u16, key: &str) -> Option<String> {
        let found = ask(&self.client(member), "range", &json!({ "key": STANDARD.encode(key) }))?;
        let value = STANDARD.decode(found["kvs"][0]["value"].as_str()?).unwrap();
        Some(String::from_utf8(value).unwrap())
    }

    /// Writes one key after the other through whichever of these members takes it.
    pub(crate) fn writes(&self, members: u16) -> Writer {
        let places: Vec<HostPort> = (1..=members).map(|member| self.client(member)).collect();
        let (count, keys) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(Vec::new())));
        let (counted, acknowledged) = (Arc::clone(&count), Arc::clone(&keys));
        let mut number = 0;
        let task = Task::begin(move || {
            number += 1;
            let key = format!("key-{number}");
            if put(&places[number % places.len()], &key, "x") {
                acknowledged.lock().unwrap().push(key);
                counted.fetch_add(1, Ordering::SeqCst);
            }
        });
        Writer { count, keys, task }
    }

    pub(crate) fn place(&self, member: u16) -> Place {
        let home = self.home.path().join(format!("etcd-{member}"));
        Place::Mounted {
            config: home.join("config"),
            member: format!("etcd-{member}"),
            secrets: PathBuf::new(),
            data: home.join("data"),
            run: home.join("run"),
        }
    }

    fn config(&self, member: u16) -> PathBuf {
        self.home.path().join(format!("etcd-{member}/config"))
    }

    fn data(&self, member: u16) -> PathBuf {
        self.home.path().join(format!("etcd-{member}/data/etcd"))
    }

    fn log_file(&self, member: u16) -> PathBuf {
        self.home.path().join(format!("etcd-{member}.log"))
    }
}

impl Writer {
    pub(crate) fn count(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }

    /// Every key that was acknowledged.
    pub(crate) fn end(self) -> Vec<String> {
        drop(self.task);
        self.keys.lock().unwrap().clone()
    }
}

impl Task {
    fn begin(mut round: impl FnMut() + Send + 'static) -> Self {
        let end = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&end);
        let thread = thread::spawn(move || {
            while !told.load(Ordering::SeqCst) {
                round();
                thread::sleep(PAUSE);
            }
        });
        Self(end, Some(thread))
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
        if let Some(thread) = self.1.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.task.0.store(true, Ordering::SeqCst);
        if let Some(thread) = self.task.1.take() {
            let _ = thread.join();
        }
        if let Ok(mut child) = self.child.lock()
            && let Some(child) = child.as_mut()
        {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Waits for it, and shows what everybody wrote when it does not come.
#[track_caller]
pub(crate) fn until(platform: &Platform, what: &str, mut is_so: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        if begin.elapsed() > LIMIT {
            let logs: Vec<String> = (1..=3)
                .map(|member| format!("etcd-{member}:\n{}", platform.log(member)))
                .collect();
            panic!("{what}: not within {} s\n{}", LIMIT.as_secs(), logs.join("\n"));
        }
        thread::sleep(PAUSE);
    }
}

fn start(home: &Path, member: &str) -> Child {
    let own = home.join(member);
    let log = append(&home.join(format!("{member}.log")));
    let mut command = Command::new(env!("CARGO_BIN_EXE_nova-member"));
    command.args(["etcd", "--member", member]);
    for directory in ["config", "data", "run"] {
        command.arg(format!("--{directory}")).arg(own.join(directory));
    }
    command
        .current_dir(&own)
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap()
}

fn append(log: &Path) -> File {
    File::options().create(true).append(true).open(log).unwrap()
}

/// Half of what the last file of the log holds.
fn cut(directory: &Path) {
    let mut logs: Vec<PathBuf> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "wal"))
        .collect();
    logs.sort();
    let content = fs::read(logs.last().unwrap()).unwrap();
    let used = content.iter().rposition(|byte| *byte != 0).unwrap();
    File::options()
        .write(true)
        .open(logs.last().unwrap())
        .unwrap()
        .set_len(u64::try_from(used / 2).unwrap())
        .unwrap();
}

fn put(at: &HostPort, key: &str, value: &str) -> bool {
    let body = json!({ "key": STANDARD.encode(key), "value": STANDARD.encode(value) });
    ask(at, "put", &body).is_some()
}

fn ask(at: &HostPort, what: &str, body: &Value) -> Option<Value> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(Duration::from_secs(2)))
        .proxy(None)
        .build()
        .into();
    let answer = agent.post(format!("http://{at}/v3/kv/{what}")).send_json(body);
    answer.ok()?.body_mut().read_json().ok()
}
