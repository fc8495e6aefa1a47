//! A real HAProxy with the configuration of one machine, against clients who wish it ill and members who fail.

use nova_platform::endpoints::HostPort;
use sqlx::ConnectOptions;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::gateway::{ADDRESS, Gateway, connect};
use crate::support::postgres::Postgres;

/// What it takes to use up all that the gateway accepts, but a few.
const IDLE: usize = 1_990;

async fn login(postgres: &Postgres, at: HostPort) -> Result<(), sqlx::Error> {
    let connecting = PgConnectOptions::new_without_pgpass()
        .host(&at.host)
        .port(at.port)
        .username("postgres")
        .password(postgres.secrets.reveal("postgres-superuser").unwrap())
        .database("postgres")
        .ssl_mode(PgSslMode::Disable);
    let deadline = std::time::Duration::from_secs(20);
    let mut connection = tokio::time::timeout(deadline, connecting.connect())
        .await
        .map_err(|_| sqlx::Error::PoolTimedOut)??;
    sqlx::query("select 1").execute(&mut connection).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_sockets_at_one_door_shut_no_other() {
    let postgres = Postgres::start().await;
    let gateway = Gateway::start(Some(&postgres.address)).await;
    let mut idle = Vec::new();
    for number in 0..IDLE {
        // Many clients, none of which has much.
        let from = format!("127.0.1.{}", number % 200 + 1);
        if let Ok(stream) = connect(&from, gateway.door()).await {
            idle.push(stream);
        }
    }
    assert!(idle.len() > 1_000, "{}", idle.len());
    for port in [gateway.spec.gateway.primary_port, gateway.spec.gateway.replicas_port] {
        login(&postgres, HostPort::new(ADDRESS, port)).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_client_alone_does_not_shut_a_door() {
    let gateway = Gateway::start(None).await;
    let mut idle = Vec::new();
    for _ in 0..IDLE {
        if let Ok(stream) = connect("127.0.1.1", gateway.door()).await {
            idle.push(stream);
        }
    }
    // Beyond its share it is refused, and everyone else is served meanwhile.
    assert!(!gateway.get("127.0.1.1").await.starts_with("HTTP/1.1 200"));
    assert!(gateway.get("127.0.1.2").await.starts_with("HTTP/1.1 200"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_body_takes_no_place_at_a_member() {
    let gateway = Gateway::start(None).await;
    let before: usize = gateway.members.iter().map(|member| member.seen().len()).sum();
    let mut slow = Vec::new();
    for _ in 0..20 {
        let mut stream = connect("127.0.1.1", gateway.door()).await.unwrap();
        let part = "POST /slow HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{";
        stream.write_all(part.as_bytes()).await.unwrap();
        slow.push(stream);
    }
    assert!(gateway.get("127.0.1.2").await.starts_with("HTTP/1.1 200"));
    let arrived: usize = gateway.members.iter().map(|member| member.seen().len()).sum();
    assert_eq!(arrived - before, 1, "only what was sent whole arrives");
    // It is told so when its time is up, in the form of every other error.
    let mut answer = String::new();
    let deadline = std::time::Duration::from_secs(60);
    let reading = slow[0].read_to_string(&mut answer);
    assert!(tokio::time::timeout(deadline, reading).await.is_ok());
    assert!(
        answer.starts_with("HTTP/1.1 408") && answer.contains("application/problem+json"),
        "{answer}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_fails_at_once_attracts_nobody() {
    let gateway = Gateway::start(None).await;
    gateway.members[0].says(503);
    // What may be repeated is, at the other member.
    for _ in 0..20 {
        assert!(gateway.get("127.0.1.1").await.starts_with("HTTP/1.1 200"));
    }
    // Of the rest it gets its turn and no more.
    let mut failed = 0;
    for _ in 0..20 {
        failed += usize::from(!gateway.post("127.0.1.1").await.starts_with("HTTP/1.1 200"));
    }
    assert!(failed <= 14, "{failed} of 20");
    // When all fail, the members' own answer is what clients see.
    gateway.members[1].says(503);
    assert!(gateway.get("127.0.1.1").await.starts_with("HTTP/1.1 503"));
}

#[tokio::test(flavor = "multi_thread")]
async fn members_learn_who_the_client_is_from_the_gateway_alone() {
    let gateway = Gateway::start(None).await;
    let forged = "GET /who HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-forwarded-for: 192.0.2.1\r\n\
        X-Forwarded-For: 192.0.2.2\r\nforwarded: for=192.0.2.3\r\n\r\n";
    assert!(gateway.ask("127.0.1.7", forged).await.starts_with("HTTP/1.1 200"));
    let seen = gateway.members.iter().flat_map(|member| member.seen());
    let seen: Vec<_> = seen.filter(|seen| seen.head.starts_with("get /who")).collect();
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].head.matches("forwarded").count(), 1, "{}", seen[0].head);
    assert!(seen[0].head.contains("x-forwarded-for: 127.0.1.7"), "{}", seen[0].head);
    assert_eq!(
        seen[0].peer.to_string(),
        ADDRESS,
        "members tell the gateway by its address"
    );
}
