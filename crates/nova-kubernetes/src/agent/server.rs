//! The agent itself: an HTTP server on its pod's loopback that runs checks. Every request has a deadline, a largest size and a place
//! among a bounded number.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use nova_platform::checks::Checks;
use nova_platform::components::ComponentId;
use nova_platform::endpoints::Endpoints;
use nova_platform::explained::explained;
use nova_platform::probe::Prober;
use nova_platform::secrets::Secrets;
use nova_platform::spec::Spec;
use secrecy::ExposeSecret;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::addresses::resolved;
use super::wire::{HEALTH, LOOK, Look, Looked, PREPARE, Prepare, Prepared, Refused, STAGE};

/// Largest body that is read, in bytes.
const LARGEST_BODY: usize = 1 << 20;
/// Connections at once; further ones wait to be accepted.
const CONNECTIONS: usize = 64;
/// Requests in work at once; further ones are refused.
const REQUESTS: usize = 32;
/// Longest time that a request may ask for.
const LONGEST: Duration = Duration::from_secs(60);
/// Time to receive a request's head, and then its body.
const RECEIVE: Duration = Duration::from_secs(60);
/// Time that an answer may take beyond what was asked for, before it counts as stuck.
const GRACE: Duration = Duration::from_secs(2);
/// Time for requests in work when the agent ends.
const DRAIN: Duration = Duration::from_secs(5);
/// Sets of checks, each with its connections, that are kept.
const KEPT: usize = 8;

/// Serves until `stop`; then finishes what is in work. `secrets` is a directory with a file a secret, read anew for each request.
///
/// # Errors
/// When the address cannot be listened on.
pub async fn serve(listen: SocketAddr, secrets: PathBuf, stop: CancellationToken) -> std::io::Result<()> {
    let listener = TcpListener::bind(listen).await?;
    let agent = Arc::new(Agent {
        secrets,
        requests: Semaphore::new(REQUESTS),
        kept: Mutex::default(),
    });
    let connections = Arc::new(Semaphore::new(CONNECTIONS));
    let graceful = GracefulShutdown::new();
    loop {
        let accepted = async {
            let permit = Arc::clone(&connections).acquire_owned().await;
            (permit, listener.accept().await)
        };
        let (permit, accepted) = tokio::select! {
            () = stop.cancelled() => break,
            accepted = accepted => accepted,
        };
        let Ok((stream, _)) = accepted else {
            // Out of file handles, say: that passes when connections end.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let agent = Arc::clone(&agent);
        let service = hyper::service::service_fn(move |request| {
            let agent = Arc::clone(&agent);
            async move { Ok::<_, Infallible>(agent.answer(request).await) }
        });
        let connection = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(RECEIVE)
            .serve_connection(TokioIo::new(stream), service);
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended");
            }
            drop(permit);
        });
    }
    let _ = tokio::time::timeout(DRAIN, graceful.shutdown()).await;
    Ok(())
}

/// Whether an agent answers at this address: what the pod's probes run, since the kubelet cannot reach a loopback address.
///
/// # Errors
/// In words, when none does within `limit`.
pub async fn probe(address: SocketAddr, limit: Duration) -> Result<(), String> {
    let ask = async {
        let mut stream = TcpStream::connect(address).await?;
        let request = format!("GET {HEALTH} HTTP/1.1\r\nhost: agent\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = [0_u8; 12];
        stream.read_exact(&mut answer).await?;
        Ok::<_, std::io::Error>(answer)
    };
    match tokio::time::timeout(limit, ask).await {
        Ok(Ok(answer)) if answer == *b"HTTP/1.1 200" => Ok(()),
        Ok(Ok(answer)) => Err(format!("the agent answers {}", String::from_utf8_lossy(&answer))),
        Ok(Err(error)) => Err(format!("no agent answers at {address}: {error}")),
        Err(_) => Err(format!("no agent answers at {address} within {limit:?}")),
    }
}

struct Agent {
    secrets: PathBuf,
    requests: Semaphore,
    /// Newest first.
    kept: Mutex<VecDeque<(String, Checks)>>,
}

impl Agent {
    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let path = request.uri().path().to_owned();
        if path == HEALTH && request.method() == Method::GET {
            return respond(StatusCode::OK, &serde_json::json!({"ok": true}));
        }
        if request.method() != Method::POST {
            return refuse(
                StatusCode::METHOD_NOT_ALLOWED,
                "POST to /v1/look, /v1/prepare or /v1/stage",
            );
        }
        let Ok(_permit) = self.requests.try_acquire() else {
            return refuse(
                StatusCode::SERVICE_UNAVAILABLE,
                "the agent already works on as many requests as it may",
            );
        };
        match path.as_str() {
            LOOK => match read(request).await {
                Ok(look) => self.look(look).await,
                Err(answer) => answer,
            },
            PREPARE => match read(request).await {
                Ok(prepare) => self.prepare(prepare, false).await,
                Err(answer) => answer,
            },
            STAGE => match read(request).await {
                Ok(prepare) => self.prepare(prepare, true).await,
                Err(answer) => answer,
            },
            _ => refuse(
                StatusCode::NOT_FOUND,
                "there are /v1/look, /v1/prepare, /v1/stage and /healthz",
            ),
        }
    }

    async fn look(&self, look: Look) -> Response<Full<Bytes>> {
        let checks = match self.checks(&look.spec, &look.component, look.endpoints).await {
            Ok(checks) => checks,
            Err(error) => return refuse(StatusCode::INTERNAL_SERVER_ERROR, &error),
        };
        let limit = Duration::from_millis(look.limit_ms).min(LONGEST);
        let work = async {
            tokio::join!(
                checks.component(&look.component, look.depth, limit),
                checks.roles(&look.component, limit)
            )
        };
        match tokio::time::timeout(limit + GRACE, work).await {
            Ok((checks, roles)) => respond(StatusCode::OK, &Looked { checks, roles }),
            Err(_) => refuse(StatusCode::GATEWAY_TIMEOUT, "the checks did not end in time"),
        }
    }

    async fn prepare(&self, prepare: Prepare, ahead: bool) -> Response<Full<Bytes>> {
        let checks = match self.checks(&prepare.spec, &prepare.component, prepare.endpoints).await {
            Ok(checks) => checks,
            Err(error) => return refuse(StatusCode::INTERNAL_SERVER_ERROR, &error),
        };
        let limit = Duration::from_millis(prepare.limit_ms).min(LONGEST);
        let work = async {
            if ahead {
                Prober::stage(&checks, &prepare.component, limit).await
            } else {
                Prober::prepare(&checks, &prepare.component, limit).await
            }
        };
        match tokio::time::timeout(limit + GRACE, work).await {
            Ok(Ok(changes)) => respond(StatusCode::OK, &Prepared { changes }),
            Ok(Err(error)) => refuse(StatusCode::CONFLICT, &error),
            Err(_) => refuse(StatusCode::GATEWAY_TIMEOUT, "the preparation did not end in time"),
        }
    }

    /// The checks of this platform as it is met now; those of an earlier request when nothing differs, with their connections.
    async fn checks(&self, spec: &Spec, component: &ComponentId, endpoints: Endpoints) -> Result<Checks, String> {
        let endpoints = &match *component == ComponentId::Redis {
            true => resolved(endpoints).await,
            false => endpoints,
        };
        let secrets = Secrets::from_directory(&self.secrets).map_err(|error| explained(&error))?;
        let key = fingerprint(spec, endpoints, &secrets)?;
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = kept.iter().position(|(known, _)| *known == key)
            && let Some(found) = kept.remove(at)
        {
            let checks = found.1.clone();
            kept.push_front(found);
            return Ok(checks);
        }
        let checks = Checks::new(spec, endpoints, &secrets).map_err(|error| explained(&error))?;
        kept.push_front((key, checks.clone()));
        kept.truncate(KEPT);
        Ok(checks)
    }
}

/// What tells one set of checks from another, without holding a secret.
fn fingerprint(spec: &Spec, endpoints: &Endpoints, secrets: &Secrets) -> Result<String, String> {
    let mut hash = Sha256::new();
    hash.update(serde_json::to_vec(&(spec, endpoints)).map_err(|error| error.to_string())?);
    for (name, value) in secrets.values() {
        hash.update(name);
        hash.update([0]);
        hash.update(value.expose_secret());
        hash.update([0]);
    }
    let mut text = String::new();
    for byte in hash.finalize() {
        let _ = write!(text, "{byte:02x}");
    }
    Ok(text)
}

async fn read<T: DeserializeOwned>(request: Request<Incoming>) -> Result<T, Response<Full<Bytes>>> {
    let body = Limited::new(request.into_body(), LARGEST_BODY).collect();
    let body = match tokio::time::timeout(RECEIVE, body).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(error)) => {
            return Err(refuse(
                StatusCode::BAD_REQUEST,
                &format!("the body cannot be read: {error}"),
            ));
        }
        Err(_) => return Err(refuse(StatusCode::REQUEST_TIMEOUT, "the body did not come in time")),
    };
    serde_json::from_slice(&body).map_err(|error| {
        let why = format!("the agent does not understand the request, perhaps it is of another version: {error}");
        refuse(StatusCode::BAD_REQUEST, &why)
    })
}

fn respond(status: StatusCode, value: &impl Serialize) -> Response<Full<Bytes>> {
    let (status, body) = match serde_json::to_vec(value) {
        Ok(body) => (status, body),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string().into_bytes()),
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response
}

fn refuse(status: StatusCode, error: &str) -> Response<Full<Bytes>> {
    respond(
        status,
        &Refused {
            error: error.to_owned(),
        },
    )
}
