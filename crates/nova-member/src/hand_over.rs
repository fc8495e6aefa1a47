//! A member that is told to end hands over first: a planned end costs then what a planned change of leader costs, and not a failover.
//! The same for whoever plans the change itself.
//!
//! Nothing depends on it. Where nobody can take over, because the others are ending too or nobody can be asked, the member ends as it
//! would without, after a second or two at most; and what the others do about a leader that is gone, they do then.

mod error;
mod etcd;
pub mod postgres;
pub mod redis;

use crate::place::Place;

pub use error::HandOverError;

/// Members that lead, and can hand over before they end. Kafka's brokers do so by themselves, in their controlled shutdown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Store {
    /// A PostgreSQL server under Patroni.
    Postgres,
    /// A Redis server.
    Redis,
    /// A member of etcd.
    Etcd,
}

/// Hands over what the member of this place leads, and returns when another one leads. Says what was done; `None` when it does not
/// lead.
///
/// # Errors
/// When nobody took over. It goes on leading then, or has given it up and somebody will.
pub fn before_end(store: Store, place: &Place) -> Result<Option<String>, HandOverError> {
    match store {
        Store::Postgres => postgres::before_end(place),
        Store::Redis => redis::before_end(place),
        Store::Etcd => etcd::before_end(place),
    }
}
