//! What services tell each other: topics, the types of their events, and how both travel. The contract, and nothing else: no I/O.
//!
//! - `topic` says what a topic is, `topics` has one file for each with its types, [`TOPICS`] lists them all;
//! - [`Envelope`] is what an event says of itself (CloudEvents 1.0), [`Version`] its place in the history of the database;
//! - [`Written`] is an event as it stands in PostgreSQL's log, before it is published;
//! - [`schema`] has the JSON Schemas, and what may change in them.

mod envelope;
mod event;
mod position;
pub mod schema;
mod topic;
pub mod topics;
mod version;
mod written;

pub use envelope::{CONTENT_TYPE, Envelope, HeaderError};
pub use event::{DecodeError, Event, Payload};
pub use position::{Partial, Position};
pub use topic::{Keep, Topic};
pub use topics::{EPOCHS, POSITION, PROBE, REJECTED, TOPICS, topic};
pub use version::Version;
pub use written::{MAX_EVENT_BYTES, PREFIX, Written, WrittenError};
