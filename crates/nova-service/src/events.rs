//! Telling others what happened: an event is written into PostgreSQL's log by the transaction that it tells of, and published by
//! cdc-service when that is committed. What is rolled back was never told.
//!
//! No table: nothing to read, to clean, or to grant; `docs/decisions/0015` has the reasons.

use nova_events::{Envelope, Event, PREFIX, Written};
use sqlx::{Connection, PgConnection};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::DatabaseError;
use crate::telemetry::context;

/// Who tells: a service, under its own name.
#[derive(Clone, Copy, Debug)]
pub struct Teller {
    source: &'static str,
}

impl Teller {
    /// The events of this source, such as `/auth-service`.
    pub const fn new(source: &'static str) -> Self {
        Self { source }
    }

    /// Tells an event, if and when the transaction that is open on the connection is committed.
    ///
    /// # Errors
    /// When there is no transaction: what it tells of might then not happen, or might have happened without it. When the event is too
    /// large. As any statement.
    pub async fn emit<E: Event>(&self, connection: &mut PgConnection, event: &E) -> Result<(), DatabaseError> {
        self.emit_all(connection, std::slice::from_ref(event)).await
    }

    /// Tells several events, in their order.
    ///
    /// # Errors
    /// As [`Self::emit`]; none of them is told then.
    pub async fn emit_all<E: Event>(&self, connection: &mut PgConnection, events: &[E]) -> Result<(), DatabaseError> {
        if !connection.is_in_transaction() {
            return Err(refused(
                "an event can only be told in a transaction, with the change that it tells of",
            ));
        }
        if events.is_empty() {
            return Ok(());
        }
        let contents: Vec<Vec<u8>> = events
            .iter()
            .map(|event| self.written(event))
            .collect::<Result<_, _>>()?;
        sqlx::query("select pg_logical_emit_message(true, $1, content) from unnest($2::bytea[]) with ordinality as event (content, number) order by number")
            .bind(PREFIX)
            .bind(contents)
            .execute(connection)
            .await?;
        Ok(())
    }

    fn written<E: Event>(&self, event: &E) -> Result<Vec<u8>, DatabaseError> {
        let written = Written {
            topic: E::TOPIC.name.to_owned(),
            envelope: Envelope {
                id: Uuid::now_v7(),
                kind: event.kind().to_owned(),
                source: self.source.to_owned(),
                subject: event.subject(),
                time: OffsetDateTime::now_utc(),
                traceparent: context::traceparent(),
            },
            body: serde_json::to_vec(event).map_err(refused)?,
        };
        written.encode().map_err(refused)
    }
}

/// A mistake of the program, which no repetition makes good.
fn refused(reason: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> DatabaseError {
    DatabaseError::Query(sqlx::Error::Encode(reason.into()))
}
