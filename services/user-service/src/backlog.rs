//! Finishes what requests began and marked for later: a request is answered when the mark is committed, and the work survives
//! the member that began it. Every member looks; what one has in hand the others pass by.

use std::time::Duration;

use nova_service::DatabaseError;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::deletions;
use crate::store::deletion::Batch;
use crate::store::{backlog, counters};

/// How often the marks are looked for; a request of this member that leaves one has it done at once.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long one kind of work goes on before the others have their turn.
const TURN: u32 = 20;

/// Works off what there is, until `stop`. A batch that is cut off is rolled back and begun again.
pub(crate) async fn work(app: App, stop: CancellationToken) {
    let working = async {
        loop {
            let _ = timeout(LOOK_EVERY, app.backlog.notified()).await;
            // While nothing can be written nothing is lost either: the marks stay.
            while round(&app).await.unwrap_or_else(|error| {
                tracing::debug!(%error, "backlog not worked off");
                false
            }) {}
        }
    };
    stop.run_until_cancelled(working).await;
}

/// Some of each kind. `false` when there is nothing that this member can do now.
async fn round(app: &App) -> Result<bool, DatabaseError> {
    let todo = backlog::look(&mut *app.postgres.primary()?.acquire().await?).await?;
    let max_following = i64::from(app.settings.max_following);
    let mut done = false;
    if todo.deltas {
        // What somebody holds, or came since, has its turn in a second: a counter is right without it.
        app.postgres
            .write(|connection| Box::pin(counters::fold(connection)))
            .await?;
    }
    for _ in 0..TURN {
        if !todo.posts
            || !app
                .postgres
                .write(|connection| Box::pin(backlog::posts(connection)))
                .await?
        {
            break;
        }
        done = true;
    }
    for _ in 0..TURN {
        let accepting = app
            .postgres
            .write(|connection| Box::pin(backlog::acceptances(connection, max_following)));
        if !todo.acceptances || !accepting.await? {
            break;
        }
        done = true;
    }
    if let Some(account) = todo.account {
        for _ in 0..TURN {
            if deletions::next(app, account).await? == Batch::Finished {
                break;
            }
        }
        done = true;
    }
    Ok(done)
}
