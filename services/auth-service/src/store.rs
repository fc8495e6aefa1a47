//! Everything that is asked of PostgreSQL. No other module holds SQL.
//!
//! Each attempt and its audit row are one statement, or one transaction: an outcome that could not be recorded did not
//! happen, and the client is told to try again.

pub mod accounts;
pub mod audit;
pub mod deletions;
pub mod retention;
pub mod sessions;
