//! How a pool connects, and how it gets rid of connections that lead to a dead or demoted server.

use std::time::Duration;

use secrecy::ExposeSecret;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions, PgSslMode};
use sqlx::{PgConnection, PgPool};

use super::suspicion;
use crate::config::PostgresConfig;

/// A connection unused for longer is tested before it is used.
const STALE: Duration = Duration::from_secs(1);
/// How long such a test may take.
const TEST: Duration = Duration::from_secs(1);
/// Unused connections are closed: they cost PostgreSQL memory.
const IDLE: Duration = Duration::from_secs(120);
const LIFETIME: Duration = Duration::from_secs(30 * 60);

/// One of the gateway's doors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Door {
    Primary,
    Replicas,
}

/// A pool without a connection yet.
pub(super) fn lazy(config: &PostgresConfig, door: Door) -> PgPool {
    PgPoolOptions::new()
        .max_connections(config.pool)
        .acquire_timeout(config.acquire_timeout)
        .idle_timeout(IDLE)
        .max_lifetime(LIFETIME)
        // sqlx would test on every use, a round trip each; the hook below tests when there is a reason to.
        .test_before_acquire(false)
        .before_acquire(move |connection, usage| {
            Box::pin(async move {
                if usage.idle_for < STALE && !suspicion::recent() {
                    return Ok(true);
                }
                test(connection, door).await.map(|()| true)
            })
        })
        .after_release(move |connection, _| {
            Box::pin(async move {
                // An answer that never comes must not keep a place in the pool.
                if suspicion::recent() {
                    test(connection, door).await.map(|()| true)
                } else {
                    Ok(true)
                }
            })
        })
        .connect_lazy_with(options(config, door))
}

/// How the application role connects to a door.
pub(super) fn options(config: &PostgresConfig, door: Door) -> PgConnectOptions {
    let address = match door {
        Door::Primary => &config.primary,
        Door::Replicas => &config.replicas,
    };
    let statement = config.statement_timeout.as_millis();
    let options = base(config)
        .host(&address.host)
        .port(address.port)
        .username(&config.user)
        .password(config.password.secret().expose_secret())
        .options([
            ("search_path", config.schema.clone()),
            ("statement_timeout", format!("{statement}ms")),
            // Shorter, so that waiting for a lock is told apart from a slow statement.
            ("lock_timeout", format!("{}ms", statement * 4 / 5)),
            ("idle_in_transaction_session_timeout", format!("{}ms", statement * 2)),
        ]);
    match door {
        Door::Primary => options,
        // This door leads to the primary when there is no replica; nothing may be written through it by accident.
        Door::Replicas => options.options([("default_transaction_read_only", "on")]),
    }
}

/// How the owner connects to the primary, for migrations.
pub(super) fn owner_options(config: &PostgresConfig) -> PgConnectOptions {
    base(config)
        .host(&config.primary.host)
        .port(config.primary.port)
        .username(&config.owner)
        .password(config.owner_password.secret().expose_secret())
        .options([
            ("search_path", config.schema.as_str()),
            ("lock_timeout", "20s"),
            ("statement_timeout", "5min"),
        ])
}

fn base(config: &PostgresConfig) -> PgConnectOptions {
    // sqlx logs statements at debug (which `telemetry` turns into a metric) and slow ones at warn by default.
    // Neither ~/.pgpass nor a certificate of someone's home directory has a say here.
    PgConnectOptions::new_without_pgpass()
        .database(&config.database)
        .ssl_mode(PgSslMode::Disable)
        .application_name(&config.schema)
        .statement_cache_capacity(100)
}

fn silence() -> sqlx::Error {
    sqlx::Error::Io(std::io::Error::new(
        std::io::ErrorKind::TimedOut,
        "the server does not answer",
    ))
}

/// Proves that the connection answers and leads to a server of the right kind.
pub(super) async fn test(connection: &mut PgConnection, door: Door) -> Result<(), sqlx::Error> {
    let recovering = sqlx::query_scalar::<_, bool>("select pg_is_in_recovery()").fetch_one(connection);
    let recovering = tokio::time::timeout(TEST, recovering).await.map_err(|_| silence())??;
    if door == Door::Primary && recovering {
        return Err(sqlx::Error::Protocol(
            "the server behind the door of the primary is a replica".to_owned(),
        ));
    }
    Ok(())
}
