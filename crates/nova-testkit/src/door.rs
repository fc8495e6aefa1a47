//! A door before a server: shut, its address refuses connections as that of a stopped server does; open, it leads to the
//! server.

use std::fmt::Display;
use std::net::{Ipv4Addr, SocketAddr};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

/// Connections that may wait to be let in.
const BACKLOG: u32 = 1024;

/// A TCP address on 127.0.0.1 that stays the test's own while the door is shut. Dropping the door shuts it.
#[derive(Debug)]
pub struct Door {
    address: SocketAddr,
    upstream: String,
    /// Bound and not listening.
    shut: Option<TcpSocket>,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    stop: CancellationToken,
    relay: JoinHandle<()>,
}

impl Door {
    /// A shut door to `host:port`.
    pub fn shut(upstream: impl Display) -> Self {
        let socket = bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        Self {
            address: socket.local_addr().expect("a bound socket has an address"),
            upstream: upstream.to_string(),
            shut: Some(socket),
            open: None,
        }
    }

    /// An open door to `host:port`.
    pub fn open(upstream: impl Display) -> Self {
        let mut this = Self::shut(upstream);
        this.start();
        this
    }

    /// Where it is.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The same as the beginning of a URL, `http://127.0.0.1:port`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Opens it, as if the server were started.
    pub fn start(&mut self) {
        let socket = self.shut.take().expect("the door is open");
        let listener = socket.listen(BACKLOG).expect("a bound socket can listen");
        let stop = CancellationToken::new();
        let relay = tokio::spawn(relay(listener, self.upstream.clone(), stop.clone()));
        self.open = Some(Open { stop, relay });
    }

    /// Shuts it and ends its connections, as if the server were stopped.
    pub async fn stop(&mut self) {
        let open = self.open.take().expect("the door is shut");
        open.stop.cancel();
        open.relay.await.expect("the door's task ended by itself");
        self.shut = Some(bind(self.address));
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        if let Some(open) = &self.open {
            open.stop.cancel();
        }
    }
}

fn bind(address: SocketAddr) -> TcpSocket {
    let socket = TcpSocket::new_v4().expect("a socket can be made");
    // Connections that are not long gone must not keep the address.
    socket.set_reuseaddr(true).expect("an own socket can be set up");
    socket
        .bind(address)
        .unwrap_or_else(|error| panic!("the door cannot have {address}: {error}"));
    socket
}

async fn relay(listener: TcpListener, upstream: String, stop: CancellationToken) {
    let mut connections = JoinSet::new();
    while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
        // What failed on its way in is no connection; the next one may be fine.
        let Ok((client, _)) = accepted else { continue };
        connections.spawn(carry(client, upstream.clone()));
        while connections.try_join_next().is_some() {}
    }
    connections.shutdown().await;
}

/// Carries bytes until either side ends; how it ended, both sides see.
async fn carry(mut client: TcpStream, upstream: String) {
    if let Ok(mut server) = TcpStream::connect(upstream).await {
        let _ = copy_bidirectional(&mut client, &mut server).await;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::io::ErrorKind;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// Answers each connection's first byte with the next one.
    async fn upstream() -> SocketAddr {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                tokio::spawn(async move {
                    while let Ok(byte) = stream.read_u8().await {
                        stream.write_u8(byte + 1).await.unwrap();
                    }
                });
            }
        });
        address
    }

    #[tokio::test]
    async fn it_refuses_while_it_is_shut_and_leads_to_the_server_while_it_is_open() {
        let mut door = Door::shut(upstream().await);
        for _ in 0..3 {
            let refused = TcpStream::connect(door.address()).await.unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
            door.start();
            let mut through = TcpStream::connect(door.address()).await.unwrap();
            through.write_u8(1).await.unwrap();
            assert_eq!(through.read_u8().await.unwrap(), 2);
            door.stop().await;
            assert!(through.read_u8().await.is_err(), "the connection outlived the door");
        }
    }
}
