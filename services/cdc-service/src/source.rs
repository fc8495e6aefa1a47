//! PostgreSQL: owning the slot, and with it the stream. Ownership is PostgreSQL's own: one session at a time can read a slot. Whoever
//! stands by asks again and again; whoever hangs loses it, because PostgreSQL ends a session that it hears nothing from.

mod quorum;

use std::time::Duration;

use pgwire_replication::{Lsn, PgWireError, QueryRow, ReplicationClient, ReplicationConfig};
use secrecy::ExposeSecret;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{Connection, PgConnection};
use thiserror::Error;
use tokio::time::{sleep, timeout};

pub(crate) use quorum::{Quorum, Standbys};

use crate::config::{DatabaseConfig, EventsConfig};
use crate::judge::{Server, history, lsn};

/// How long PostgreSQL may take to answer when it is asked for little.
const PATIENCE: Duration = Duration::from_secs(3);
/// How much of the stream waits in memory, in messages.
const BUFFERED: usize = 256;
/// The largest message of the stream; a larger one ends it, so what is emitted is bounded before.
const LARGEST: usize = 64 * 1024 * 1024;

/// The stream of a slot that is this member's own.
pub(crate) struct Owned {
    pub(crate) stream: ReplicationClient,
    pub(crate) quorum: Quorum,
    pub(crate) server: Server,
}

/// Why the slot is not this member's own.
#[derive(Debug, Error)]
pub(crate) enum OwnError {
    /// Another member was faster.
    #[error("another member owns the replication slot")]
    Taken,
    /// Patroni makes it when the platform's settings name it.
    #[error(
        "PostgreSQL has no replication slot {0}: Patroni makes it a few seconds after a deploy, once its database exists"
    )]
    Missing(String),
    /// It held back more log than it may, and was given up.
    #[error("the replication slot {0} is lost: it held back more of the log than max_slot_wal_keep_size")]
    Lost(String),
    /// A replica, or a leader that is one no more.
    #[error("the server behind the primary's door is no primary")]
    NoPrimary,
    /// Between two questions another server came behind the door.
    #[error("another PostgreSQL came behind the primary's door, or took the slot, while it was asked")]
    Changed,
    /// It cannot be used.
    #[error("PostgreSQL cannot be used: {0}")]
    Unusable(String),
}

impl From<PgWireError> for OwnError {
    fn from(error: PgWireError) -> Self {
        Self::Unusable(error.to_string())
    }
}

impl From<sqlx::Error> for OwnError {
    fn from(error: sqlx::Error) -> Self {
        Self::Unusable(error.to_string())
    }
}

/// What the session of the stream says before it streams.
struct Said {
    backend: i32,
    started: String,
    system: String,
    timeline: u32,
    history: Vec<crate::judge::Switch>,
}

/// Owns the slot, or says why not. As long as another member owns it this waits, on one connection: a new one each time would cost the
/// server a process and a proof of the password. `stands_by` is told each time.
pub(crate) async fn own(
    database: &DatabaseConfig,
    events: &EventsConfig,
    stands_by: impl Fn(),
) -> Result<Owned, OwnError> {
    let mut stream = ReplicationClient::connect_gated(settings(database, events)).await?;
    let said = loop {
        match within(ask(&mut stream, &events.slot)).await {
            Err(OwnError::Taken) => {
                stands_by();
                sleep(events.stand_by.mul_f64(rand::random_range(0.8..1.2))).await;
            }
            asked => break asked?,
        }
    };
    stream.start().await?;
    within(async {
        stream.wait_started().await.map_err(|error| {
            // object_in_use, whatever language the server speaks.
            if error.to_string().contains("55006") || error.to_string().contains("is active for PID") {
                OwnError::Taken
            } else {
                error.into()
            }
        })
    })
    .await?;
    let mut control = within(connect(database)).await?;
    // Asked by another connection, which may have come to another server: it is the same, and the slot is ours, if it says so.
    let (end, slot) = within(owned(&mut control, &events.slot, &said)).await?;
    Ok(Owned {
        stream,
        quorum: Quorum::new(control),
        server: Server {
            system: said.system,
            timeline: said.timeline,
            history: said.history,
            end,
            slot,
        },
    })
}

/// Removes a slot that is lost for good, so that Patroni makes it anew.
pub(crate) async fn give_up(database: &DatabaseConfig, slot: &str) -> Result<(), OwnError> {
    within(async {
        let mut control = connect(database).await?;
        sqlx::query(
            "select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = $1 and wal_status = 'lost' and not active",
        )
        .bind(slot)
        .execute(&mut control)
        .await?;
        Ok(control.close().await?)
    })
    .await
}

fn settings(database: &DatabaseConfig, events: &EventsConfig) -> ReplicationConfig {
    let timeout = events.owner_timeout;
    let mut settings = ReplicationConfig::new(
        &database.primary.host,
        &database.user,
        database.password.secret().expose_secret(),
        &database.name,
        &events.slot,
        events.publication.as_str(),
    )
    .with_port(database.primary.port)
    // Where the slot is, is where it goes on: nothing is acknowledged by starting.
    .with_start_lsn(Lsn::ZERO)
    .with_status_interval(timeout / 10)
    .with_wakeup_interval(timeout / 10)
    .with_buffer_size(BUFFERED)
    .with_options(format!(
        "-c wal_sender_timeout={}ms -c statement_timeout=0",
        timeout.as_millis()
    ));
    settings.max_message_size = LARGEST;
    settings.application_name = Some("nova-cdc".to_owned());
    settings
}

async fn ask(stream: &mut ReplicationClient, slot: &str) -> Result<Said, OwnError> {
    let rows = stream
        .simple_query("select pg_is_in_recovery(), pg_backend_pid(), pg_postmaster_start_time()")
        .await?;
    let [recovery, backend, started] = texts(rows.first())?;
    if recovery != "f" {
        return Err(OwnError::NoPrimary);
    }
    let quoted = slot.replace('\'', "''");
    let rows = stream
        .simple_query(&format!(
            "select wal_status, active::text from pg_replication_slots where slot_name = '{quoted}'"
        ))
        .await?;
    let row = rows.first().ok_or_else(|| OwnError::Missing(slot.to_owned()))?;
    let [status, active] = texts(Some(row))?;
    match (status.as_str(), active.as_str()) {
        ("lost", _) => return Err(OwnError::Lost(slot.to_owned())),
        (_, "true") => return Err(OwnError::Taken),
        _ => {}
    }
    let system = stream.identify_system().await?;
    let history = match system.timeline {
        0 | 1 => Vec::new(),
        timeline => {
            let file = stream.timeline_history(timeline).await?;
            history(&String::from_utf8_lossy(&file.content))
        }
    };
    Ok(Said {
        backend: backend
            .parse()
            .map_err(|_| OwnError::Unusable("it has no process id".to_owned()))?,
        started,
        system: system.system_id,
        timeline: system.timeline,
        history,
    })
}

/// The end of the log, and where the slot is.
async fn owned(control: &mut PgConnection, slot: &str, said: &Said) -> Result<(u64, u64), OwnError> {
    let row: Option<(i32, String, String, String)> = sqlx::query_as(
        "select active_pid, pg_postmaster_start_time()::text, pg_current_wal_flush_lsn()::text, confirmed_flush_lsn::text
         from pg_replication_slots where slot_name = $1 and active and not pg_is_in_recovery()",
    )
    .bind(slot)
    .fetch_optional(control)
    .await?;
    let (backend, started, end, slot) = row.ok_or(OwnError::Changed)?;
    if (backend, started.as_str()) != (said.backend, said.started.as_str()) {
        return Err(OwnError::Changed);
    }
    let place = |text: &str| lsn(text).ok_or_else(|| OwnError::Unusable(format!("{text} is no place in the log")));
    Ok((place(&end)?, place(&slot)?))
}

async fn connect(database: &DatabaseConfig) -> Result<PgConnection, OwnError> {
    let options = PgConnectOptions::new_without_pgpass()
        .host(&database.primary.host)
        .port(database.primary.port)
        .username(&database.user)
        .password(database.password.secret().expose_secret())
        .database(&database.name)
        .application_name("nova-cdc-control")
        .ssl_mode(PgSslMode::Disable);
    Ok(PgConnection::connect_with(&options).await?)
}

async fn within<T>(work: impl Future<Output = Result<T, OwnError>>) -> Result<T, OwnError> {
    timeout(PATIENCE, work)
        .await
        .unwrap_or_else(|_| Err(OwnError::Unusable(format!("no answer within {} s", PATIENCE.as_secs()))))
}

fn texts<const N: usize>(row: Option<&QueryRow>) -> Result<[String; N], OwnError> {
    let text = |column: usize| {
        let value = row?.get(column)?.as_ref()?;
        String::from_utf8(value.to_vec()).ok()
    };
    let texts: Vec<String> = (0..N).map_while(text).collect();
    texts
        .try_into()
        .map_err(|_| OwnError::Unusable("its answer has too few columns".to_owned()))
}
