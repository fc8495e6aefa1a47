//! The locks of [`super::machine`]. A model checker replaces this module by one that exports its own.

pub(super) use std::sync::{Arc, Mutex};
