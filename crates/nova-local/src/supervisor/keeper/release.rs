//! Gives up the leader key of a member that is proven dead, so that the others need not wait until its session ends.
//!
//! The proof is decision 10: the supervisor has seen the main process end, and the kernel's table holds nothing else of the
//! member. Dropped before the member is started again, since then the name may have a session that lives.

use std::time::Duration;

use nova_platform::leader_key::Released;
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout};

use super::House;
use crate::process::{Handle, nothing_left};
use crate::supervisor::registry::Record;

/// What the proof and the delete may take together. Later there is little left to win: the key's session ends after 20 s.
const LIMIT: Duration = Duration::from_secs(15);

/// The attempt, as long as it is kept.
pub(super) struct Release(AbortHandle);

impl Release {
    /// Begins it for a member that is ending or has ended; `None` when it holds no such key. `main` is its main process where
    /// that was still watched.
    pub(super) fn begin(house: &House, record: &Record, main: Option<Handle>) -> Option<Self> {
        let key = record.launch.leader_key.clone()?;
        let member = record.launch.member.clone();
        let (family, uid) = (record.family(house.layout()), house.uid());
        let release = async move {
            let begin = Instant::now();
            if let Some(main) = main
                && let Err(error) = main.ended().await
            {
                tracing::warn!(member, %error, "whether it is dead cannot be seen; its leader key stays");
                return;
            }
            // What goes on without its main process (PostgreSQL without Patroni) keeps the key.
            if timeout(LIMIT, nothing_left(&family, uid)).await.is_err() {
                return;
            }
            let proven = begin.elapsed();
            match key.release(LIMIT.saturating_sub(proven)).await {
                // Rare, and worth a line at the usual level: who leads changes because of it.
                Ok(Released::Deleted) => {
                    let (proven, done) = (proven.as_millis(), begin.elapsed().as_millis());
                    tracing::warn!(
                        member,
                        proven_ms = proven,
                        done_ms = done,
                        "nothing of it runs: {}",
                        Released::Deleted
                    );
                }
                Ok(released) => tracing::info!(member, "nothing of it runs: {released}"),
                Err(error) => tracing::warn!(
                    member,
                    error,
                    "its leader key could not be given up; it ends with its session"
                ),
            }
        };
        Some(Self(tokio::task::spawn_local(release).abort_handle()))
    }
}

impl Drop for Release {
    fn drop(&mut self) {
        self.0.abort();
    }
}
