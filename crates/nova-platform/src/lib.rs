//! The description of a Nova platform and what is done with it on any target: defaults, validation, the dependency
//! graph, secrets, checks and the rollout. Knows no target.

mod bounded;
pub mod checks;
mod component_id;
pub mod components;
pub mod config;
pub mod desk;
pub mod endpoints;
pub mod events;
pub mod explained;
pub mod graph;
mod http;
pub mod kafka_wire;
pub mod key;
pub mod load;
pub mod log_time;
mod patroni;
pub mod patroni_settings;
mod postgres_login;
pub mod probe;
pub mod provision;
pub mod rollout;
pub mod schema;
pub mod secrets;
pub mod spec;
pub mod status;
pub mod suggestion;
pub mod target;
mod topics;
pub mod topology;
pub mod transition;
pub mod units;
pub mod uses;
pub mod validate;
