//! How members start the careful way: Redis and Sentinel find their role first, Kafka's storage is formatted when it is new,
//! Patroni is given its passwords, etcd finds its cluster. The same on every target; a binary of its own, since it is all of Nova that a store's image holds.

mod address;
mod error;
pub mod etcd_api;
pub mod etcd_leave;
mod etcd_space;
pub mod etcd_start;
pub mod etcd_watch;
mod files;
pub mod hand_over;
pub mod init;
pub mod kafka_fence;
pub mod kafka_start;
pub mod kafka_wire;
pub mod leader_key;
pub mod patroni_python;
mod place;
pub mod postgres_start;
pub mod probe;
pub mod ready;
pub mod redis_start;
mod redis_view;
mod resolve;
mod resp;
pub mod sentinel_behind;
pub mod sentinel_start;
pub mod sentinel_watch;
mod start;

pub use address::{Address, HostPort};
pub use error::StartError;
pub use place::Place;
pub use start::{MASTER_NAME, Start};
