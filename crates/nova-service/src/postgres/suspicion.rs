//! What a failed statement tells about the other connections: after a failover all of them may lead to the wrong server.
//!
//! One process talks to one database, so this is one fact a process; errors become problems far from the pool that
//! they came from.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::watch;

/// For so long after a failure every connection is tested before it is used.
const DISTRUST: Duration = Duration::from_secs(5);

static EPOCH: LazyLock<Instant> = LazyLock::new(Instant::now);
/// Milliseconds since `EPOCH` of the last failure, plus one; zero is never.
static LAST: AtomicU64 = AtomicU64::new(0);
static CHANGED: LazyLock<watch::Sender<()>> = LazyLock::new(|| watch::Sender::new(()));

/// The same, of the last time that nothing was free in time.
static BUSY: AtomicU64 = AtomicU64::new(0);
/// How often that makes the doors be tried.
const TRIED_WHEN_BUSY: Duration = Duration::from_secs(1);

/// Notes that a statement failed in a way that a failover, a crash or a broken network would explain.
pub(crate) fn suspect() {
    LAST.store(now(), Ordering::Relaxed);
    CHANGED.send_replace(());
}

/// Notes that no connection became free in time. That is what overload looks like, and what a server looks like that swallows
/// packets; so the doors are tried, now and then, and the connections are trusted: testing each would add to an overload.
pub(super) fn busy() {
    let last = BUSY.swap(now(), Ordering::Relaxed);
    if !within(last, TRIED_WHEN_BUSY) {
        CHANGED.send_replace(());
    }
}

/// Whether connections must be tested before use.
pub(super) fn recent() -> bool {
    within(LAST.load(Ordering::Relaxed), DISTRUST)
}

/// Whether that all connections are at work proves nothing about the door.
pub(super) fn recently_busy() -> bool {
    within(BUSY.load(Ordering::Relaxed), DISTRUST)
}

fn within(last: u64, span: Duration) -> bool {
    last != 0 && now().saturating_sub(last) < u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// Wakes whoever watches the doors at each new failure.
pub(super) fn subscribe() -> watch::Receiver<()> {
    CHANGED.subscribe()
}

fn now() -> u64 {
    u64::try_from(EPOCH.elapsed().as_millis())
        .unwrap_or(u64::MAX)
        .saturating_add(1)
}
