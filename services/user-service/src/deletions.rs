//! Deletes accounts, and learns which ones other members have deleted.
//!
//! First a tombstone: from then on the account's access tokens, which live on for minutes, are refused and make no new
//! profile. Then everything that the account did, in batches. A member that has the profile in [`crate::known_accounts`]
//! does not look for the tombstone; it learns of it within a second by [`watch`]. What the account writes there until then
//! either fails, because the profile is gone, or is found by the deletion, which does not end before nothing is left.

use std::time::Duration;

use nova_service::telemetry::context;
use nova_service::{DatabaseError, Problem};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::app::App;
use crate::store::deletion::{self, Batch};

/// How long one call works at most: less than an attempt of a caller may take. The next call goes on from there.
const BUDGET: Duration = Duration::from_millis(500);
/// Kept free of the request's own deadline, for the last batch and the answer.
const SPARE: Duration = Duration::from_millis(200);
const LOOK_EVERY: Duration = Duration::from_secs(1);
const FORGET_EVERY: Duration = Duration::from_secs(3600);
const FORGET_BATCH: i64 = 1_000;

/// Deletes everything of an account, known here or not. Doing it again changes nothing. [`Batch::More`] when there was no time
/// for all of it: the backlog goes on with it, and so does the next call.
pub(crate) async fn delete(app: &App, account: Uuid) -> Result<Batch, Problem> {
    let left = context::deadline().map(|deadline| deadline.remaining().saturating_sub(SPARE));
    let until = Instant::now() + left.unwrap_or(BUDGET).min(BUDGET);
    let mut batch = in_transaction(app, |connection| Box::pin(deletion::begin(connection, account))).await?;
    app.known.remove(account);
    while batch == Batch::More && Instant::now() < until {
        batch = next(app, account).await?;
    }
    Ok(batch)
}

/// Removes the next part of an account whose deletion has begun.
pub(crate) async fn next(app: &App, account: Uuid) -> Result<Batch, DatabaseError> {
    match in_transaction(app, |connection| Box::pin(deletion::next(connection, account))).await {
        Err(error) if deletion::is_overtaken(&error) => Ok(Batch::More),
        other => other,
    }
}

async fn in_transaction<F>(app: &App, work: F) -> Result<Batch, DatabaseError>
where
    F: for<'t> FnOnce(&'t mut sqlx::PgConnection) -> Work<'t>,
{
    app.postgres.write(work).await
}

type Work<'t> = std::pin::Pin<Box<dyn Future<Output = Result<Batch, DatabaseError>> + Send + 't>>;

/// Takes accounts that were deleted out of the known ones, until `stop`; forgets old deletions now and then.
pub(crate) async fn watch(app: App, stop: CancellationToken) {
    let watching = async {
        let (mut since, mut forgotten) = (None, Instant::now());
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            // While nothing can be read, nothing can be written for an account either; the next answer tells all since.
            match learn(&app, since).await {
                Ok(until) => since = Some(until),
                Err(error) => tracing::debug!(%error, "deleted accounts not looked for"),
            }
            if forgotten.elapsed() >= FORGET_EVERY {
                forgotten = Instant::now();
                if let Err(error) = forget(&app).await {
                    tracing::debug!(%error, "old deletions not forgotten");
                }
            }
        }
    };
    stop.run_until_cancelled(watching).await;
}

async fn learn(app: &App, since: Option<i64>) -> Result<i64, DatabaseError> {
    let lately = deletion::lately(&mut *app.read().await?, since).await?;
    for account in lately.accounts {
        app.known.remove(account);
    }
    Ok(lately.until)
}

async fn forget(app: &App) -> Result<(), DatabaseError> {
    while deletion::forget(app.postgres.primary()?, FORGET_BATCH).await? == FORGET_BATCH.unsigned_abs() {}
    Ok(())
}
