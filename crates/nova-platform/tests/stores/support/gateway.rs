//! A gateway of one machine with its real configuration, in front of members that say what a test wants.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nova_platform::config::Site;
use nova_platform::config::haproxy::{self, Doors, Services};
use nova_platform::endpoints::HostPort;
use nova_platform::spec::Spec;
use nova_platform::topology::Member;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::{sleep, timeout};

use super::process::{self, Process};
use super::{free_port, spec};

/// Where the gateway listens.
pub(crate) const ADDRESS: &str = "127.0.0.9";
/// The service whose members are there.
pub(crate) const SERVICE: &str = "user-service";
const PATIENCE: Duration = Duration::from_secs(30);

/// A running gateway, its two members and one PostgreSQL behind it.
pub(crate) struct Gateway {
    pub(crate) spec: Spec,
    pub(crate) members: Vec<FakeMember>,
    _process: Process,
    _directory: TempDir,
}

/// A member of the service.
pub(crate) struct FakeMember {
    seen: Arc<Mutex<Vec<Seen>>>,
    status: Arc<AtomicU16>,
}

/// A request that arrived at a member.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// Who connected.
    pub(crate) peer: IpAddr,
    /// Its head, in lower case.
    pub(crate) head: String,
}

struct OneMachine(Spec);

impl Site for OneMachine {
    fn spec(&self) -> &Spec {
        &self.0
    }

    fn host(&self, member: &Member) -> String {
        match member.name.strip_prefix("user-service-") {
            Some(number) => format!("127.0.0.1{number}"),
            None => "127.0.0.1".to_owned(),
        }
    }

    fn bind(&self, member: &Member) -> String {
        self.host(member)
    }
}

impl Gateway {
    /// In front of a PostgreSQL that leads; without one its doors lead nowhere.
    pub(crate) async fn start(postgres: Option<&HostPort>) -> Self {
        let mut spec = spec();
        spec.postgres.members = 1;
        spec.postgres.port = postgres.map_or_else(free_port, |address| address.port);
        let patroni = TcpListener::bind("127.0.0.1:0").await.unwrap();
        spec.postgres.patroni_port = patroni.local_addr().unwrap().port();
        tokio::spawn(serve(patroni, Arc::default(), Arc::new(AtomicU16::new(200))));
        for service in spec.services.values_mut() {
            service.port = low_port();
            service.members = 2;
        }
        (spec.gateway.primary_port, spec.gateway.replicas_port) = (free_port(), free_port());
        let port = spec.services[SERVICE].port;
        let mut members = Vec::new();
        for number in [1, 2] {
            members.push(FakeMember::start(&format!("127.0.0.1{number}"), port).await);
        }
        let directory = process::directory();
        let file = directory.path().join("haproxy.cfg").to_str().unwrap().to_owned();
        let socket = directory.path().join("admin.sock").to_str().unwrap().to_owned();
        let doors = Doors {
            bind: ADDRESS,
            services: Services::Known,
            health_port: None,
            admin_socket: &socket,
        };
        std::fs::write(&file, haproxy::config(&OneMachine(spec.clone()), &doors)).unwrap();
        let program = ["/usr/sbin/haproxy", "/usr/local/sbin/haproxy"];
        let program = program.iter().find(|path| std::path::Path::new(path).exists());
        let log = directory.path().join("log");
        let process = Process::start(&log, program.unwrap_or(&"haproxy"), &["-db", "-f", &file]);
        let gateway = Self {
            spec,
            members,
            _process: process,
            _directory: directory,
        };
        let up = async {
            while !gateway.get("127.0.0.1").await.starts_with("HTTP/1.1 200") {
                sleep(Duration::from_millis(20)).await;
            }
        };
        let log = || std::fs::read_to_string(&log).unwrap_or_default();
        assert!(timeout(PATIENCE, up).await.is_ok(), "no gateway: {}", log());
        gateway
    }

    /// The door to the service.
    pub(crate) fn door(&self) -> SocketAddr {
        format!("{ADDRESS}:{}", self.spec.services[SERVICE].port)
            .parse()
            .unwrap()
    }

    /// What a client at this address gets for a request; nothing when it is refused.
    pub(crate) async fn ask(&self, from: &str, request: &str) -> String {
        let mut answer = Vec::new();
        let asking = async {
            let mut stream = connect(from, self.door()).await.ok()?;
            stream.write_all(request.as_bytes()).await.ok()?;
            stream.read_to_end(&mut answer).await.ok()
        };
        let _ = timeout(PATIENCE, asking).await;
        String::from_utf8_lossy(&answer).into_owned()
    }

    pub(crate) async fn get(&self, from: &str) -> String {
        self.ask(from, "GET /x HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            .await
    }

    pub(crate) async fn post(&self, from: &str) -> String {
        let head = "POST /x HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}";
        self.ask(from, head).await
    }
}

impl FakeMember {
    async fn start(host: &str, port: u16) -> Self {
        let member = Self {
            seen: Arc::default(),
            status: Arc::new(AtomicU16::new(200)),
        };
        let api = TcpListener::bind((host, port)).await.unwrap();
        tokio::spawn(serve(api, member.seen.clone(), member.status.clone()));
        let operations = TcpListener::bind((host, port + 1000)).await.unwrap();
        tokio::spawn(serve(operations, Arc::default(), Arc::new(AtomicU16::new(200))));
        member
    }

    /// Answers with this status from now on; its health stays well.
    pub(crate) fn says(&self, status: u16) {
        self.status.store(status, Ordering::Relaxed);
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

/// A connection from one of the machine's own addresses.
pub(crate) async fn connect(from: &str, to: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::new(from.parse().unwrap(), 0))?;
    socket.connect(to).await
}

async fn serve(listener: TcpListener, seen: Arc<Mutex<Vec<Seen>>>, status: Arc<AtomicU16>) {
    while let Ok((mut stream, peer)) = listener.accept().await {
        let (seen, status) = (seen.clone(), status.clone());
        tokio::spawn(async move {
            let (mut bytes, mut buffer) = (Vec::new(), [0; 4096]);
            while !bytes.windows(4).any(|end| end == b"\r\n\r\n") {
                match stream.read(&mut buffer).await {
                    Ok(read) if read > 0 => bytes.extend_from_slice(&buffer[..read]),
                    _ => return,
                }
            }
            let head = String::from_utf8_lossy(&bytes).to_lowercase();
            seen.lock().unwrap().push(Seen { peer: peer.ip(), head });
            let status = status.load(Ordering::Relaxed);
            let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            let _ = stream.write_all(answer.as_bytes()).await;
        });
    }
}

/// A free port with room for the operations' above it.
fn low_port() -> u16 {
    loop {
        let port = free_port();
        if port < 64_000 {
            return port;
        }
    }
}
