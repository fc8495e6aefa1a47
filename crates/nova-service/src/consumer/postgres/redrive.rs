//! What was put aside is applied again, when somebody asks: by the member that has the partition, each event in a transaction that also
//! removes it. So it has its effect once, also when the member dies meanwhile, and events of its key that come now wait behind it.

use sqlx::PgConnection;

use super::letters::{self, Kept};
use super::sort::Newest;
use super::{Guard, PostgresSink, offsets, unavailable, unclear, versions};
use crate::commit;
use crate::consumer::steps::Point;
use crate::consumer::{Entry, Place, Redriven, SinkError};

/// How many are applied before the partition's new events have their turn.
const AT_ONCE: usize = 100;

/// What became of one.
enum One {
    Nothing,
    Applied,
    Stale,
    /// Once more; it is tried a few times.
    Failed(Box<Kept>, String),
    Refused(Box<Kept>, String),
}

pub(super) async fn redrive(sink: &PostgresSink, place: &Place, from: i64) -> Result<Redriven, SinkError> {
    let mut redriven = Redriven::default();
    let mut failures: (i64, u32) = (0, 0);
    for _ in 0..AT_ONCE {
        match one(sink, place).await? {
            One::Nothing => break,
            One::Applied => redriven.applied += 1,
            One::Stale => redriven.stale += 1,
            One::Failed(letter, reason) => {
                let attempts = if failures.0 == letter.id { failures.1 + 1 } else { 1 };
                failures = (letter.id, attempts);
                if attempts >= sink.attempts {
                    give_up(sink, place, &letter, &reason, attempts).await?;
                    redriven.failed += 1;
                }
            }
            One::Refused(letter, reason) => {
                give_up(sink, place, &letter, &reason, 1).await?;
                redriven.failed += 1;
            }
        }
    }
    let mut connection = sink
        .postgres
        .primary()
        .map_err(unavailable)?
        .acquire()
        .await
        .map_err(unavailable)?;
    // Somebody may have reset it while nothing came.
    let found = offsets::read(&mut connection, place).await.map_err(unavailable)?;
    if found != Some(from) {
        return Err(SinkError::Moved {
            found: found.unwrap_or_default(),
            believed: from,
        });
    }
    redriven.left = letters::count(&mut connection, place).await.map_err(unavailable)? as u64;
    Ok(redriven)
}

/// Applies the first one that is asked for.
async fn one(sink: &PostgresSink, place: &Place) -> Result<One, SinkError> {
    let mut transaction = sink.begin().await?;
    let Some(letter) = take(&mut transaction, place).await? else {
        return Ok(One::Nothing);
    };
    let event = match Entry::of(letter.record()) {
        Entry::Event(event) => event,
        Entry::Malformed { reason, .. } => return Ok(One::Refused(Box::new(letter), reason)),
    };
    let newest = match sink.guard {
        Guard::Newest => versions::of(&mut transaction, place, &[event.key()])
            .await
            .map_err(unavailable)?,
        Guard::Handler => Newest::new(),
    };
    let newer = newest.get(event.key()).is_none_or(|newest| event.version > *newest);
    if newer {
        match sink.handle(&mut transaction, std::slice::from_ref(&event)).await {
            Ok(()) => {}
            Err(SinkError::Failed(reason)) => return Ok(One::Failed(Box::new(letter), reason)),
            Err(SinkError::Refused(reason)) => return Ok(One::Refused(Box::new(letter), reason)),
            Err(other) => return Err(other),
        }
        if sink.guard == Guard::Newest {
            versions::store(&mut transaction, place, std::slice::from_ref(&event))
                .await
                .map_err(unavailable)?;
        }
    }
    sink.steps.reach(Point::Redriving).await;
    hand_on(&mut transaction, place, &letter).await.map_err(unavailable)?;
    letters::remove(&mut transaction, letter.id)
        .await
        .map_err(unavailable)?;
    commit(transaction).await.map_err(unclear)?;
    sink.steps.reach(Point::Redriven).await;
    Ok(if newer { One::Applied } else { One::Stale })
}

/// The lock on the partition's row comes first, as in a step: whoever applies new events of the key sees it parked or gone.
async fn take(connection: &mut PgConnection, place: &Place) -> Result<Option<Kept>, SinkError> {
    offsets::lock(connection, place).await.map_err(unavailable)?;
    letters::asked(connection, place).await.map_err(unavailable)
}

/// The wish was for the key: it goes over to those behind, also to those that came after it was made.
async fn hand_on(connection: &mut PgConnection, place: &Place, letter: &Kept) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update consumer_dead_letters set redrive_asked_at = now()
         where consumer = $1 and topic = $2 and key = $3 and id <> $4 and state = 'parked' and redrive_asked_at is null",
    )
    .bind(place.consumer)
    .bind(&place.topic)
    .bind(letter.key.as_deref())
    .bind(letter.id)
    .execute(connection)
    .await?;
    Ok(())
}

async fn give_up(
    sink: &PostgresSink,
    place: &Place,
    letter: &Kept,
    reason: &str,
    attempts: u32,
) -> Result<(), SinkError> {
    let mut transaction = sink.begin().await?;
    offsets::lock(&mut transaction, place).await.map_err(unavailable)?;
    letters::failed(&mut transaction, place, letter, reason, attempts)
        .await
        .map_err(unavailable)?;
    commit(transaction).await.map_err(unclear)
}
