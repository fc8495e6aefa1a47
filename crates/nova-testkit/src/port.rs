//! Free ports.

use std::net::TcpListener;

/// A port of 127.0.0.1 that was free a moment ago. Another process may take it first, so whoever uses it must check
/// that the server behind it is its own.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("no free port on 127.0.0.1");
    listener.local_addr().expect("a bound socket has an address").port()
}
