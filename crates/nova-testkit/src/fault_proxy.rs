//! A proxy between a client and a server that breaks in the ways in which networks and servers break, on demand.

mod connection;
mod doorway;
mod state;

use std::fmt::Display;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;

use doorway::Order;
use state::State;

/// How the proxy misbehaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It forwards everything.
    None,
    /// It reads each request and never answers it; the upstream does not see it.
    Hang,
    /// It forwards each request at once and holds the answer back for this long.
    Slow(Duration),
    /// It reads each request, then resets the connection (RST, not FIN); the upstream does not see the request.
    Reset,
    /// It answers 500 itself for this share of the requests, evenly spread, and forwards the others. At 50 every second
    /// request fails, the first one being forwarded.
    Errors {
        /// From 0 to 100.
        ratio_percent: u8,
    },
    /// It changes every such time: forwarding, resetting, forwarding, hanging, and again.
    Flap(Duration),
    /// No TCP handshake completes any more; connections that are open go silent.
    BlackHole,
    /// It reads each request and sends the head of a good answer with a Content-Length, then nothing of the body.
    HeadersOnly,
}

/// What has arrived at the proxy.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// HTTP requests whose head was read, however many a connection carried.
    pub requests: u64,
    /// TCP connections that were accepted. Attempts that met [`Fault::BlackHole`] are not among them: the kernel drops
    /// them, and tells nobody.
    pub connections: u64,
}

/// A proxy for HTTP/1.1 on a loopback address. The fault can be changed while it runs, and connections that are already
/// open feel the new one with their next request, or with the answer that is still under way. Dropping the proxy ends
/// its tasks and closes its connections. Upgrades (WebSocket) are not carried.
#[derive(Debug)]
pub struct FaultProxy {
    address: SocketAddr,
    state: Arc<State>,
    orders: mpsc::Sender<Order>,
    doorway: AbortHandle,
}

impl FaultProxy {
    /// Starts a proxy without a fault on a free port of 127.0.0.1. The upstream is `host:port`; it need not be up yet,
    /// and while it is not, requests end in a reset.
    pub async fn start(upstream: impl Display) -> Self {
        Self::start_at(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), upstream).await
    }

    /// Like [`FaultProxy::start`], on this loopback address; port 0 means a free one.
    pub async fn start_at(listen: SocketAddr, upstream: impl Display) -> Self {
        assert!(listen.ip().is_loopback(), "{listen} is not a loopback address");
        let listener = TcpListener::bind(listen)
            .await
            .unwrap_or_else(|error| panic!("the proxy cannot listen on {listen}: {error}"));
        let address = listener.local_addr().expect("a bound socket has an address");
        let state = Arc::new(State::new(upstream.to_string()));
        let (orders, received) = mpsc::channel(1);
        let doorway = tokio::spawn(doorway::run(listener, Arc::clone(&state), received)).abort_handle();
        Self {
            address,
            state,
            orders,
            doorway,
        }
    }

    /// Where the proxy listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The same as the beginning of a URL, `http://127.0.0.1:port`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Changes the fault, and returns when it is in force.
    pub async fn set(&self, fault: Fault) {
        self.state.set(fault);
        let (done, told) = oneshot::channel();
        let shut = fault == Fault::BlackHole;
        let sent = self.orders.send(Order { shut, done }).await;
        sent.expect("the proxy's task ended by itself");
        told.await.expect("the proxy could not change its fault");
    }

    /// Requests since the start or the last [`FaultProxy::reset_counts`], under whatever fault.
    pub fn requests(&self) -> u64 {
        self.state.total().requests
    }

    /// Connections since the start or the last [`FaultProxy::reset_counts`], under whatever fault.
    pub fn connections(&self) -> u64 {
        self.state.total().connections
    }

    /// What arrived while exactly this fault was in force.
    pub fn counts_under(&self, fault: Fault) -> Counts {
        self.state.under(fault)
    }

    /// Begins to count anew.
    pub fn reset_counts(&self) {
        self.state.reset_counts();
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.doorway.abort();
    }
}

#[cfg(test)]
mod tests;
