//! Everything that is asked of PostgreSQL, one file an aggregate.
//!
//! **Locks.** Whoever changes how two accounts stand to each other first locks both profiles, in the order of their ids
//! (`pair`); whoever changes what hangs on a post first locks the post. So a block and a follow, or a like and a deletion,
//! never pass each other. Counters of posts and authors are never waited for (`counters`) and exact all the same.

#[macro_use]
mod visibility;

pub(crate) mod backlog;
pub(crate) mod blocks;
pub(crate) mod comments;
pub(crate) mod counters;
pub(crate) mod deletion;
pub(crate) mod feed;
pub(crate) mod follow_requests;
pub(crate) mod follows;
pub(crate) mod likes;
mod listed;
mod pair;
pub(crate) mod posts;
pub(crate) mod profiles;
mod told;

use nova_service::DatabaseError;
use uuid::Uuid;

pub(crate) type Result<T> = std::result::Result<T, DatabaseError>;

/// Which part of a list: newest first, below a position.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slice {
    below: Uuid,
    rows: i64,
}

impl Slice {
    /// `limit` rows after the position, and one more that tells whether there is a next page.
    pub(crate) fn new(after: Option<Uuid>, limit: i64) -> Self {
        Self {
            below: after.unwrap_or(Uuid::max()),
            rows: limit + 1,
        }
    }
}
