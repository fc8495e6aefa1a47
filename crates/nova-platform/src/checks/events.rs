//! One event end to end: committed in PostgreSQL, it is read from Kafka as committed. By this the publisher is proved, which members
//! that say that they are ready are not.

use std::time::Duration;

use nova_events::topics::probe::{ProbeEvent, Sent};
use nova_events::{Envelope, Event, PREFIX, PROBE, Written};
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};
use sqlx::Connection;
use time::OffsetDateTime;
use tokio::task::spawn_blocking;
use tokio::time::Instant;
use uuid::Uuid;

use super::{CheckKind, CheckResult, Depth};
use crate::bounded::{self, Stage, Verdict};
use crate::components::Kind;
use crate::endpoints::Endpoints;
use crate::events::publisher;
use crate::postgres_login::{Login, explain};
use crate::provision::{SUPERUSER_SECRET, password};
use crate::secrets::Secrets;
use crate::spec::Spec;

/// Longest single wait inside librdkafka.
const POLL: Duration = Duration::from_millis(100);

/// The check of a service that publishes events; `None` for others, and where it is not asked for.
pub(super) async fn check(
    spec: &Spec,
    endpoints: &Endpoints,
    secrets: &Secrets,
    service: &str,
    depth: Depth,
    until: Instant,
) -> Option<CheckResult> {
    let (_, database) = publisher(spec).filter(|(name, _)| *name == service && depth == Depth::Full)?;
    let found = bounded::check(CheckKind::Event, until, async |stage| {
        end_to_end(endpoints, secrets, &database, &stage).await
    });
    Some(found.await)
}

async fn end_to_end(endpoints: &Endpoints, secrets: &Secrets, database: &str, stage: &Stage) -> Verdict {
    stage.enter(format!("Kafka to say where topic {} ends", PROBE.name));
    let bootstrap: Vec<_> = endpoints
        .of(Kind::Kafka)
        .iter()
        .map(|member| member.address.to_string())
        .collect();
    let (bootstrap, limit) = (bootstrap.join(","), stage.remaining());
    let consumer = blocking(move || at_end(&bootstrap, limit)).await?;

    stage.enter(format!("an event to be committed in database {database}"));
    let superuser = Login::superuser(password(secrets, SUPERUSER_SECRET).map_err(|error| error.to_string())?);
    let probe = Uuid::now_v7().to_string();
    emit(&superuser, endpoints, database, &probe, stage)
        .await
        .map_err(|error| format!("an event could not be committed in database {database}: {error}"))?;

    stage.enter(format!(
        "the event, which is committed, to be read from topic {}",
        PROBE.name
    ));
    let until = std::time::Instant::now() + stage.remaining();
    blocking(move || read(&consumer, &probe, until)).await
}

async fn emit(
    superuser: &Login,
    endpoints: &Endpoints,
    database: &str,
    probe: &str,
    stage: &Stage,
) -> Result<(), String> {
    let event = ProbeEvent::from(Sent {
        probe: probe.to_owned(),
    });
    let written = Written {
        topic: PROBE.name.to_owned(),
        envelope: Envelope {
            id: Uuid::now_v7(),
            kind: event.kind().to_owned(),
            source: "/nova".to_owned(),
            subject: event.subject(),
            time: OffsetDateTime::now_utc(),
            traceparent: None,
        },
        body: serde_json::to_vec(&event).map_err(|error| error.to_string())?,
    };
    let content = written.encode().map_err(|error| error.to_string())?;
    let of = |error| explain(&error);
    let primary = &endpoints.primary;
    let mut session = superuser
        .connect(primary, database, stage.remaining())
        .await
        .map_err(of)?;
    sqlx::query("select pg_logical_emit_message(true, $1, $2)")
        .bind(PREFIX)
        .bind(content)
        .execute(&mut session)
        .await
        .map_err(of)?;
    session.close().await.map_err(of)
}

/// A reader of what comes from now on.
fn at_end(bootstrap: &str, limit: Duration) -> Result<BaseConsumer, String> {
    let of = |error: KafkaError| format!("topic {} cannot be read: {error}", PROBE.name);
    let consumer: BaseConsumer = ClientConfig::new()
        .set("client.id", "nova-check")
        .set("group.id", "nova-check")
        .set("bootstrap.servers", bootstrap)
        .set("broker.address.family", "v4")
        .set("enable.metrics.push", "false")
        .set("enable.auto.commit", "false")
        .set("isolation.level", "read_committed")
        .set("allow.auto.create.topics", "false")
        .set("fetch.wait.max.ms", "50")
        .set_log_level(RDKafkaLogLevel::Emerg)
        .create()
        .map_err(of)?;
    let (_, end) = consumer.fetch_watermarks(PROBE.name, 0, limit).map_err(of)?;
    let mut assignment = TopicPartitionList::new();
    assignment
        .add_partition_offset(PROBE.name, 0, Offset::Offset(end))
        .map_err(of)?;
    consumer.assign(&assignment).map_err(of)?;
    Ok(consumer)
}

fn read(consumer: &BaseConsumer, probe: &str, until: std::time::Instant) -> Verdict {
    loop {
        let left = until.saturating_duration_since(std::time::Instant::now());
        if left.is_zero() {
            return Err("an event was committed in PostgreSQL, and nobody published it in time".to_owned());
        }
        if let Some(Ok(record)) = consumer.poll(left.min(POLL)) {
            let sent: Option<Sent> = record.payload().and_then(|body| serde_json::from_slice(body).ok());
            if sent.is_some_and(|sent| sent.probe == probe) {
                return Ok(());
            }
        }
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, String> + Send + 'static) -> Result<T, String> {
    let done = spawn_blocking(work).await;
    done.map_err(|error| format!("the Kafka client failed: {error}"))?
}
