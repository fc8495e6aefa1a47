//! Answers requests on the socket. Whatever arrives there does no harm: lines, connections and waits are bounded.

use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;

use super::keeper::House;
use super::protocol::{LONGEST_LINE, Request, Response};

/// Connections at one time; further ones wait.
const CONNECTIONS: usize = 64;
/// How long a connection may say nothing, or not take its answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// Pause after the kernel gave no connection, so that a lack of files does not become a busy loop.
const AFTER_FAILURE: Duration = Duration::from_millis(200);

/// Serves until somebody asks the supervisor to end.
pub(super) async fn serve(listener: UnixListener, house: Rc<House>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let (shutdown, mut asked_to_end) = mpsc::channel::<()>(1);
    loop {
        let Ok(place) = places.clone().acquire_owned().await else {
            return;
        };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = asked_to_end.recv() => return,
        };
        match accepted {
            Ok((stream, _)) => {
                let (house, shutdown) = (house.clone(), shutdown.clone());
                tokio::task::spawn_local(async move {
                    let _place = place;
                    if let Err(error) = converse(stream, &house, &shutdown).await {
                        tracing::debug!(%error, "connection");
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(AFTER_FAILURE).await;
            }
        }
    }
}

async fn converse(stream: UnixStream, house: &Rc<House>, shutdown: &mpsc::Sender<()>) -> io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut read = BufReader::new(read);
    loop {
        let mut line = Vec::new();
        let mut bounded = (&mut read).take(LONGEST_LINE);
        if timeout(PATIENCE, bounded.read_until(b'\n', &mut line)).await?? == 0 {
            return Ok(());
        }
        let complete = line.last() == Some(&b'\n');
        let request = serde_json::from_slice::<Request>(&line);
        let understood = complete && request.is_ok();
        let (response, ends) = match request {
            Ok(request) if complete => {
                let ends = request == Request::Shutdown;
                (answer(request, house).await, ends)
            }
            Ok(_) => (refused("a request ends with a newline"), false),
            Err(error) => (
                refused(format!("not a request that this supervisor knows: {error}")),
                false,
            ),
        };
        let mut text = serde_json::to_vec(&response)?;
        text.push(b'\n');
        timeout(PATIENCE, write.write_all(&text)).await??;
        if ends {
            let _ = shutdown.try_send(());
        }
        if !understood {
            return Ok(());
        }
    }
}

async fn answer(request: Request, house: &Rc<House>) -> Response {
    let limit = request.limit();
    let work = async {
        match request {
            Request::Ensure { launch } => done(house.ensure(*launch).await),
            Request::Stop { member, grace_ms } => {
                done(house.stop(&member, grace_ms.map(Duration::from_millis), false).await)
            }
            Request::Forget { member, grace_ms } => {
                done(house.stop(&member, grace_ms.map(Duration::from_millis), true).await)
            }
            Request::List => Response::Members(house.report()),
            Request::Shutdown => Response::Done,
        }
    };
    timeout(limit, work)
        .await
        .unwrap_or_else(|_| refused(format!("not done within {} s; it goes on", limit.as_secs())))
}

fn done(result: Result<(), String>) -> Response {
    match result {
        Ok(()) => Response::Done,
        Err(reason) => refused(reason),
    }
}

fn refused(reason: impl Into<String>) -> Response {
    Response::Refused { reason: reason.into() }
}
