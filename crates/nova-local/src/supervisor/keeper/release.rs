//! Tells the others that a member is proven dead, so that they need not wait until they believe it: gives up PostgreSQL's leader key
//! (decision 10), asks for the successor of a Redis master (decision 12).
//!
//! The proof: the supervisor has seen the main process end, and the kernel's table holds nothing else of the member. It ends before
//! the member is started again, since then the name may have a session that lives.

use std::time::Duration;

use nova_member::leader_key::{LeaderKey, Life, Released};
use nova_member::{Place, redis_start};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::House;
use crate::process::{Family, Handle, nothing_left};
use crate::supervisor::registry::Record;

/// What the proof and the delete may take together. Later there is little left to win: the key's session ends after 20 s.
const LIMIT: Duration = Duration::from_secs(15);

/// The attempt; dropping it lets it end soon.
pub(super) struct Release {
    attempt: JoinHandle<()>,
    wanted: DropGuard,
}

/// What a dead member leaves.
enum Estate {
    LeaderKey(LeaderKey),
    Redis(Place),
}

impl Release {
    /// Begins it for a member that is ending or has ended; `None` when it can have led nothing. `main` is its main process where
    /// that was still watched.
    pub(super) fn begin(house: &House, record: &Record, main: Option<Handle>) -> Option<Self> {
        let launch = &record.launch;
        let estate = match (&launch.leader_key, &launch.redis) {
            (Some(key), _) => Estate::LeaderKey(key.clone()),
            (None, Some(directory)) => Estate::Redis(Place::Directory(directory.clone())),
            (None, None) => return None,
        };
        let member = launch.member.clone();
        let (family, uid) = (record.family(house.layout()), house.uid());
        let end = CancellationToken::new();
        let wanted = end.clone().drop_guard();
        let attempt = async move {
            let begin = Instant::now();
            let proven = end.run_until_cancelled(prove(&member, main, &family, uid)).await;
            if proven != Some(true) {
                return;
            }
            match estate {
                Estate::LeaderKey(key) => give_up(&member, key, begin, end).await,
                Estate::Redis(place) => {
                    end.run_until_cancelled(ask_for_successor(&member, place)).await;
                }
            }
        };
        let attempt = tokio::task::spawn_local(attempt);
        Some(Self { attempt, wanted })
    }

    /// Returns when nothing will be done any more: at once, or when etcd has answered or a second or two have passed.
    pub(super) async fn end(self) {
        drop(self.wanted);
        let _ = self.attempt.await;
    }
}

/// Whether nothing of the member runs, and the kernel says so.
async fn prove(member: &str, main: Option<Handle>, family: &Family, uid: u32) -> bool {
    if let Some(main) = main
        && let Err(error) = main.ended().await
    {
        tracing::warn!(member, %error, "whether it is dead cannot be seen; the others must find out");
        return false;
    }
    // What goes on without its main process (PostgreSQL without Patroni) may still lead.
    timeout(LIMIT, nothing_left(family, uid)).await.is_ok()
}

async fn give_up(member: &str, key: LeaderKey, begin: Instant, end: CancellationToken) {
    let proven = begin.elapsed();
    let left = LIMIT.saturating_sub(proven);
    let release = move || key.release(Life::Last, left, || !end.is_cancelled());
    let released = tokio::task::spawn_blocking(release).await;
    match released.unwrap_or_else(|error| Err(error.to_string())) {
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
}

async fn ask_for_successor(member: &str, place: Place) {
    match tokio::task::spawn_blocking(move || redis_start::died(&place)).await {
        Ok(Ok(Some(told))) => tracing::warn!(member, "nothing of it runs: {told}"),
        Ok(Ok(None)) => tracing::info!(
            member,
            "nothing of it runs, and it was no master that could be replaced"
        ),
        Ok(Err(error)) => tracing::warn!(member, %error, "the Sentinels could not be told that it is dead"),
        Err(error) => tracing::warn!(member, %error, "the Sentinels were not told that it is dead"),
    }
}
