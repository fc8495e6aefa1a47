//! Accepts connections and speaks HTTP/1.1 on them, within limits.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use metrics::{counter, gauge};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::per_client::PerClient;
use crate::config::ServerConfig;
use crate::http::TrustedProxies;
use crate::telemetry::names;

/// hyper's own number of header fields, which it keeps on the stack.
const USUAL_HEADERS: u16 = 100;
/// Accepting fails when the process has no file left; trying again at once would only burn the processor.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The two sockets of a service.
#[derive(Debug)]
pub struct Listeners {
    /// For the API.
    pub api: TcpListener,
    /// For probes and metrics.
    pub operations: TcpListener,
}

impl Listeners {
    /// Binds both as configured.
    pub async fn bind(config: &ServerConfig) -> anyhow::Result<Self> {
        let bind = |address: SocketAddr| async move {
            TcpListener::bind(address)
                .await
                .with_context(|| format!("cannot listen on {address}; does another program?"))
        };
        Ok(Self {
            api: bind(config.listen).await?,
            operations: bind(config.operations_address()).await?,
        })
    }
}

/// What a client may do before its request is looked at.
#[derive(Clone, Debug)]
pub(super) struct Limits {
    label: &'static str,
    connections: u32,
    each: PerClient,
    headers: u16,
    header_bytes: u32,
    header_timeout: Duration,
}

impl Limits {
    pub(super) fn api(config: &ServerConfig) -> Self {
        Self {
            label: "api",
            connections: config.max_connections,
            each: PerClient::new(config.max_connections_per_client, TrustedProxies::new(config)),
            headers: config.max_headers,
            header_bytes: config.max_header_bytes,
            header_timeout: config.header_timeout,
        }
    }

    pub(super) fn operations(config: &ServerConfig) -> Self {
        Self {
            label: "operations",
            connections: 64,
            // Whoever watches must get in while somebody else only connects.
            each: PerClient::new(32, TrustedProxies::new(config)),
            headers: USUAL_HEADERS,
            header_bytes: 16 * 1024,
            header_timeout: Duration::from_secs(15),
        }
    }
}

/// Serves until `stop`, then lets the requests in flight end; idle connections are closed at once.
pub(super) async fn serve(listener: TcpListener, router: Router, limits: Limits, stop: CancellationToken) {
    let places = Arc::new(Semaphore::new(
        usize::try_from(limits.connections).unwrap_or(Semaphore::MAX_PERMITS),
    ));
    let graceful = GracefulShutdown::new();
    // Dropped with this future, and all connections with it.
    let mut connections = JoinSet::new();
    let http = http(&limits);
    loop {
        let accept = async {
            let place = places.clone().acquire_owned().await.ok()?;
            Some((place, listener.accept().await))
        };
        let Some(Some((place, accepted))) = stop.run_until_cancelled(accept).await else {
            break;
        };
        while connections.try_join_next().is_some() {}
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Some(admitted) = limits.each.admit(peer.ip()) else {
            counter!(names::HTTP_CONNECTIONS_REFUSED, "listener" => limits.label).increment(1);
            continue;
        };
        let connection = graceful.watch(connection(&http, stream, peer, router.clone()));
        let label = limits.label;
        connections.spawn(async move {
            let open = gauge!(names::HTTP_CONNECTIONS, "listener" => label);
            open.increment(1.0);
            if let Err(error) = connection.await {
                tracing::debug!(%peer, %error, "connection ended by an error");
            }
            open.decrement(1.0);
            drop((place, admitted));
        });
    }
    drop(listener);
    graceful.shutdown().await;
    while connections.join_next().await.is_some() {}
}

fn http(limits: &Limits) -> http1::Builder {
    let header_bytes = usize::try_from(limits.header_bytes).unwrap_or(usize::MAX);
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        .max_header_size(header_bytes)
        .max_buf_size(header_bytes.max(64 * 1024));
    if limits.headers != USUAL_HEADERS {
        http.max_headers(usize::from(limits.headers));
    }
    http
}

fn connection(
    http: &http1::Builder,
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
) -> http1::Connection<
    TokioIo<TcpStream>,
    impl hyper::service::HttpService<Incoming, ResBody = Body, Error = Infallible, Future: Send> + use<>,
> {
    // Small answers must not wait for more to send.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let mut request: Request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        router.clone().oneshot(request)
    });
    http.serve_connection(TokioIo::new(stream), service)
}
