//! What a service does with events.

use futures::future::BoxFuture;
use sqlx::PgConnection;

use super::{Event, HandlerError};

/// What a service does with events.
pub trait Handler: Send + Sync + 'static {
    /// Whether events of this type mean something to it. Others are passed over and counted, so that a topic may tell new things.
    fn wants(&self, kind: &str) -> bool;

    /// Applies events of one partition, in order, by this transaction and by nothing else: it is committed together with the place
    /// in the topic, or not at all. When it fails, events come again, one by one.
    ///
    /// What it does beside the transaction (a call, a message) may happen more than once.
    fn apply<'t>(
        &'t self,
        connection: &'t mut PgConnection,
        events: &'t [Event],
    ) -> BoxFuture<'t, Result<(), HandlerError>>;
}
