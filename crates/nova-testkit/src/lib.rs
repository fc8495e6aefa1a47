//! Real stores and running services for tests: a PostgreSQL for each test process with a database for each test,
//! Redis with Sentinel, a Kafka of one broker, an issuer of access tokens, a service on a free port, a proxy that breaks what it
//! carries, a door that shuts.
//!
//! Whatever is started here ends with the test process, however that ends, and leaves no file. A test that cannot be
//! set up fails by a panic that says what is missing.

mod documented;
mod door;
mod fault_proxy;
mod issuer;
mod kafka;
mod port;
mod postgres;
mod redis;
mod server;
mod service;
mod told;
mod workplace;

pub use documented::documented;
pub use door::Door;
pub use fault_proxy::{Counts, Fault, FaultProxy};
pub use issuer::TestIssuer;
pub use kafka::{Kafka, TestRecord};
pub use port::free_port;
pub use postgres::{Postgres, TestDatabase};
pub use redis::Redis;
pub use service::{TestService, server_config};
pub use told::Told;
