//! A real Kafka of one broker: one for the tests of a process, or one of its own for a test that stops it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use nova_service::config::{Address, KafkaConfig};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{Header, Message, OwnedHeaders, OwnedMessage};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::{Offset, TopicPartitionList};
use tokio::sync::{Mutex, OnceCell};
use tokio::task::spawn_blocking;
use uuid::Uuid;

use crate::port::free_port;
use crate::server::{self, Server};
use crate::workplace;

const JARS: &str = "kafka-4.4.0";
const ASK: Duration = Duration::from_secs(5);
const WHOLE: Duration = Duration::from_secs(30);
const JAVA: [&str; 9] = [
    "-Xms32m",
    "-Xmx256m",
    "-Xss512k",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:-UsePerfData",
    "-Xshare:auto",
    "-Xlog:disable",
    "-Djava.awt.headless=true",
];

/// A running broker, which is its own controller.
#[derive(Debug)]
pub struct Kafka {
    port: u16,
    server: Mutex<Server>,
}

impl Kafka {
    /// The broker that all tests of this process share.
    pub async fn shared() -> &'static Self {
        static SHARED: OnceCell<Kafka> = OnceCell::const_new();
        SHARED.get_or_init(Self::start).await
    }

    /// A broker of the test's own, which it may stop.
    pub async fn start() -> Self {
        let directory = workplace::create("kafka");
        let (port, controller) = (free_port(), free_port());
        let properties = directory.join("server.properties");
        std::fs::write(&properties, settings(&directory, port, controller)).expect("cannot write Kafka's settings");
        std::fs::write(directory.join("log4j2.properties"), LOGGING).expect("cannot write Kafka's settings");
        let java = java(&directory);
        let format = [
            "kafka.tools.StorageTool",
            "format",
            "--standalone",
            "--config=server.properties",
        ];
        let id = format!("--cluster-id={}", cluster_id());
        let arguments: Vec<String> = java[1..]
            .iter()
            .cloned()
            .chain(format.map(str::to_owned))
            .chain([id])
            .collect();
        spawn_blocking({
            let (directory, program) = (directory.clone(), java[0].clone());
            move || {
                let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
                server::run(&directory, program.as_ref(), &arguments);
            }
        })
        .await
        .expect("Kafka's directory cannot be formatted");
        let command = java
            .into_iter()
            .chain(["kafka.Kafka", "server.properties"].map(str::to_owned));
        let server = Server::new(directory, command.collect(), "KILL");
        let this = Self {
            port,
            server: Mutex::new(server),
        };
        this.restart().await;
        this
    }

    /// Kills the broker.
    pub async fn stop(&self) {
        self.server.lock().await.stop("KILL").await;
    }

    /// Starts the broker again after [`Self::stop`].
    pub async fn restart(&self) {
        let mut server = self.server.lock().await;
        server.start();
        server
            .ready(async || {
                let client = self.client();
                spawn_blocking(move || {
                    let consumer: BaseConsumer = client.create()?;
                    let metadata = consumer.fetch_metadata(None, Duration::from_secs(1))?;
                    let id = consumer.client().fetch_cluster_id(Duration::from_secs(1));
                    if metadata.brokers().is_empty() || id.is_none() {
                        return Err(KafkaError::MetadataFetch(
                            rdkafka::error::RDKafkaErrorCode::AllBrokersDown,
                        ));
                    }
                    Ok(())
                })
                .await
                .expect("asking for metadata does not panic")
            })
            .await;
    }

    /// What a service is told to use this broker.
    pub fn config(&self) -> KafkaConfig {
        KafkaConfig {
            brokers: vec![Address {
                host: "127.0.0.1".to_owned(),
                port: self.port,
            }],
        }
    }

    /// A topic of a name of its own.
    pub async fn topic(&self, name: &str, partitions: i32) -> &'static str {
        let name: &'static str = Box::leak(format!("{name}.{}", Uuid::new_v4().simple()).into_boxed_str());
        self.create_topic(name, partitions).await;
        name
    }

    /// A topic of exactly this name.
    pub async fn create_topic(&self, name: &str, partitions: i32) {
        let admin = self.admin();
        let wanted = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
        let made = admin
            .create_topics([&wanted], &limits())
            .await
            .expect("Kafka makes no topic");
        made[0]
            .as_ref()
            .unwrap_or_else(|error| panic!("topic {name}: {error:?}"));
        spawn_blocking(move || drop(admin));
    }

    /// Removes a topic.
    pub async fn delete_topic(&self, name: &str) {
        let admin = self.admin();
        let gone = admin
            .delete_topics(&[name], &limits())
            .await
            .expect("Kafka removes no topic");
        gone[0]
            .as_ref()
            .unwrap_or_else(|error| panic!("topic {name}: {error:?}"));
        spawn_blocking(move || drop(admin));
    }

    /// Writes records in order, each given as partition, key, headers and body.
    pub async fn write(&self, topic: &str, records: &[TestRecord]) {
        let producer: FutureProducer = self
            .client()
            .set("acks", "all")
            .set("enable.idempotence", "true")
            .set("message.timeout.ms", "30000")
            .create()
            .expect("a producer can be made");
        let mut sent = Vec::new();
        for record in records {
            let mut headers = OwnedHeaders::new();
            for (key, value) in &record.headers {
                headers = headers.insert(Header {
                    key,
                    value: Some(value.as_bytes()),
                });
            }
            let mut out = FutureRecord::<[u8], [u8]>::to(topic)
                .partition(record.partition)
                .headers(headers);
            if let Some(key) = &record.key {
                out = out.key(key);
            }
            if let Some(body) = &record.body {
                out = out.payload(body);
            }
            sent.push(
                producer
                    .send_result(out)
                    .map_err(|(error, _)| error)
                    .expect("the queue has room"),
            );
        }
        for sent in sent {
            let delivered = sent.await.expect("the producer lives");
            delivered.map_err(|(error, _)| error).expect("Kafka takes the record");
        }
        spawn_blocking(move || drop(producer));
    }

    /// Everything that a topic holds, as committed, by partition.
    pub async fn read(&self, topic: &str) -> Vec<OwnedMessage> {
        let (client, topic) = (self.client(), topic.to_owned());
        spawn_blocking(move || read(client, &topic))
            .await
            .expect("reading does not panic")
    }

    fn client(&self) -> ClientConfig {
        let mut client = ClientConfig::new();
        client
            .set("bootstrap.servers", format!("127.0.0.1:{}", self.port))
            .set("group.id", "nova-testkit")
            .set("enable.auto.commit", "false")
            .set("isolation.level", "read_committed")
            .set("enable.partition.eof", "true")
            .set("broker.address.family", "v4")
            .set("allow.auto.create.topics", "false")
            .set_log_level(RDKafkaLogLevel::Emerg);
        client
    }

    fn admin(&self) -> AdminClient<DefaultClientContext> {
        self.client().create().expect("an admin client can be made")
    }
}

/// A record to be written.
#[derive(Clone, Debug, Default)]
pub struct TestRecord {
    /// Where to.
    pub partition: i32,
    /// Its key.
    pub key: Option<Vec<u8>>,
    /// Its headers.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: Option<Vec<u8>>,
}

fn read(mut client: ClientConfig, topic: &str) -> Vec<OwnedMessage> {
    let consumer: BaseConsumer = client
        .set("auto.offset.reset", "earliest")
        .create()
        .expect("a consumer can be made");
    let metadata = consumer.fetch_metadata(None, ASK).expect("Kafka tells of its topics");
    let partitions = metadata
        .topics()
        .iter()
        .find(|there| there.name() == topic)
        .map_or(0, |there| there.partitions().len());
    let mut list = TopicPartitionList::new();
    for partition in 0..i32::try_from(partitions).unwrap_or_default() {
        list.add_partition_offset(topic, partition, Offset::Beginning)
            .expect("an offset can be set");
    }
    consumer.assign(&list).expect("partitions can be assigned");
    let deadline = std::time::Instant::now() + WHOLE;
    let (mut found, mut ended) = (Vec::new(), 0);
    while ended < partitions {
        assert!(
            std::time::Instant::now() < deadline,
            "{topic} cannot be read to its end"
        );
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => found.push(message.detach()),
            Some(Err(KafkaError::PartitionEOF(_))) => ended += 1,
            Some(Err(_)) | None => {}
        }
    }
    found.sort_by_key(|message| (message.partition(), message.offset()));
    found
}

fn limits() -> AdminOptions {
    AdminOptions::new()
        .request_timeout(Some(WHOLE))
        .operation_timeout(Some(WHOLE))
}

/// 22 characters that are the Base64 of 16 bytes; what begins with a letter is no option.
fn cluster_id() -> String {
    format!("t{}A", &Uuid::new_v4().simple().to_string()[..20])
}

const LOGGING: &str = "\
rootLogger.level=warn
rootLogger.appenderRef.out.ref=out
appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d{ISO8601} %p %c{1} %m%n
";

fn settings(directory: &Path, port: u16, controller: u16) -> String {
    format!(
        "\
process.roles=broker,controller
node.id=1
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
controller.quorum.bootstrap.servers=127.0.0.1:{controller}
log.dirs={}
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=3
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=3
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1
group.initial.rebalance.delay.ms=0
# Tests kill members of groups, and do not wait long for the others.
group.min.session.timeout.ms=500
num.network.threads=1
num.io.threads=2
background.threads=1
log.cleaner.dedupe.buffer.size=8388608
",
        directory.join("data").display()
    )
}

/// Java with everything but a main class.
fn java(directory: &Path) -> Vec<String> {
    let jars = jars();
    let mut names: Vec<String> = std::fs::read_dir(&jars)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path().display().to_string())
        .filter(|path| path.ends_with(".jar"))
        .collect();
    // In order: the class archive counts only for the very class path that it was made with.
    names.sort();
    let mut words = vec!["java".to_owned()];
    words.extend(JAVA.map(str::to_owned));
    words.push(format!("-XX:SharedArchiveFile={}", jars.join("kafka.jsa").display()));
    words.push(format!("-Djava.io.tmpdir={}", directory.display()));
    words.push("-Dlog4j2.configurationFile=log4j2.properties".to_owned());
    words.push("-cp".to_owned());
    words.push(names.join(":"));
    words
}

/// Where Kafka is installed.
fn jars() -> PathBuf {
    let home = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/share/nova"));
    let places = ["/usr/local/lib/nova".into()].into_iter().chain(home);
    let mut places = places.map(|place| place.join(JARS));
    places
        .find(|place| place.is_dir())
        .expect("Kafka is not installed; `./nova doctor --install` installs it")
}
