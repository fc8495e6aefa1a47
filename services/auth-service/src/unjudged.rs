//! Attempts that were turned away unjudged: throttled, overloaded, a refresh token that is none, a service's secret.
//!
//! They cost the attacker nothing, and what they are keyed by (address, name) is the attacker's choice, so they must cost little
//! here, in memory and on disk: they are counted in bounded memory, and written once a second. What is seen for the first time is
//! written at once, and after that once a window, one row for all alike. How many such rows there are of each event and
//! outcome is bounded for good (a burst, then one a minute); what goes beyond is counted together, in one row a window.
//!
//! A failed write is kept, logged and repeated; only the sudden death of the process loses what was not written yet.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use nova_service::Postgres;
use tokio_util::sync::CancellationToken;

use crate::{
    audit::{Counted, Event, Outcome},
    client::Client,
    domain::Email,
    store,
};

/// How many kinds are told apart between two writes; the rest is counted together.
const MOST_KINDS: usize = 1_000;
const WRITE_EVERY: Duration = Duration::from_secs(1);
/// Rows of one event and outcome that tell who it was: so many at once,
const BURST: f64 = 200.0;
/// and one more after this. With the common rows, 2,880 a day and 200 more: 40 MB in 90 days of nothing but attacks.
const ONE_MORE_AFTER: Duration = Duration::from_secs(60);

/// The attempts that are not written yet.
pub struct Unjudged {
    /// Attempts that are alike are one row for this long.
    window: Duration,
    books: Mutex<Books>,
}

type Kind = (Event, Outcome, Option<[u8; 16]>, Option<IpAddr>);

#[derive(Default)]
struct Books {
    waiting: HashMap<Kind, Counted>,
    /// When a row of a kind was last written; forgotten after a window.
    written: HashMap<Kind, Instant>,
    /// What is left of the rows that tell who it was.
    budgets: HashMap<(Event, Outcome), Budget>,
}

struct Budget {
    left: f64,
    at: Instant,
}

impl Unjudged {
    /// With nothing to write yet.
    pub fn new(window: Duration) -> Self {
        Self {
            window,
            books: Mutex::default(),
        }
    }

    /// Counts an attempt.
    pub fn count(&self, event: Event, outcome: Outcome, email: Option<&Email>, client: &Client) {
        self.count_of(event, outcome, email.map(Email::digest), client);
    }

    /// Counts an attempt on whatever has this digest.
    pub fn count_of(&self, event: Event, outcome: Outcome, subject: Option<[u8; 16]>, client: &Client) {
        self.lock().add(Counted {
            event,
            outcome,
            subject,
            address: Some(client.address),
            user_agent: client.user_agent.clone(),
            attempts: 1,
        });
    }

    /// Writes what was counted, every second until `stop`, and then once more.
    pub async fn write(&self, postgres: &Postgres, stop: CancellationToken) {
        let mut failing = false;
        while stop
            .run_until_cancelled(tokio::time::sleep(WRITE_EVERY))
            .await
            .is_some()
        {
            let due = self.lock().due(Instant::now(), self.window);
            failing = self.flush(postgres, due, failing).await;
        }
        let due = self.lock().due(Instant::now(), Duration::ZERO);
        self.flush(postgres, due, failing).await;
    }

    async fn flush(&self, postgres: &Postgres, counted: Vec<Counted>, was_failing: bool) -> bool {
        if counted.is_empty() {
            return was_failing;
        }
        let written = match postgres.primary() {
            Ok(pool) => store::audit::insert_counted(pool, &counted).await,
            Err(unavailable) => Err(unavailable.into()),
        };
        let Err(error) = written else { return false };
        if !was_failing {
            tracing::error!(error = %error, rows = counted.len(), "audit rows not written, kept for later");
        }
        self.lock().give_back(counted);
        true
    }

    fn lock(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counted {
    fn kind(&self) -> Kind {
        (self.event, self.outcome, self.subject, self.address)
    }

    fn is_common(&self) -> bool {
        self.subject.is_none() && self.address.is_none()
    }

    /// The same, without who it was.
    fn common(self) -> Self {
        Self {
            subject: None,
            address: None,
            user_agent: None,
            ..self
        }
    }
}

impl Books {
    fn add(&mut self, counted: Counted) {
        let counted = if self.waiting.len() >= MOST_KINDS && !self.waiting.contains_key(&counted.kind()) {
            counted.common()
        } else {
            counted
        };
        match self.waiting.get_mut(&counted.kind()) {
            Some(same) => same.attempts += counted.attempts,
            None => {
                self.waiting.insert(counted.kind(), counted);
            }
        }
        metrics::gauge!("nova_auth_audit_unwritten").set(u32::try_from(self.waiting.len()).unwrap_or(u32::MAX));
    }

    /// The rows to write now, which are taken out of the books.
    fn due(&mut self, now: Instant, window: Duration) -> Vec<Counted> {
        self.written.retain(|_, at| now.saturating_duration_since(*at) < window);
        let (due, early): (Vec<_>, Vec<_>) = std::mem::take(&mut self.waiting)
            .into_values()
            .partition(|counted| !self.written.contains_key(&counted.kind()));
        early.into_iter().for_each(|counted| self.add(counted));
        let (common, single): (Vec<_>, Vec<_>) = due.into_iter().partition(Counted::is_common);
        let mut rows = common;
        for counted in single {
            if self.afford(&counted, now) {
                rows.push(counted);
                continue;
            }
            // One row for all that nobody can afford: with those that are written now, or when its time comes.
            let counted = counted.common();
            match rows.iter_mut().find(|row| row.kind() == counted.kind()) {
                Some(row) => row.attempts += counted.attempts,
                None if self.written.contains_key(&counted.kind()) => self.add(counted),
                None => rows.push(counted),
            }
        }
        self.written.extend(rows.iter().map(|row| (row.kind(), now)));
        rows
    }

    fn afford(&mut self, counted: &Counted, now: Instant) -> bool {
        let budget = self
            .budgets
            .entry((counted.event, counted.outcome))
            .or_insert(Budget { left: BURST, at: now });
        let earned = now.saturating_duration_since(budget.at).as_secs_f64() / ONE_MORE_AFTER.as_secs_f64();
        (budget.left, budget.at) = ((budget.left + earned).min(BURST), now);
        if budget.left < 1.0 {
            return false;
        }
        budget.left -= 1.0;
        true
    }

    fn give_back(&mut self, rows: Vec<Counted>) {
        for row in rows {
            self.written.remove(&row.kind());
            if !row.is_common()
                && let Some(budget) = self.budgets.get_mut(&(row.event, row.outcome))
            {
                budget.left += 1.0;
            }
            self.add(row);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_secs(60);

    fn attempt(number: u32) -> Counted {
        Counted {
            event: Event::Login,
            outcome: Outcome::Throttled,
            subject: None,
            address: Some(IpAddr::V4(std::net::Ipv4Addr::from_bits(number))),
            user_agent: None,
            attempts: 1,
        }
    }

    fn attempts(rows: &[Counted]) -> u64 {
        rows.iter().map(|row| row.attempts).sum()
    }

    #[test]
    fn a_flood_is_counted_in_bounded_memory_and_completely() {
        let mut books = Books::default();
        for number in 0..5_000 {
            books.add(attempt(number));
            books.add(attempt(number));
        }
        assert_eq!(books.waiting.len(), MOST_KINDS + 1);
        assert_eq!(
            books.waiting.values().map(|counted| counted.attempts).sum::<u64>(),
            10_000
        );
    }

    #[test]
    fn an_hour_of_made_up_addresses_is_a_bounded_number_of_rows_and_none_is_lost() {
        let (mut books, start) = (Books::default(), Instant::now());
        let (mut rows, mut seen) = (0, 0);
        for second in 0..3_600 {
            for number in 0..300 {
                books.add(attempt(second * 300 + number));
            }
            let due = books.due(start + Duration::from_secs(second.into()), WINDOW);
            rows += due.len();
            seen += attempts(&due);
            assert!(books.written.len() < 1_000);
        }
        let last = books.due(start + Duration::from_secs(3_600), Duration::ZERO);
        assert_eq!(seen + attempts(&last), 3_600 * 300);
        // The burst, one a minute, and the common row of each minute.
        assert!(rows + last.len() <= 200 + 60 + 60 + 5, "{rows} rows and {}", last.len());
    }

    #[test]
    fn what_is_new_is_written_at_once_and_the_same_again_once_a_window() {
        let (mut books, start) = (Books::default(), Instant::now());
        let mut written = Vec::new();
        for second in 0..150 {
            books.add(attempt(7));
            for row in books.due(start + Duration::from_secs(second), WINDOW) {
                written.push((second, row.attempts));
            }
        }
        assert_eq!(written, [(0, 1), (60, 60), (120, 60)]);
        assert_eq!(
            attempts(&books.due(start + Duration::from_secs(150), Duration::ZERO)),
            29
        );
    }

    #[test]
    fn a_flood_of_one_kind_leaves_the_others_their_rows() {
        let (mut books, now) = (Books::default(), Instant::now());
        for number in 0..500 {
            books.add(attempt(number));
        }
        assert_eq!(books.due(now, WINDOW).len(), 201);
        books.add(Counted {
            event: Event::Refresh,
            outcome: Outcome::Failed,
            ..attempt(1)
        });
        let rows = books.due(now, WINDOW);
        assert!(
            rows.len() == 1 && rows.iter().all(|row| row.address.is_some()),
            "{rows:?}"
        );
    }

    #[test]
    fn what_could_not_be_written_is_due_again() {
        let (mut books, now) = (Books::default(), Instant::now());
        for _ in 0..1_000 {
            books.add(attempt(1));
            let rows = books.due(now, WINDOW);
            assert_eq!(rows.len(), 1);
            books.give_back(rows);
        }
        assert_eq!(attempts(&books.due(now, WINDOW)), 1_000);
    }
}
