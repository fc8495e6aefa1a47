//! A member's leader key is given up when nothing of it runs any more, and not before. A small server stands for etcd and holds
//! no key: what counts is when it is asked.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use nova_local::process::{Identity, Table};
use nova_local::supervisor::Launch;
use nova_member::leader_key::LeaderKey;
use nova_platform::endpoints::HostPort;
use nova_platform::target::RunState;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::support::{Bystander, Home, kill_hard, runs_as_another, until};

/// Counts the requests that arrive.
struct Asked {
    address: HostPort,
    count: Arc<AtomicUsize>,
}

impl Asked {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = HostPort::new("127.0.0.1", listener.local_addr().unwrap().port());
        let count = Arc::new(AtomicUsize::new(0));
        let counter = count.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                counter.fetch_add(1, Ordering::SeqCst);
                let _ = stream.read(&mut [0; 4096]).await;
                let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
                let _ = stream.write_all(answer).await;
            }
        });
        Self { address, count }
    }

    fn count(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }

    fn held_by(&self, launch: &mut Launch) {
        launch.leader_key = Some(LeaderKey {
            etcd: vec![self.address.clone()],
            key: "/service/test/leader".to_owned(),
            holder: launch.member.clone(),
        });
    }
}

/// As Patroni and its PostgreSQL: the server is in a session of its own and goes on alone.
const WITH_A_SERVER: &str = "setsid sleep 600 & echo ready; exec cat /dev/zero > /dev/null";

/// Before the server has a session of its own it would end with the main process.
async fn both_run(home: &Home) {
    until("both run", || {
        named(home, "sleep").len() == 1 && named(home, "cat").len() == 1
    })
    .await;
}

fn named(home: &Home, name: &str) -> Vec<Identity> {
    Table::named(&home.processes(), &[name.to_owned()])
}

#[tokio::test]
async fn as_long_as_something_of_the_member_runs_its_key_stays() {
    let (home, etcd) = (Home::new(), Asked::start().await);
    home.supervise().await;
    let mut launch = home.member("postgres-1", WITH_A_SERVER);
    launch.children = vec!["sleep".into()];
    launch.restart_backoff_ms = 600_000;
    launch.restart_backoff_max_ms = 600_000;
    etcd.held_by(&mut launch);
    let first = home.ensure(&launch).await;
    both_run(&home).await;
    let server = named(&home, "sleep")[0];
    let bystander = Bystander::in_directory(&home.layout.member("postgres-1"));

    kill_hard(first.pid.unwrap().cast_signed());
    home.until("postgres-1", |report| report.state != RunState::Running)
        .await;
    // Time in which a timeout, or the end of the main process alone, would have been taken for the proof.
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    assert_eq!(etcd.count(), 0, "the server still ran");
    kill_hard(server.pid);
    until("asked", || etcd.count() > 0).await;
    assert!(bystander.identity().is_alive());
}

#[tokio::test]
async fn a_member_that_is_stopped_gives_it_up_and_one_that_is_started_again_does_not() {
    let (home, etcd) = (Home::new(), Asked::start().await);
    home.supervise().await;
    let mut launch = home.member("postgres-1", WITH_A_SERVER);
    launch.children = vec!["sleep".into()];
    etcd.held_by(&mut launch);
    let first = home.ensure(&launch).await;
    both_run(&home).await;
    // The server is found again by the next life of the member, so that it was never proven dead.
    kill_hard(first.pid.unwrap().cast_signed());
    home.until("postgres-1", |report| runs_as_another(report, first.pid))
        .await;
    assert_eq!(etcd.count(), 0);
    home.stop("postgres-1").await;
    until("asked", || etcd.count() > 0).await;
}
