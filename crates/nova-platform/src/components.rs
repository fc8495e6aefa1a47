//! The components that a platform can have: what each is called, and everything about it that is data.

mod id;

pub use id::{ComponentId, names};
