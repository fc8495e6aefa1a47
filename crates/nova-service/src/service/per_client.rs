//! Open connections by client: one stranger who only connects must leave room for everybody else.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::http::{TrustedProxies, network};

/// How many connections each client has. A trusted proxy's are many clients': it may have as many as there are.
#[derive(Clone, Debug)]
pub(super) struct PerClient {
    most: u32,
    proxies: TrustedProxies,
    open: Arc<Mutex<HashMap<IpAddr, u32>>>,
}

/// One of a client's connections, until it is dropped.
#[derive(Debug)]
pub(super) struct Admitted(Option<(PerClient, IpAddr)>);

impl PerClient {
    pub(super) fn new(most: u32, proxies: TrustedProxies) -> Self {
        Self {
            most,
            proxies,
            open: Arc::default(),
        }
    }

    /// `None`: the client has as many as it may.
    pub(super) fn admit(&self, peer: IpAddr) -> Option<Admitted> {
        if self.proxies.contain(peer) {
            return Some(Admitted(None));
        }
        let client = network(peer);
        let mut open = self.lock();
        let count = open.entry(client).or_default();
        if *count >= self.most {
            return None;
        }
        *count += 1;
        Some(Admitted(Some((self.clone(), client))))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, u32>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        let Some((clients, client)) = self.0.take() else { return };
        let mut open = clients.lock();
        if let Some(count) = open.get_mut(&client) {
            *count -= 1;
            if *count == 0 {
                open.remove(&client);
            }
        }
    }
}
