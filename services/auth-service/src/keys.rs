//! The keys that sign access tokens: read from a file, published as JWKS, rotated without anyone noticing.
//!
//! A key is published before it signs, so that every verifier has it by the time it meets the first token, and it stays
//! published until the last token that it signed has expired.

mod file;
mod ring;

pub use file::KeyFile;
pub use ring::{KeyRing, RingError, SigningKey, Timing};
