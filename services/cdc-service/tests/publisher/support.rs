//! The stage: a PostgreSQL with a slot, a Kafka with all topics, and members of cdc-service as processes.

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nova_events::{TOPICS, Version};
use nova_testkit::{Kafka, Postgres, free_port};
use rdkafka::message::{Headers, Message, OwnedMessage};
use serde_json::Value;
use sqlx::{AssertSqlSafe, PgPool};
use tokio::time::{Instant, sleep};

pub(crate) const SLOT: &str = "nova_events";
const DEADLINE: Duration = Duration::from_secs(60);

/// See the module.
pub(crate) struct Stage {
    pub(crate) postgres: Postgres,
    pub(crate) kafka: Kafka,
    pub(crate) pool: PgPool,
    address: String,
    database: String,
    password: tempfile::NamedTempFile,
}

impl Stage {
    pub(crate) async fn new() -> Self {
        let (postgres, kafka) = tokio::join!(Postgres::start(), Kafka::start());
        for topic in TOPICS {
            kafka.create_topic(topic.name, 1).await;
        }
        let of = postgres.database("events").await;
        let (pool, config) = (of.superuser(), of.config());
        let stage = Self {
            address: config.primary.to_string(),
            database: config.database,
            pool,
            postgres,
            kafka,
            password: tempfile::NamedTempFile::new().unwrap(),
        };
        std::fs::write(stage.password.path(), "cdc").unwrap();
        for statement in [
            "create role cdc login replication password 'cdc'",
            "grant pg_monitor to cdc",
            "create publication nova_events",
            "create table written (writer int, number int)",
        ] {
            stage.sql(statement).await;
        }
        stage
            .sql(&format!("grant connect on database {} to cdc", stage.database))
            .await;
        stage.make_slot().await;
        stage
    }

    pub(crate) async fn sql(&self, statement: &str) {
        let done = sqlx::raw_sql(AssertSqlSafe(statement.to_owned()))
            .execute(&self.pool)
            .await;
        done.unwrap_or_else(|error| panic!("`{statement}` failed: {error}"));
    }

    pub(crate) async fn make_slot(&self) {
        self.sql(&format!(
            "select pg_create_logical_replication_slot('{SLOT}', 'pgoutput')"
        ))
        .await;
    }

    /// A member that works or stands by.
    pub(crate) fn member(&self, further: &[&str]) -> Member {
        Member::start(self, further)
    }

    /// What the topic of probes holds, as committed, in order: the version, and what was sent.
    pub(crate) async fn probes(&self) -> Vec<(Version, String)> {
        let records = self.kafka.read(nova_events::PROBE.name).await;
        records.iter().map(|record| (version(record), probe(record))).collect()
    }

    /// Waits until so many probes are there.
    pub(crate) async fn until_probes(&self, count: usize) -> Vec<(Version, String)> {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let probes = self.probes().await;
            if probes.len() >= count {
                return probes;
            }
            assert!(Instant::now() < deadline, "{} of {count} probes came", probes.len());
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// The epochs that were begun, and why.
    pub(crate) async fn epochs(&self) -> Vec<(u64, String)> {
        let records = self.kafka.read(nova_events::EPOCHS.name).await;
        let told = |record: &OwnedMessage| {
            let body: Value = serde_json::from_slice(record.payload().unwrap()).unwrap();
            (
                body["epoch"].as_u64().unwrap(),
                body["reason"].as_str().unwrap().to_owned(),
            )
        };
        records.iter().map(told).collect()
    }
}

/// A process of cdc-service; it ends with the test.
pub(crate) struct Member {
    process: Child,
    api: SocketAddr,
}

impl Member {
    fn start(stage: &Stage, further: &[&str]) -> Self {
        let (api, operations) = (free_port(), free_port());
        let mut command = Command::new(env!("CARGO_BIN_EXE_cdc-service"));
        command
            .arg(format!("--listen=127.0.0.1:{api}"))
            .arg(format!("--operations-listen=127.0.0.1:{operations}"))
            .arg(format!("--database-primary={}", stage.address))
            .arg(format!("--database-name={}", stage.database))
            .arg("--database-user=cdc")
            .arg("--database-password-file")
            .arg(stage.password.path())
            .arg(format!("--kafka-brokers={}", stage.kafka.config().bootstrap()))
            .args(further)
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        Self {
            process: command.spawn().expect("cdc-service starts"),
            api: SocketAddr::from(([127, 0, 0, 1], api)),
        }
    }

    pub(crate) fn id(&self) -> nix::unistd::Pid {
        nix::unistd::Pid::from_raw(self.process.id().try_into().unwrap())
    }

    pub(crate) fn kill(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    /// Whether it ended by itself.
    pub(crate) fn ended(&mut self) -> bool {
        self.process.try_wait().unwrap().is_some()
    }

    pub(crate) async fn until_ended(&mut self) {
        let deadline = Instant::now() + DEADLINE;
        while !self.ended() {
            assert!(Instant::now() < deadline, "the member goes on");
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// What it says of itself; nothing while it does not answer.
    pub(crate) async fn shown(&self) -> Option<Value> {
        let url = format!("http://{}/api/v1/events/publisher", self.api);
        let client = reqwest::Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(2))
            .build()
            .unwrap();
        client.get(url).send().await.ok()?.json().await.ok()
    }

    /// Waits until it says this of itself.
    pub(crate) async fn until(&self, wanted: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + DEADLINE;
        let mut last = None;
        loop {
            if let Some(shown) = self.shown().await {
                if wanted(&shown) {
                    return shown;
                }
                last = Some(shown);
            }
            assert!(Instant::now() < deadline, "the member last said {last:?}");
            sleep(Duration::from_millis(50)).await;
        }
    }

    pub(crate) async fn until_role(&self, role: &str) -> Value {
        self.until(|shown| shown["role"] == role).await
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.kill();
    }
}

fn version(record: &OwnedMessage) -> Version {
    let headers = record.headers().unwrap();
    let pairs: Vec<_> = headers.iter().map(|header| (header.key, header.value)).collect();
    Version::from_headers(pairs).unwrap()
}

fn probe(record: &OwnedMessage) -> String {
    let body: Value = serde_json::from_slice(record.payload().unwrap()).unwrap();
    body["probe"].as_str().unwrap().to_owned()
}
