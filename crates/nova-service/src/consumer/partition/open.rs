//! Finding the place: what is stored, whether Kafka still has it, and reading from there.

use std::time::Duration;

use rdkafka::Offset;
use rdkafka::consumer::Consumer;
use rdkafka::error::KafkaError;
use tokio::task::spawn_blocking;

use super::{FIRST, LONGEST, Reader};
use crate::backoff::Backoff;
use crate::consumer::health::State;
use crate::consumer::{Offered, SinkError};

/// How long one question to Kafka may take.
const ASK: Duration = Duration::from_secs(2);

/// What Kafka has of a partition.
struct Range {
    cluster: String,
    first: i64,
    end: i64,
}

impl Reader {
    /// Has the partition read from its place on, and returns that; `None` when it was stopped before.
    pub(super) async fn open(&self) -> Option<i64> {
        let mut backoff = Backoff::new(FIRST, LONGEST);
        loop {
            let opened = self.stop.run_until_cancelled(self.try_open()).await?;
            let state = match opened {
                Ok(from) => return Some(from),
                Err(SinkError::Halted(reason)) => State::Halted(reason),
                Err(error) => State::Waiting(error.to_string()),
            };
            self.wait(state, &mut backoff).await.ok()?;
        }
    }

    async fn try_open(&self) -> Result<i64, SinkError> {
        let range = self.ask().await?;
        let offered = Offered {
            cluster: range.cluster,
            first: range.first,
        };
        let from = self.shared.sink.position(&self.place, &offered).await?;
        let consumer = self.place.consumer;
        if from < range.first {
            return Err(SinkError::Halted(format!(
                "its place is {from}, and Kafka has only what comes from {} on: events were removed before they were read; \
                 `nova events reset {consumer}` begins with what is left",
                range.first
            )));
        }
        if from > range.end {
            return Err(SinkError::Halted(format!(
                "its place is {from}, and the partition ends at {}: the topic was made anew or has lost events; \
                 `nova events reset {consumer}` begins with what is there",
                range.end
            )));
        }
        self.seek(from).await?;
        Ok(from)
    }

    /// Which cluster it is, and what it has of the partition.
    async fn ask(&self) -> Result<Range, SinkError> {
        let (member, (topic, partition)) = (self.member.clone(), self.partition.clone());
        let asking = spawn_blocking(move || {
            let range = member.fetch_watermarks(&topic, partition, ASK)?;
            Ok::<_, KafkaError>((member.client().fetch_cluster_id(ASK), range))
        });
        let (cluster, (first, end)) = asking
            .await
            .map_err(|error| SinkError::Unavailable(error.to_string()))?
            .map_err(|error| SinkError::Unavailable(format!("Kafka does not say what it has of it: {error}")))?;
        let cluster =
            cluster.ok_or_else(|| SinkError::Unavailable("Kafka does not say which cluster it is".to_owned()))?;
        Ok(Range { cluster, first, end })
    }

    /// What was read ahead from elsewhere is thrown away by librdkafka.
    async fn seek(&self, from: i64) -> Result<(), SinkError> {
        let (member, (topic, partition)) = (self.member.clone(), self.partition.clone());
        let seeking = spawn_blocking(move || member.seek(&topic, partition, Offset::Offset(from), ASK));
        let done = seeking
            .await
            .map_err(|error| SinkError::Unavailable(error.to_string()))?;
        // A partition that was just assigned is not read yet, and cannot be told where to read.
        done.map_err(|error| SinkError::Unavailable(format!("the partition is not read yet: {error}")))
    }
}
