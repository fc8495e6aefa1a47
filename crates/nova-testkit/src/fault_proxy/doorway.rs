//! Where connections come in: accepts them, or shuts the door so that no handshake completes.
//!
//! The door is shut without closing the socket, which would answer with a reset. On Linux a second `listen` on a socket
//! changes the length of its queue of connections that wait to be accepted. The queue is made as short as can be and
//! filled with connections of the proxy's own, which it does not accept; the kernel then drops every further SYN, as it
//! does on an overloaded server. To open the door the queue gets its length back, and the fillers are thrown away.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio::select;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::connection;
use super::state::State;

/// Connections that may wait to be accepted while the door is open.
const OPEN: i32 = 1024;
/// The same while it is shut. With 0 the kernel would answer by SYN cookies, and note an attack in its log.
const SHUT: i32 = 1;
/// A handshake over loopback that takes longer than this was dropped.
const DROPPED_AFTER: Duration = Duration::from_millis(200);
/// More fillers than this mean that the kernel does not keep the queue short.
const MOST_FILLERS: usize = 16;

/// Shuts the door or opens it; the sender is told when that is done.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) shut: bool,
    pub(super) done: oneshot::Sender<()>,
}

/// Lets connections in until the proxy is dropped; ends those that are open with itself.
pub(super) async fn run(listener: TcpListener, state: Arc<State>, mut orders: mpsc::Receiver<Order>) {
    let mut connections = JoinSet::new();
    let mut fillers: Vec<TcpStream> = Vec::new();
    let mut thrown_away: Vec<SocketAddr> = Vec::new();
    let mut shut = false;
    loop {
        select! {
            order = orders.recv() => {
                let Some(order) = order else { return };
                if order.shut && !shut {
                    fillers = fill(&listener).await;
                } else if !order.shut && shut {
                    resize(&listener, OPEN);
                    thrown_away.extend(fillers.drain(..).filter_map(|filler| filler.local_addr().ok()));
                }
                shut = order.shut;
                let _ = order.done.send(());
            }
            accepted = listener.accept(), if !shut => {
                // What failed on its way in is no connection; the next one may be fine.
                let Ok((stream, client)) = accepted else { continue };
                if let Some(index) = thrown_away.iter().position(|filler| *filler == client) {
                    thrown_away.swap_remove(index);
                    continue;
                }
                state.connected();
                connections.spawn(connection::serve(stream, Arc::clone(&state)));
            }
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
        }
    }
}

/// Fills the queue until a handshake is dropped.
async fn fill(listener: &TcpListener) -> Vec<TcpStream> {
    resize(listener, SHUT);
    let address = listener.local_addr().expect("a bound socket has an address");
    let mut fillers = Vec::new();
    while let Ok(connected) = timeout(DROPPED_AFTER, TcpStream::connect(address)).await {
        fillers.push(connected.expect("a listening socket on loopback takes connections or drops them"));
        assert!(
            fillers.len() <= MOST_FILLERS,
            "this kernel does not keep the queue of {address} short, so it cannot be a black hole"
        );
    }
    fillers
}

fn resize(listener: &TcpListener, queue: i32) {
    SockRef::from(listener)
        .listen(queue)
        .expect("the queue of a listening socket can be changed");
}
