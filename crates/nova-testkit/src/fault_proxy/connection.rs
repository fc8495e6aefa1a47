//! One client's connection, and the one to the upstream that belongs to it.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use hyper::body::{Bytes, Frame, Incoming};
use hyper::client::conn::http1 as client;
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE};
use hyper::server::conn::http1 as server;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::state::{Effect, State};

/// How long the upstream may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(5);
/// The largest body of a request that is read and not forwarded; more is a mistake in a test.
const LARGEST: usize = 16 << 20;

/// Why a connection is reset.
type Broken = Box<dyn std::error::Error + Send + Sync>;

/// Serves a client until it or the upstream breaks the connection.
pub(super) async fn serve(stream: TcpStream, state: Arc<State>) {
    let _ = stream.set_nodelay(true);
    let upstream = Arc::new(Upstream::default());
    let service = service_fn(|request| Box::pin(answer(request, Arc::clone(&state), Arc::clone(&upstream))));
    let mut connection = server::Builder::new().serve_connection(TokioIo::new(stream), service);
    if (&mut connection).await.is_err() {
        // With nothing to linger for, closing sends a RST.
        let _ = connection.into_parts().io.into_inner().set_zero_linger();
    }
}

async fn answer(
    request: Request<Incoming>,
    state: Arc<State>,
    upstream: Arc<Upstream>,
) -> Result<Response<Body>, Broken> {
    let effect = state.arrived();
    let delay = match effect {
        Effect::Forward => Duration::ZERO,
        Effect::Slow(delay) => delay,
        _ => {
            let _ = axum::body::to_bytes(Body::new(request.into_body()), LARGEST).await;
            return instead(effect).await;
        }
    };
    let response = upstream.send(&state.upstream, request).await?;
    sleep(delay).await;
    match state.returned() {
        Effect::Forward => Ok(response.map(Body::new)),
        effect => instead(effect).await,
    }
}

/// What comes in the place of the upstream's answer.
async fn instead(effect: Effect) -> Result<Response<Body>, Broken> {
    let mut response = Response::new(Body::empty());
    match effect {
        Effect::Reset => return Err("reset on demand".into()),
        Effect::Error => *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR,
        Effect::HeadersOnly => {
            let headers = response.headers_mut();
            headers.insert(CONTENT_TYPE, "application/json".parse().expect("a header's value"));
            headers.insert(CONTENT_LENGTH, 1000.into());
            *response.body_mut() = Body::new(Silence);
        }
        // The task ends with the client's connection or the proxy.
        Effect::Hang | Effect::Forward | Effect::Slow(_) => std::future::pending().await,
    }
    Ok(response)
}

/// A body of which nothing ever comes.
struct Silence;

impl hyper::body::Body for Silence {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Pending
    }
}

/// A kept connection to the upstream, made when it is needed.
#[derive(Default)]
struct Upstream(Mutex<Option<Link>>);

struct Link {
    sender: client::SendRequest<Incoming>,
    /// Ends with the link.
    _driver: JoinSet<()>,
}

impl Upstream {
    async fn send(&self, address: &str, request: Request<Incoming>) -> Result<Response<Incoming>, Broken> {
        let mut kept = self.0.lock().await;
        let usable = match kept.take() {
            Some(mut link) => link.sender.ready().await.is_ok().then_some(link),
            None => None,
        };
        let mut link = match usable {
            Some(link) => link,
            None => connect(address).await?,
        };
        let response = link.sender.send_request(request).await?;
        *kept = Some(link);
        Ok(response)
    }
}

async fn connect(address: &str) -> Result<Link, Broken> {
    let stream = timeout(CONNECT, TcpStream::connect(address)).await??;
    let _ = stream.set_nodelay(true);
    let (sender, connection) = client::handshake(TokioIo::new(stream)).await?;
    let mut driver = JoinSet::new();
    driver.spawn(async move {
        // How it ended is told to whoever waits for an answer.
        let _ = connection.await;
    });
    Ok(Link {
        sender,
        _driver: driver,
    })
}
