//! Requests whose bodies are on their way: read to their end before anything else is done for them, within limits of size, time and
//! number a client.

use std::collections::HashMap;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, header};
use futures::{StreamExt, poll};
use metrics::counter;
use tokio::time::{Instant, timeout, timeout_at};

use crate::http::{ClientAddress, Problem, codes};
use crate::telemetry::names;

/// Bytes of a refused body that are read all the same.
const DRAINED_AT_MOST: usize = 1 << 20;
/// Time that reading them may take.
const DRAINED_FOR: Duration = Duration::from_secs(1);

/// The requests of which a part is missing.
pub(super) struct Arrivals {
    max_body: usize,
    most_each: u32,
    /// How many each client has. Whoever has none is not in here.
    unfinished: Mutex<HashMap<IpAddr, u32>>,
}

/// One of a client's unfinished requests, until it is dropped.
struct Unfinished<'a> {
    arrivals: &'a Arrivals,
    client: IpAddr,
}

impl Arrivals {
    pub(super) fn new(max_body: usize, most_each: u32) -> Self {
        Self {
            max_body,
            most_each,
            unfinished: Mutex::default(),
        }
    }

    /// The request with all of its body, which must be there by the deadline.
    pub(super) async fn whole(&self, request: Request, deadline: Instant) -> Result<Request, Problem> {
        if request.body().is_end_stream() {
            return Ok(request);
        }
        let client = request.extensions().get::<ClientAddress>().copied();
        let (parts, body) = request.into_parts();
        let mut arriving = pin!(self.body(announced_length(&parts.headers), body, deadline));
        // Usually all of it came with the header, and there is nothing to wait for.
        let body = match poll!(&mut arriving) {
            Poll::Ready(body) => body,
            Poll::Pending => {
                let _unfinished = match client {
                    Some(client) => Some(self.one_more(client.network())?),
                    None => None,
                };
                arriving.await
            }
        };
        Ok(Request::from_parts(parts, Body::from(body?)))
    }

    async fn body(&self, announced: Option<usize>, body: Body, deadline: Instant) -> Result<Bytes, Problem> {
        if announced.is_some_and(|length| length > self.max_body) {
            drain(body).await;
            return Err(self.too_large());
        }
        match timeout_at(deadline, to_bytes(body, self.max_body)).await {
            Ok(Ok(bytes)) => Ok(bytes),
            Ok(Err(error)) if is_length_limit(&error) => Err(self.too_large()),
            Ok(Err(_)) => Err(Problem::bad_request("the body could not be read to its end")),
            Err(_) => Err(Problem::new(&codes::REQUEST_TIMEOUT)),
        }
    }

    fn one_more(&self, client: IpAddr) -> Result<Unfinished<'_>, Problem> {
        let mut unfinished = self.lock();
        let count = unfinished.entry(client).or_default();
        if *count >= self.most_each {
            counter!(names::HTTP_SHED).increment(1);
            return Err(Problem::too_many_requests(Duration::from_secs(1)).detail(format!(
                "{} of your requests are unfinished; finish them first",
                self.most_each
            )));
        }
        *count += 1;
        Ok(Unfinished { arrivals: self, client })
    }

    fn too_large(&self) -> Problem {
        Problem::new(&codes::BODY_TOO_LARGE).detail(format!("the body may have {} bytes", self.max_body))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, u32>> {
        self.unfinished.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        let mut unfinished = self.arrivals.lock();
        if let Some(count) = unfinished.get_mut(&self.client) {
            *count -= 1;
            if *count == 0 {
                unfinished.remove(&self.client);
            }
        }
    }
}

fn is_length_limit(error: &axum::Error) -> bool {
    std::error::Error::source(error).is_some_and(|source| source.to_string().contains("length limit"))
}

/// Reads and drops what a refused client goes on sending: closing before it is read would be a reset, and the client might
/// never see its answer. Bounded in size and time.
async fn drain(body: Body) {
    let reading = async {
        let mut left = DRAINED_AT_MOST;
        let mut chunks = body.into_data_stream();
        while let Some(Ok(chunk)) = chunks.next().await
            && chunk.len() < left
        {
            left -= chunk.len();
        }
    };
    // Whoever sends more, or more slowly, is cut off.
    let _ = timeout(DRAINED_FOR, reading).await;
}

fn announced_length(headers: &HeaderMap) -> Option<usize> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
