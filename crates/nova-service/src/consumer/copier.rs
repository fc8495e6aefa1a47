//! What was put aside is shown in Kafka as well, on `<topic>.dlq`, for whoever has no way into the service's schema. PostgreSQL is
//! the truth; this is a compacted copy with one key for each record that was put aside, and nothing when it is not any more. So a copy
//! that is sent twice says the same.

use std::time::Duration;

use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};
use sqlx::PgConnection;
use tokio::task::spawn_blocking;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::kafka::{self, Apply};
use super::postgres::{COPIED_AT_ONCE, Kept, copied, uncopied};
use crate::Postgres;
use crate::config::KafkaConfig;

const EVERY: Duration = Duration::from_secs(2);
/// Less than PostgreSQL lets a transaction be idle, which holds off other members meanwhile.
const DELIVERY: Duration = Duration::from_millis(1500);
const PRODUCER: [(&str, &str); 4] = [
    ("client.id", "nova-dead-letters"),
    ("acks", "all"),
    ("linger.ms", "0"),
    ("message.timeout.ms", "1500"),
];

/// Copies until `stop`.
pub(super) async fn copy(consumer: &'static str, postgres: Postgres, kafka: KafkaConfig, stop: CancellationToken) {
    let mut producer: Option<FutureProducer> = None;
    let copying = async {
        let mut last = String::new();
        loop {
            match some(consumer, &postgres, &kafka, &mut producer).await {
                // There may be more.
                Ok(true) => continue,
                Ok(false) => last.clear(),
                Err(error) => {
                    let error = format!("{error:#}");
                    if error != last {
                        tracing::warn!(
                            consumer,
                            error,
                            "dead letters are not shown in Kafka; they are kept in the database"
                        );
                        last = error;
                    }
                }
            }
            sleep(EVERY).await;
        }
    };
    stop.run_until_cancelled(copying).await;
    // Ending librdkafka's threads takes its time, which no runtime thread has.
    spawn_blocking(move || drop(producer));
}

/// Copies some, and says whether there may be more.
async fn some(
    consumer: &'static str,
    postgres: &Postgres,
    kafka: &KafkaConfig,
    kept: &mut Option<FutureProducer>,
) -> anyhow::Result<bool> {
    let mut transaction = postgres.primary()?.begin().await?;
    let connection: &mut PgConnection = &mut transaction;
    // One member at a time, so that an older state is never sent after a newer one.
    let mine: bool =
        sqlx::query_scalar("select pg_try_advisory_xact_lock(hashtext(current_schema() || '.dlq.' || $1))")
            .bind(consumer)
            .fetch_one(&mut *connection)
            .await?;
    if !mine {
        return Ok(false);
    }
    let letters = uncopied(&mut *connection, consumer).await?;
    if letters.is_empty() {
        return Ok(false);
    }
    let producer = match kept {
        Some(producer) => producer,
        None => kept.insert(kafka::base(kafka).apply(&PRODUCER).create()?),
    };
    let mut sending = Vec::new();
    for letter in &letters {
        let (topic, key) = (format!("{}.dlq", letter.topic), key(consumer, letter));
        let mut record = FutureRecord::to(&topic).key(&key).headers(headers(consumer, letter));
        if letter.state != "gone" {
            record = record.payload(letter.body.as_deref().unwrap_or_default());
        }
        sending.push(producer.send_result(record).map_err(|(error, _)| error)?);
    }
    let until = tokio::time::Instant::now() + DELIVERY + DELIVERY / 2;
    for (letter, sent) in letters.iter().zip(sending) {
        tokio::time::timeout_at(until, sent)
            .await??
            .map_err(|(error, _)| error)?;
        copied(&mut *connection, letter).await?;
    }
    crate::commit(transaction).await?;
    Ok(i64::try_from(letters.len()).is_ok_and(|count| count == COPIED_AT_ONCE))
}

/// One for each record that a consumer put aside.
fn key(consumer: &str, letter: &Kept) -> String {
    format!(
        "{consumer}/{}/{}/{}",
        letter.topic, letter.partition, letter.record_offset
    )
}

/// Those of the record, and why it is here.
fn headers(consumer: &str, letter: &Kept) -> OwnedHeaders {
    let record = letter.record();
    let mut headers = OwnedHeaders::new();
    for (key, value) in &record.headers {
        // A name with a zero byte in it ends there for librdkafka's binding, by a panic.
        if !key.contains('\0') {
            headers = headers.insert(Header {
                key,
                value: value.as_deref(),
            });
        }
    }
    let more = [
        ("nova_dlq_consumer", consumer.to_owned()),
        ("nova_dlq_state", letter.state.clone()),
        ("nova_dlq_reason", letter.reason.clone()),
        ("nova_dlq_attempts", letter.attempts.to_string()),
        ("nova_dlq_topic", letter.topic.clone()),
        ("nova_dlq_partition", letter.partition.to_string()),
        ("nova_dlq_offset", letter.record_offset.to_string()),
    ];
    for (key, value) in &more {
        headers = headers.insert(Header {
            key,
            value: Some(value.as_bytes()),
        });
    }
    if let Some(key) = &letter.key {
        headers = headers.insert(Header {
            key: "nova_dlq_key",
            value: Some(key.as_slice()),
        });
    }
    headers
}
