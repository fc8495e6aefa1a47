//! Tells the others that a member is proven dead, so that they need not wait until they believe it: gives up PostgreSQL's leader key
//! (decision 10), asks for the successor of a Redis master (decision 12), ends a Kafka broker's session (decision 13).
//!
//! The proof: the supervisor has seen the main process end, and the kernel's table holds nothing else of the member. Where only its name
//! tells the others who is meant, the attempt ends before the member is started again: then the name may have a session that lives.

use std::time::Duration;

use nova_member::kafka_fence::{Fence, Fenced};
use nova_member::leader_key::{LeaderKey, Life, Released};
use nova_member::{Place, redis_start};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::House;
use crate::process::{Family, Handle, nothing_left};
use crate::supervisor::protocol::Launch;
use crate::supervisor::registry::Record;

/// What the proof and the delete may take together. Later there is little left to win: the key's session ends after 20 s.
const LIMIT: Duration = Duration::from_secs(15);

/// The attempt; dropping it lets it end soon.
pub(super) struct Release {
    attempt: JoinHandle<()>,
    wanted: DropGuard,
    /// Whether it can mean no other life of the member than the one that has ended.
    means_one_life: bool,
}

/// What a dead member leaves.
enum Estate {
    LeaderKey(LeaderKey),
    Redis(Place),
    Kafka(Fence),
}

impl Release {
    /// Begins it for a member that is ending or has ended; `None` when it can have led nothing. `main` is its main process where
    /// that was still watched.
    pub(super) fn begin(house: &House, record: &Record, main: Option<Handle>) -> Option<Self> {
        let launch = &record.launch;
        let estate = Estate::of(launch)?;
        let means_one_life = matches!(estate, Estate::Kafka(_));
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
                Estate::Kafka(fence) => end_session(&member, fence, end).await,
            }
        };
        let attempt = tokio::task::spawn_local(attempt);
        Some(Self {
            attempt,
            wanted,
            means_one_life,
        })
    }

    /// Returns when nothing will be done any more that the next life could be meant by: at once, or when etcd has answered or a second
    /// or two have passed. What may go on is given back.
    pub(super) async fn before_next_life(self) -> Option<Self> {
        if self.means_one_life {
            return Some(self);
        }
        drop(self.wanted);
        let _ = self.attempt.await;
        None
    }
}

impl Estate {
    /// To be looked at before the member is started again, which writes over what its last life left.
    fn of(launch: &Launch) -> Option<Self> {
        if let Some(key) = &launch.leader_key {
            return Some(Self::LeaderKey(key.clone()));
        }
        if let Some(directory) = &launch.redis {
            return Some(Self::Redis(Place::Directory(directory.clone())));
        }
        let directory = launch.kafka.clone()?;
        match Fence::of_last_life(&Place::Directory(directory)) {
            Ok(fence) => fence.map(Self::Kafka),
            Err(error) => {
                tracing::warn!(member = %launch.member, %error, "its session is not known, and ends by itself");
                None
            }
        }
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

async fn end_session(member: &str, fence: Fence, end: CancellationToken) {
    let ended = tokio::task::spawn_blocking(move || fence.end_session(LIMIT, || !end.is_cancelled())).await;
    match ended.unwrap_or_else(|error| Err(error.to_string())) {
        Ok(Fenced::Done) => tracing::warn!(member, "nothing of it runs: {}", Fenced::Done),
        Ok(fenced) => tracing::info!(member, "nothing of it runs: {fenced}"),
        Err(error) => tracing::warn!(member, error, "its session could not be ended; it ends by itself"),
    }
}
