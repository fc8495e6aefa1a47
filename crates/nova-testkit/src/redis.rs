//! A real Redis with its Sentinel.

use std::time::Duration;

use nova_service::config::{Address, RedisConfig, SecretFile};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use uuid::Uuid;

use crate::port::free_port;
use crate::server::Server;
use crate::workplace;

const MASTER: &str = "nova";
const SENTINEL_PASSWORD: &str = "sentinel for tests only";

/// A master, perhaps with a replica, and a Sentinel with a quorum of one; both kinds ask for passwords.
#[derive(Debug)]
pub struct Redis {
    /// The master first.
    members: Vec<Member>,
    sentinel: Member,
    /// Each run has its own, which proves that the server behind a port is this one.
    password: String,
}

#[derive(Debug)]
struct Member {
    port: u16,
    server: Server,
}

impl Redis {
    /// A master alone.
    pub async fn start() -> Self {
        Self::with_members(1).await
    }

    /// A master and a replica, between which the Sentinel fails over.
    pub async fn with_replica() -> Self {
        Self::with_members(2).await
    }

    async fn with_members(count: usize) -> Self {
        let password = Uuid::new_v4().to_string();
        let mut members: Vec<Member> = Vec::new();
        for _ in 0..count {
            let member = redis(&password, members.first().map(|master| master.port)).await;
            members.push(member);
        }
        let sentinel = sentinel(&password, members[0].port, count).await;
        Self {
            members,
            sentinel,
            password,
        }
    }

    /// What a service is told to use this Redis.
    pub fn config(&self) -> RedisConfig {
        config(self.sentinel.port, &self.password)
    }

    /// What a service is told when nothing is there.
    pub fn unreachable_config() -> RedisConfig {
        config(free_port(), "nobody asks")
    }

    /// Kills the first member, which is the master at the beginning.
    pub async fn stop(&mut self) {
        self.members[0].server.stop("KILL").await;
    }

    /// Starts the first member again after [`Self::stop`].
    pub async fn restart(&mut self) {
        let Member { port, server } = &mut self.members[0];
        server.start();
        await_pong(server, *port, &self.password).await;
    }

    /// Kills the Sentinel.
    pub async fn stop_sentinel(&mut self) {
        self.sentinel.server.stop("KILL").await;
    }

    /// Has the Sentinel make the replica the master, without anything having failed.
    pub async fn fail_over(&self) {
        let answer = ask(
            self.sentinel.port,
            SENTINEL_PASSWORD,
            &format!("SENTINEL FAILOVER {MASTER}"),
        )
        .await;
        assert!(
            matches!(&answer, Ok(text) if text.contains("+OK")),
            "the failover was refused: {answer:?}"
        );
    }

    /// Waits until the first member follows another, after [`Self::fail_over`].
    pub async fn until_first_is_replica(&self) {
        let Member { port, server } = &self.members[0];
        server
            .ready(async || expect(*port, &self.password, "INFO replication", "role:slave").await)
            .await;
    }

    /// Sends one command to the first member and returns its answer as it came.
    pub async fn command(&self, command: &str) -> String {
        ask(self.members[0].port, &self.password, command)
            .await
            .unwrap_or_else(|error| panic!("`{command}` failed: {error}"))
    }
}

fn config(sentinel: u16, password: &str) -> RedisConfig {
    RedisConfig {
        sentinels: vec![Address {
            host: "127.0.0.1".to_owned(),
            port: sentinel,
        }],
        master: MASTER.to_owned(),
        password: Some(SecretFile::from_text(password)),
        sentinel_password: Some(SecretFile::from_text(SENTINEL_PASSWORD)),
        pool: 2,
        timeout: Duration::from_millis(200),
    }
}

async fn redis(password: &str, master: Option<u16>) -> Member {
    let port = free_port();
    let mut lines = format!(
        "bind 127.0.0.1\nport {port}\nrequirepass {password}\nmasterauth {password}\nsave \"\"\nappendonly no\nrepl-diskless-sync-delay 0\n"
    );
    if let Some(master) = master {
        lines.push_str(&format!("replicaof 127.0.0.1 {master}\n"));
    }
    let server = start("redis-server", &lines, &[]);
    await_pong(&server, port, password).await;
    if master.is_some() {
        server
            .ready(async || expect(port, password, "INFO replication", "master_link_status:up").await)
            .await;
    }
    Member { port, server }
}

async fn sentinel(password: &str, master: u16, members: usize) -> Member {
    let port = free_port();
    let lines = format!(
        "bind 127.0.0.1\nport {port}\nrequirepass \"{SENTINEL_PASSWORD}\"\nsentinel monitor {MASTER} 127.0.0.1 {master} 1\n\
         sentinel auth-pass {MASTER} {password}\nsentinel down-after-milliseconds {MASTER} 500\nsentinel failover-timeout {MASTER} 2000\n"
    );
    let server = start("redis-server", &lines, &["--sentinel"]);
    let command = format!("SENTINEL MASTER {MASTER}");
    let replicas = format!("num-slaves\r\n$1\r\n{}", members - 1);
    server
        .ready(async || expect(port, SENTINEL_PASSWORD, &command, &replicas).await)
        .await;
    Member { port, server }
}

fn start(program: &str, lines: &str, arguments: &[&str]) -> Server {
    let directory = workplace::create("redis");
    let file = directory.join("server.conf");
    std::fs::write(&file, lines).expect("cannot write the server's settings");
    // Sentinel keeps its state by writing its settings anew.
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o666))
        .expect("own files can be opened up");
    let mut words = vec![program.to_owned(), file.display().to_string()];
    words.extend(arguments.iter().map(ToString::to_string));
    let mut server = Server::new(directory, words, "KILL");
    server.start();
    server
}

async fn await_pong(server: &Server, port: u16, password: &str) {
    server
        .ready(async || expect(port, password, "PING", "+PONG").await)
        .await;
}

async fn expect(port: u16, password: &str, command: &str, wanted: &str) -> Result<(), String> {
    let answer = ask(port, password, command).await?;
    if answer.contains(wanted) {
        Ok(())
    } else {
        Err(format!("`{command}` was answered {answer:?}"))
    }
}

/// Sends a password and one inline command, and reads what comes back until the server closes.
async fn ask(port: u16, password: &str, command: &str) -> Result<String, String> {
    let asking = async {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream
            .write_all(format!("AUTH \"{password}\"\r\n{command}\r\n").as_bytes())
            .await?;
        // Sentinel knows no QUIT; both kinds answer what came before the end of the stream, and close.
        stream.shutdown().await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        Ok::<_, std::io::Error>(String::from_utf8_lossy(&answer).into_owned())
    };
    let answered = timeout(Duration::from_secs(2), asking)
        .await
        .map_err(|_| "no answer in time".to_owned())?;
    let answer = answered.map_err(|error| error.to_string())?;
    answer
        .strip_prefix("+OK\r\n")
        .map(ToOwned::to_owned)
        .ok_or_else(|| format!("another server is behind port {port}: {answer:?}"))
}
