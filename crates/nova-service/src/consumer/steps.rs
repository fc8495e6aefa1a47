//! The steps of a consumer's life, each of which a test can have it die or hang at.

use std::fmt;
use std::sync::Arc;

use futures::future::BoxFuture;

/// A step of a consumer's life, just reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    /// The group gave it a partition.
    Assigned,
    /// A batch was read from Kafka.
    Fetched,
    /// The handler is done; nothing is committed.
    Handled,
    /// All statements are done; the commit is next.
    Committing,
    /// The commit was acknowledged.
    Committed,
    /// The group takes a partition away.
    Revoked,
    /// An event that was put aside was applied; nothing is committed.
    Redriving,
    /// And committed.
    Redriven,
}

type Hook = dyn Fn(Point) -> BoxFuture<'static, ()> + Send + Sync;

/// What is called at each step: nothing, but in tests.
#[derive(Clone, Default)]
pub(super) struct Steps(Option<Arc<Hook>>);

impl Steps {
    pub(super) fn new(hook: impl Fn(Point) -> BoxFuture<'static, ()> + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(hook)))
    }

    pub(super) async fn reach(&self, point: Point) {
        if let Some(hook) = &self.0 {
            hook(point).await;
        }
    }
}

impl fmt::Debug for Steps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Steps(hooked)" } else { "Steps" })
    }
}
