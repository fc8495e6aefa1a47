//! A member's life: it stands by until the slot is free, works for as long as that goes well, and begins again. Whatever goes wrong is
//! met by beginning again: nothing is known of what was published but what Kafka says when it is asked.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::failpoint::{Step, reach};
use crate::session::{self, SessionError};
use crate::source::{OwnError, give_up, own};
use crate::state::State;

/// Pauses after something went wrong.
const FIRST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(2);

/// Works until `stop`.
pub(crate) async fn run(config: Config, state: Arc<State>, stop: CancellationToken) {
    let mut pause = FIRST;
    while !stop.is_cancelled() {
        let before = pause;
        match once(&config, &state, &stop, &mut pause).await {
            Ok(()) => {}
            Err(SessionError::Own(OwnError::Taken)) => {
                state.stands_by();
                pause = FIRST;
                let jitter = rand::random_range(0.8..1.2);
                let _ = stop
                    .run_until_cancelled(sleep(config.events.stand_by.mul_f64(jitter)))
                    .await;
            }
            Err(error) => {
                state.waits(&error.to_string());
                if let SessionError::Own(OwnError::Lost(slot)) = &error {
                    // What it held back is gone; a new one says by its place what is missing, and a new epoch makes that good.
                    if let Err(error) = give_up(&config.database, slot).await {
                        tracing::warn!(%error, slot, "the lost replication slot could not be removed");
                    }
                }
                let _ = stop
                    .run_until_cancelled(sleep(pause.mul_f64(rand::random_range(0.5..1.0))))
                    .await;
                pause = if pause < before {
                    pause
                } else {
                    (pause * 2).min(LONGEST)
                };
            }
        }
    }
}

/// Owns the slot and works. An end by `stop` is no error.
async fn once(
    config: &Config,
    state: &Arc<State>,
    stop: &CancellationToken,
    pause: &mut Duration,
) -> Result<(), SessionError> {
    let owning = own(&config.database, &config.events, || state.stands_by());
    let Some(owned) = stop.run_until_cancelled(owning).await else {
        return Ok(());
    };
    let owned = owned?;
    reach(config.events.failpoint.as_ref(), Step::Owned);
    state.starts();
    tracing::info!(slot = config.events.slot, "this member owns the replication slot");
    session::run(config, state, owned, stop, pause).await
}
