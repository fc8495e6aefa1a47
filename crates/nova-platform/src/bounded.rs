//! Runs one check within its deadline. When time is up, the error says what was being waited for, and what had gone
//! wrong before.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::stream::{FuturesUnordered, StreamExt};
use tokio::time::{Instant, sleep, timeout_at};

use crate::probe::{Check, CheckResult};

/// What a check found: nothing to complain of, or what was tried, on what, and what came back.
pub(crate) type Verdict = Result<(), String>;

/// Pause before the next candidate is asked as well, when the one before has not answered.
const STAGGER: Duration = Duration::from_millis(100);
/// Refusals that an error repeats at most.
const REFUSALS: usize = 5;

/// Until when a check may run, and what it is doing.
#[derive(Clone)]
pub(crate) struct Stage {
    until: Instant,
    told: Arc<Mutex<Told>>,
}

#[derive(Default)]
struct Told {
    doing: String,
    refusals: Vec<String>,
}

impl Stage {
    pub(crate) fn new(until: Instant) -> Self {
        Self {
            until,
            told: Arc::default(),
        }
    }

    /// Says what is waited for from here on: "the commit on postgres-1".
    pub(crate) fn enter(&self, doing: impl Into<String>) {
        self.told().doing = doing.into();
    }

    /// Says what went wrong and is being tried otherwise.
    pub(crate) fn refused(&self, refusal: impl Into<String>) {
        let mut told = self.told();
        if told.refusals.len() < REFUSALS {
            told.refusals.push(refusal.into());
        }
    }

    /// When the check ends.
    pub(crate) fn until(&self) -> Instant {
        self.until
    }

    /// Time left.
    pub(crate) fn remaining(&self) -> Duration {
        self.until.saturating_duration_since(Instant::now())
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn timed_out(&self, after: Duration) -> String {
        let told = self.told();
        let doing = if told.doing.is_empty() {
            "it to begin"
        } else {
            told.doing.as_str()
        };
        let mut text = format!("timed out after {} ms waiting for {doing}", after.as_millis());
        if !told.refusals.is_empty() {
            text.push_str("; before that: ");
            text.push_str(&told.refusals.join("; "));
        }
        text
    }
}

/// Runs a check until `until` at the latest.
pub(crate) async fn check<F>(which: impl Into<Check>, until: Instant, body: impl FnOnce(Stage) -> F) -> CheckResult
where
    F: Future<Output = Verdict>,
{
    let begin = Instant::now();
    let stage = Stage::new(until);
    let verdict = match timeout_at(until, body(stage.clone())).await {
        Ok(verdict) => verdict,
        Err(_) => Err(stage.timed_out(begin.elapsed())),
    };
    CheckResult::of(which, begin.elapsed(), verdict)
}

/// Asks candidates until one answers: the next one when the one before refused, or has been silent for a while.
/// The error has every refusal.
pub(crate) async fn first_answer<'a, C, T, F>(
    candidates: &'a [C],
    stage: Option<&Stage>,
    ask: impl Fn(&'a C) -> F,
) -> Result<T, String>
where
    F: Future<Output = Result<T, String>>,
{
    let mut next = candidates.iter();
    let mut asked = FuturesUnordered::new();
    let mut refusals = Vec::new();
    loop {
        match next.next() {
            Some(candidate) => asked.push(ask(candidate)),
            None if asked.is_empty() => return Err(refusals.join("; ")),
            None => {}
        }
        let answer = tokio::select! {
            Some(answer) = asked.next() => answer,
            () = sleep(STAGGER), if next.len() > 0 => continue,
        };
        match answer {
            Ok(answer) => return Ok(answer),
            Err(refusal) => {
                if let Some(stage) = stage {
                    stage.refused(&refusal);
                }
                refusals.push(refusal);
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]
mod tests {
    use std::future::pending;
    use std::time::Duration;

    use tokio::time::Instant;

    use super::{check, first_answer};
    use crate::probe::CheckKind;

    #[tokio::test(start_paused = true)]
    async fn a_check_that_hangs_says_what_it_waited_for_and_what_had_failed() {
        let result = check(
            CheckKind::WriteRead,
            Instant::now() + Duration::from_millis(800),
            async |stage| {
                stage.refused("redis-1 (127.0.0.1:1): connection refused");
                stage.enter("the answer of redis-2");
                pending().await
            },
        )
        .await;
        assert!(!result.ok);
        let error = result.error.unwrap();
        assert_eq!(
            error,
            "timed out after 800 ms waiting for the answer of redis-2; before that: redis-1 (127.0.0.1:1): connection refused"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_candidate_does_not_hold_up_the_others() {
        let answer = first_answer(&[1, 2, 3], None, async |candidate: &i32| match candidate {
            1 => pending().await,
            2 => Err("2 refuses".to_owned()),
            other => Ok(*other),
        })
        .await;
        assert_eq!(answer, Ok(3));
    }

    #[tokio::test(start_paused = true)]
    async fn when_nobody_answers_every_refusal_is_told() {
        let answer = first_answer(&[1, 2], None, async |candidate: &i32| {
            Err::<(), _>(format!("{candidate} refuses"))
        })
        .await;
        assert_eq!(answer, Err("1 refuses; 2 refuses".to_owned()));
        assert_eq!(
            first_answer(&[] as &[i32], None, async |_| Ok(())).await,
            Err(String::new())
        );
    }
}
