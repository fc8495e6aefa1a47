//! Clients that write while things break, through the doors that applications use, and remember what was acknowledged.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use serde_json::{Value, json};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{Connection, Executor};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::TestPlatform;

/// The topic that the ledger writes to.
const TOPIC: &str = "nova.ledger";
/// Pause between two writes of one writer.
const PACE: Duration = Duration::from_millis(20);
/// After this an answer no longer counts, and the outcome is unknown.
const PATIENCE: Duration = Duration::from_secs(15);

/// What one store acknowledged.
#[derive(Default)]
struct Book {
    next: AtomicU64,
    acknowledged: Mutex<BTreeSet<u64>>,
}

impl Book {
    fn acknowledge(&self, id: u64) {
        self.acknowledged.lock().unwrap().insert(id);
    }

    fn id(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }
}

/// Running writers.
pub(crate) struct Ledger {
    stop: Arc<AtomicBool>,
    writers: Vec<JoinHandle<()>>,
    postgres: Arc<Book>,
    kafka: Arc<Book>,
    posts: Arc<Book>,
    doors: Doors,
}

/// Where the platform is met.
#[derive(Clone)]
struct Doors {
    database: PgConnectOptions,
    bootstrap: String,
    users: String,
    token: Arc<Mutex<String>>,
}

impl Ledger {
    /// Starts writers against a healthy platform.
    pub(crate) async fn start(platform: &TestPlatform) -> Self {
        let doors = Doors {
            database: PgConnectOptions::new()
                .host(platform.gateway())
                .port(15432)
                .username("postgres")
                .password(&platform.secret("postgres-superuser"))
                .database("nova_core"),
            bootstrap: (1..=3)
                .map(|node| format!("{}:9092", platform.node(node)))
                .collect::<Vec<_>>()
                .join(","),
            users: format!("http://{}:8080", platform.gateway()),
            token: Arc::new(Mutex::new(String::new())),
        };
        let mut connection = PgConnection::connect_with(&doors.database).await.unwrap();
        connection
            .execute("create schema ledger create table entries (id bigint primary key)")
            .await
            .unwrap();
        create_topic(&doors.bootstrap).await;

        let stop = Arc::new(AtomicBool::new(false));
        let (postgres, kafka, posts) = (
            Arc::new(Book::default()),
            Arc::new(Book::default()),
            Arc::new(Book::default()),
        );
        let mut writers = Vec::new();
        let account = Account::register(platform).await;
        *doors.token.lock().unwrap() = account.access.clone();
        for _ in 0..4 {
            writers.push(tokio::spawn(write_postgres(
                doors.clone(),
                postgres.clone(),
                stop.clone(),
            )));
        }
        for _ in 0..2 {
            writers.push(tokio::spawn(write_kafka(doors.clone(), kafka.clone(), stop.clone())));
            writers.push(tokio::spawn(write_posts(doors.clone(), posts.clone(), stop.clone())));
        }
        writers.push(tokio::spawn(account.keep_fresh(doors.token.clone(), stop.clone())));
        Self {
            stop,
            writers,
            postgres,
            kafka,
            posts,
            doors,
        }
    }

    /// Acknowledged so far: PostgreSQL, Kafka, posts.
    pub(crate) fn acknowledged(&self) -> [usize; 3] {
        [&self.postgres, &self.kafka, &self.posts].map(|book| book.acknowledged.lock().unwrap().len())
    }

    /// Waits until each store has acknowledged something new.
    pub(crate) async fn progress(&self, limit: Duration) {
        let before = self.acknowledged();
        let moved = async {
            while self
                .acknowledged()
                .iter()
                .zip(before)
                .any(|(now, before)| *now <= before)
            {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let result = timeout(limit, moved).await;
        assert!(
            result.is_ok(),
            "a store acknowledged nothing for {limit:?}: {before:?}, now {:?}",
            self.acknowledged()
        );
    }

    /// Ends the writers and asserts that everything acknowledged is there, once.
    pub(crate) async fn judge(self) {
        self.stop.store(true, Ordering::Relaxed);
        for writer in self.writers {
            writer.await.unwrap();
        }
        let mut connection = PgConnection::connect_with(&self.doors.database).await.unwrap();
        let ids: Vec<i64> = sqlx::query_scalar("select id from ledger.entries")
            .fetch_all(&mut connection)
            .await
            .unwrap();
        judge(
            "PostgreSQL",
            &self.postgres,
            ids.into_iter().map(i64::cast_unsigned).collect(),
        );

        let bootstrap = self.doors.bootstrap.clone();
        let records = tokio::task::spawn_blocking(move || read_topic(&bootstrap))
            .await
            .unwrap();
        judge("Kafka", &self.kafka, records);

        let texts: Vec<String> = sqlx::query_scalar("select body from users.posts")
            .fetch_all(&mut connection)
            .await
            .unwrap();
        let posts = texts
            .iter()
            .filter_map(|text| text.strip_prefix("ledger ")?.parse().ok())
            .collect();
        judge("posts", &self.posts, posts);
    }
}

fn judge(store: &str, book: &Book, found: Vec<u64>) {
    let acknowledged = book.acknowledged.lock().unwrap();
    let once: BTreeSet<u64> = found.iter().copied().collect();
    let lost: Vec<_> = acknowledged.difference(&once).take(20).collect();
    assert!(
        lost.is_empty(),
        "{store} lost acknowledged writes, the first of them {lost:?}"
    );
    assert_eq!(once.len(), found.len(), "{store} holds a write twice");
    eprintln!(
        "{store}: {} acknowledged, {} found, none lost",
        acknowledged.len(),
        found.len()
    );
}

/// A connection that is replaced when it breaks; a write without an answer is unknown and never repeated.
async fn write_postgres(doors: Doors, book: Arc<Book>, stop: Arc<AtomicBool>) {
    let mut connection: Option<PgConnection> = None;
    while !stop.load(Ordering::Relaxed) {
        tokio::time::sleep(PACE).await;
        if connection.is_none() {
            connection = timeout(PATIENCE, PgConnection::connect_with(&doors.database))
                .await
                .ok()
                .and_then(Result::ok);
        }
        let Some(open) = &mut connection else { continue };
        let id = book.id();
        let insert = sqlx::query("insert into ledger.entries (id) values ($1)")
            .bind(id.cast_signed())
            .execute(open);
        match timeout(PATIENCE, insert).await {
            Ok(Ok(_)) => book.acknowledge(id),
            Ok(Err(_)) | Err(_) => connection = None,
        }
    }
}

async fn create_topic(bootstrap: &str) {
    use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
    let admin: AdminClient<_> = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .create()
        .unwrap();
    let topic = NewTopic::new(TOPIC, 3, TopicReplication::Fixed(3)).set("min.insync.replicas", "2");
    let options = AdminOptions::new().operation_timeout(Some(Duration::from_secs(15)));
    let results = admin.create_topics([&topic], &options).await.unwrap();
    results.into_iter().for_each(|result| drop(result.unwrap()));
}

async fn write_kafka(doors: Doors, book: Arc<Book>, stop: Arc<AtomicBool>) {
    let producer: FutureProducer = ClientConfig::new()
        .set("bootstrap.servers", &doors.bootstrap)
        .set("acks", "all")
        .set("enable.idempotence", "true")
        .set("linger.ms", "0")
        .set("delivery.timeout.ms", "60000")
        .set("topic.metadata.refresh.interval.ms", "1000")
        .create()
        .unwrap();
    while !stop.load(Ordering::Relaxed) {
        tokio::time::sleep(PACE).await;
        let id = book.id();
        let payload = id.to_string();
        let record = FutureRecord::to(TOPIC).payload(&payload).key(&payload);
        if producer.send(record, Duration::from_secs(1)).await.is_ok() {
            book.acknowledge(id);
        }
    }
}

fn read_topic(bootstrap: &str) -> Vec<u64> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", "ledger")
        .set("isolation.level", "read_committed")
        .set("enable.partition.eof", "true")
        .create()
        .unwrap();
    let mut partitions = TopicPartitionList::new();
    for partition in 0..3 {
        partitions
            .add_partition_offset(TOPIC, partition, Offset::Beginning)
            .unwrap();
    }
    consumer.assign(&partitions).unwrap();
    let mut found = Vec::new();
    let mut ended = BTreeSet::new();
    while ended.len() < 3 {
        match consumer
            .poll(Duration::from_secs(20))
            .expect("the topic cannot be read to its end")
        {
            Ok(message) => found.push(
                std::str::from_utf8(message.payload().unwrap())
                    .unwrap()
                    .parse()
                    .unwrap(),
            ),
            Err(rdkafka::error::KafkaError::PartitionEOF(partition)) => drop(ended.insert(partition)),
            Err(error) => panic!("cannot read {TOPIC}: {error}"),
        }
    }
    found
}

/// Posts through the gateway, each repeated with its idempotency key until it is answered.
async fn write_posts(doors: Doors, book: Arc<Book>, stop: Arc<AtomicBool>) {
    let client = reqwest::Client::builder().timeout(PATIENCE).build().unwrap();
    while !stop.load(Ordering::Relaxed) {
        let id = book.id();
        while !stop.load(Ordering::Relaxed) {
            tokio::time::sleep(PACE).await;
            let token = doors.token.lock().unwrap().clone();
            let request = client
                .post(format!("{}/api/v1/posts", doors.users))
                .bearer_auth(token)
                .header("Idempotency-Key", format!("ledger-{id}"))
                .json(&json!({"text": format!("ledger {id}")}));
            if request.send().await.is_ok_and(|response| response.status() == 201) {
                book.acknowledge(id);
                break;
            }
        }
    }
}

/// The account that posts.
struct Account {
    auth: String,
    access: String,
    refresh: String,
}

impl Account {
    async fn register(platform: &TestPlatform) -> Self {
        let auth = format!("http://{}:8084/api/v1/auth", platform.gateway());
        let body = json!({"email": "ledger@example.org", "password": "correct horse battery"});
        let client = reqwest::Client::new();
        let registered = client
            .post(format!("{auth}/register"))
            .json(&body)
            .send()
            .await
            .unwrap();
        assert_eq!(registered.status(), 201, "{}", registered.text().await.unwrap());
        let tokens: Value = client
            .post(format!("{auth}/login"))
            .json(&body)
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap();
        let text = |key: &str| {
            tokens[key]
                .as_str()
                .unwrap_or_else(|| panic!("no {key} in {tokens}"))
                .to_owned()
        };
        Self {
            access: text("access_token"),
            refresh: text("refresh_token"),
            auth,
        }
    }

    /// Access tokens live 15 minutes, faults may take longer.
    async fn keep_fresh(mut self, token: Arc<Mutex<String>>, stop: Arc<AtomicBool>) {
        let client = reqwest::Client::builder().timeout(PATIENCE).build().unwrap();
        let mut age = Duration::ZERO;
        let step = Duration::from_millis(500);
        while !stop.load(Ordering::Relaxed) {
            tokio::time::sleep(step).await;
            age += step;
            if age < Duration::from_secs(300) {
                continue;
            }
            let body = json!({"refresh_token": self.refresh});
            let Ok(response) = client.post(format!("{}/refresh", self.auth)).json(&body).send().await else {
                continue;
            };
            let Ok(tokens) = response.json::<Value>().await else {
                continue;
            };
            if let (Some(access), Some(refresh)) = (tokens["access_token"].as_str(), tokens["refresh_token"].as_str()) {
                access.clone_into(&mut token.lock().unwrap());
                refresh.clone_into(&mut self.refresh);
                age = Duration::ZERO;
            }
        }
    }
}
