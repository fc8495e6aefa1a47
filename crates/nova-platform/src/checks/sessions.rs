//! Superuser connections to one PostgreSQL server, kept between rounds of checks. Few, and dropped on any error.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use sqlx::PgConnection;
use tokio::time::timeout;

use crate::endpoints::HostPort;
use crate::postgres_login::{Login, MAINTENANCE_DATABASE, explain};

/// Connections kept at most: one that writes and one that looks.
const KEPT: usize = 2;
/// Time for ending a backend that still waits for its commit.
const TERMINATE_LIMIT: Duration = Duration::from_secs(2);

/// See the module.
pub(super) struct Sessions {
    login: Login,
    address: HostPort,
    kept: Mutex<Vec<Session>>,
}

/// A connection, and the backend at its other end.
pub(super) struct Session {
    connection: PgConnection,
    backend: i32,
}

impl Session {
    pub(super) fn connection(&mut self) -> &mut PgConnection {
        &mut self.connection
    }

    pub(super) fn backend(&self) -> i32 {
        self.backend
    }
}

impl Sessions {
    pub(super) fn new(login: Login, address: HostPort) -> Self {
        Self {
            login,
            address,
            kept: Mutex::default(),
        }
    }

    /// A kept connection, or a new one. Whoever takes it puts it back when it is still good.
    pub(super) async fn take(&self, lock_timeout: Duration) -> Result<Session, sqlx::Error> {
        let kept = self.kept().pop();
        if let Some(mut session) = kept {
            // One that the server has closed meanwhile is no finding: a new one tells.
            if sqlx::query("select").execute(&mut session.connection).await.is_ok() {
                return Ok(session);
            }
        }
        self.fresh(lock_timeout).await
    }

    /// A new connection.
    pub(super) async fn fresh(&self, lock_timeout: Duration) -> Result<Session, sqlx::Error> {
        let mut connection = self
            .login
            .connect(&self.address, MAINTENANCE_DATABASE, lock_timeout)
            .await?;
        let backend = sqlx::query_scalar("select pg_backend_pid()")
            .fetch_one(&mut connection)
            .await?;
        Ok(Session { connection, backend })
    }

    pub(super) fn put_back(&self, session: Session) {
        let mut kept = self.kept();
        if kept.len() < KEPT {
            kept.push(session);
        }
    }

    /// Ends a backend of ours that is stuck in a commit, and says what it was waiting for. A lost client does not make
    /// PostgreSQL give up such a wait, so that a check that goes on failing would otherwise use up all connections.
    pub(super) async fn end_backend(&self, backend: i32) -> Result<String, String> {
        let end = async {
            let mut session = self.fresh(TERMINATE_LIMIT).await?;
            sqlx::query_scalar::<_, Option<String>>(
                "with stuck as materialized (select pid, wait_event from pg_stat_activity \
                                            where pid = $1 and application_name = 'nova-check') \
                 select wait_event from stuck where pg_terminate_backend(pid)",
            )
            .bind(backend)
            .fetch_optional(session.connection())
            .await
        };
        match timeout(TERMINATE_LIMIT, end).await {
            Ok(Ok(waited)) => Ok(waited.flatten().unwrap_or_else(|| "nothing any more".to_owned())),
            Ok(Err(error)) => Err(explain(&error)),
            Err(_) => Err("a second connection was not answered either".to_owned()),
        }
    }

    /// Drops all connections, so that the next one is new.
    pub(super) fn close(&self) {
        self.kept().clear();
    }

    /// The same server, with no connections yet.
    pub(super) fn another(&self) -> Self {
        Self::new(self.login.clone(), self.address.clone())
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Vec<Session>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
