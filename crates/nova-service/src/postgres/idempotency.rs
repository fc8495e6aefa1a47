//! Idempotency keys, kept in the service's own schema and in the same transaction as the write that they name.

use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::future::BoxFuture;
use serde::Serialize;
use sha2::{Digest, Sha256};
use sqlx::{Connection, PgConnection};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{DatabaseError, Postgres};
use crate::http::{IdempotencyKey, Problem, codes};

/// Marks an answer that was given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
/// Keys are forgotten after a day, a batch at a time.
const BATCH: i64 = 1000;
const CLEANING: Duration = Duration::from_secs(10 * 60);

/// One attempt at a write that the client may repeat.
#[derive(Debug)]
pub struct Attempt {
    key: Option<IdempotencyKey>,
    account: Uuid,
    operation: &'static str,
    fingerprint: Vec<u8>,
}

/// The answer to a write: of this attempt, or of the first one with the same key.
#[derive(Clone, Debug)]
pub struct Answer {
    status: StatusCode,
    body: String,
    replayed: bool,
}

impl Attempt {
    /// An attempt by `account` (nil for an anonymous client) at `operation`; without a key it is just a write.
    /// `body` is what must be the same when the key is used again: the request's content, and ids from its path.
    pub fn new(
        key: Option<IdempotencyKey>,
        account: Uuid,
        operation: &'static str,
        body: &impl Serialize,
    ) -> Result<Self, Problem> {
        let json = serde_json::to_vec(body).map_err(Problem::internal)?;
        Ok(Self {
            key,
            account,
            operation,
            fingerprint: Sha256::digest(json).to_vec(),
        })
    }

    /// Runs `work` in a transaction on the primary, unless this key already has an answer; simultaneous attempts
    /// with one key wait for each other. Only a success is remembered.
    pub async fn run<T, F>(self, postgres: &Postgres, work: F) -> Result<Answer, Problem>
    where
        T: Serialize,
        F: for<'t> FnOnce(&'t mut PgConnection) -> BoxFuture<'t, Result<(StatusCode, T), Problem>> + Send,
    {
        let pool = postgres.primary()?;
        let mut transaction = pool.begin().await?;
        if let Some(answer) = self.begin(&mut transaction).await? {
            return Ok(answer);
        }
        let (status, body) = work(&mut transaction).await?;
        let answer = self.finish(&mut transaction, status, &body).await?;
        super::commit(transaction).await?;
        Ok(answer)
    }

    /// Claims the key inside the caller's transaction, or returns the answer that it already has.
    pub async fn begin(&self, connection: &mut PgConnection) -> Result<Option<Answer>, Problem> {
        let Some(key) = &self.key else { return Ok(None) };
        // A simultaneous attempt with the same key waits here until the first one has ended.
        let claimed = sqlx::query(
            "insert into idempotency_keys (account, operation, key, fingerprint) values ($1, $2, $3, $4) on conflict do nothing",
        )
        .bind(self.account)
        .bind(self.operation)
        .bind(key.as_str())
        .bind(&self.fingerprint)
        .execute(&mut *connection)
        .await?
        .rows_affected();
        if claimed == 1 {
            return Ok(None);
        }
        let (fingerprint, status, body): (Vec<u8>, Option<i16>, Option<String>) = sqlx::query_as(
            "select fingerprint, status, body from idempotency_keys where account = $1 and operation = $2 and key = $3",
        )
        .bind(self.account)
        .bind(self.operation)
        .bind(key.as_str())
        .fetch_one(&mut *connection)
        .await?;
        if fingerprint != self.fingerprint {
            return Err(Problem::new(&codes::IDEMPOTENCY_KEY_REUSED));
        }
        let status = status
            .and_then(|status| u16::try_from(status).ok())
            .and_then(|status| StatusCode::from_u16(status).ok());
        match (status, body) {
            (Some(status), Some(body)) => Ok(Some(Answer {
                status,
                body,
                replayed: true,
            })),
            _ => Err(Problem::internal("an idempotency key was committed without its answer")),
        }
    }

    /// Remembers the answer, inside the same transaction.
    pub async fn finish(
        &self,
        connection: &mut PgConnection,
        status: StatusCode,
        body: &impl Serialize,
    ) -> Result<Answer, Problem> {
        let body = serde_json::to_string(body).map_err(Problem::internal)?;
        if let Some(key) = &self.key {
            sqlx::query(
                "update idempotency_keys set status = $4, body = $5 where account = $1 and operation = $2 and key = $3",
            )
            .bind(self.account)
            .bind(self.operation)
            .bind(key.as_str())
            .bind(i16::try_from(status.as_u16()).map_err(Problem::internal)?)
            .bind(&body)
            .execute(connection)
            .await?;
        }
        Ok(Answer {
            status,
            body,
            replayed: false,
        })
    }
}

impl Answer {
    /// Whether an earlier attempt did the work.
    pub fn replayed(&self) -> bool {
        self.replayed
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let mut response = (self.status, self.body).into_response();
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if self.replayed {
            response
                .headers_mut()
                .insert(REPLAYED, HeaderValue::from_static("true"));
        }
        response
    }
}

/// Makes the table in the service's schema, as its owner.
pub(super) async fn prepare(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let mut transaction = connection.begin().await?;
    // `if not exists` alone lets two members that start together fail on each other.
    sqlx::query("select pg_advisory_xact_lock(hashtext(current_schema() || '.idempotency_keys'))")
        .execute(&mut *transaction)
        .await?;
    sqlx::raw_sql(
        "create table if not exists idempotency_keys (
             account     uuid        not null,
             operation   text        not null,
             key         text        not null,
             fingerprint bytea       not null,
             status      smallint,
             body        text,
             created_at  timestamptz not null default now(),
             primary key (account, operation, key)
         );
         create index if not exists idempotency_keys_created_at on idempotency_keys (created_at)",
    )
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await
}

/// Forgets keys older than a day, until `stop`.
pub(crate) async fn clean(postgres: Postgres, stop: CancellationToken) {
    let cleaning = async {
        loop {
            tokio::time::sleep(CLEANING).await;
            match forget(&postgres).await {
                Ok(0) => {}
                Ok(forgotten) => tracing::debug!(forgotten, "forgot old idempotency keys"),
                Err(error) => tracing::debug!(%error, "could not forget old idempotency keys"),
            }
        }
    };
    stop.run_until_cancelled(cleaning).await;
}

async fn forget(postgres: &Postgres) -> Result<u64, DatabaseError> {
    let mut total = 0;
    loop {
        let forgotten = sqlx::query(
            "delete from idempotency_keys where ctid = any (array(
                 select ctid from idempotency_keys where created_at < now() - interval '1 day' order by created_at limit $1))",
        )
        .bind(BATCH)
        .execute(postgres.primary()?)
        .await?
        .rows_affected();
        total += forgotten;
        if forgotten < BATCH.unsigned_abs() {
            return Ok(total);
        }
    }
}
