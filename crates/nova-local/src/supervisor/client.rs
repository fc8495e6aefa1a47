//! Asks the supervisor for something.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::address::short_socket_path;
use super::protocol::{Report, Request, Response};
use crate::layout::Layout;

/// Time within which a connection must be had.
const CONNECT: Duration = Duration::from_secs(2);
/// How much longer than the supervisor itself its answer may take.
const ON_TOP: Duration = Duration::from_secs(2);
/// Longest answer.
const LONGEST_ANSWER: u64 = 16 << 20;

/// Where a supervisor listens. A connection is made for each request.
#[derive(Debug, Clone)]
pub struct Client {
    socket: PathBuf,
}

/// Why the supervisor did not do it.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens.
    #[error("no supervisor runs; `nova deploy` starts one, and it takes over the members that still run")]
    NotRunning,
    /// It is there but silent.
    #[error("the supervisor did not answer within {} s; `nova logs supervisor` may say why", .0.as_secs())]
    Silent(Duration),
    /// It says no.
    #[error("{0}")]
    Refused(String),
    /// It speaks otherwise.
    #[error("the supervisor's answer cannot be understood; `nova deploy` replaces it")]
    Unintelligible(#[source] serde_json::Error),
    /// The connection broke.
    #[error("cannot talk to the supervisor")]
    Io(#[from] io::Error),
}

impl ClientError {
    /// Whether there is no supervisor, or no longer: a connection that breaks is to one that dies at this moment.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        match self {
            Self::NotRunning => true,
            Self::Io(error) => matches!(
                error.kind(),
                io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::UnexpectedEof
            ),
            Self::Silent(_) | Self::Refused(_) | Self::Unintelligible(_) => false,
        }
    }
}

impl Client {
    /// The supervisor of this platform.
    #[must_use]
    pub fn new(layout: &Layout) -> Self {
        Self {
            socket: layout.supervisor_socket(),
        }
    }

    /// What it keeps running.
    ///
    /// # Errors
    /// As [`Client::ask`].
    pub async fn list(&self) -> Result<Report, ClientError> {
        match self.ask(&Request::List).await? {
            Response::Members(report) => Ok(report),
            Response::Done | Response::Refused { .. } => Err(ClientError::Refused("no list".to_owned())),
        }
    }

    /// Sends a request and waits for its answer.
    ///
    /// # Errors
    /// When there is no supervisor, or it refuses, or it takes longer than the request may.
    pub async fn ask(&self, request: &Request) -> Result<Response, ClientError> {
        let limit = request.limit() + ON_TOP;
        let answer = timeout(limit, self.exchange(request)).await;
        match answer.map_err(|_| ClientError::Silent(limit))?? {
            Response::Refused { reason } => Err(ClientError::Refused(reason)),
            response => Ok(response),
        }
    }

    async fn exchange(&self, request: &Request) -> Result<Response, ClientError> {
        let stream = self.connect().await?;
        let (read, mut write) = stream.into_split();
        let mut line = serde_json::to_vec(request).map_err(io::Error::from)?;
        line.push(b'\n');
        write.write_all(&line).await?;
        let mut answer = Vec::new();
        BufReader::new(read)
            .take(LONGEST_ANSWER)
            .read_until(b'\n', &mut answer)
            .await?;
        if answer.is_empty() {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        serde_json::from_slice(&answer).map_err(ClientError::Unintelligible)
    }

    async fn connect(&self) -> Result<UnixStream, ClientError> {
        let gone = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => ClientError::NotRunning,
            _ => ClientError::Io(error),
        };
        let (path, _directory) = short_socket_path(&self.socket).map_err(gone)?;
        timeout(CONNECT, UnixStream::connect(path))
            .await
            .map_err(|_| ClientError::Silent(CONNECT))?
            .map_err(gone)
    }
}
