//! Every number of the layers, with its default and its rules.

use std::time::Duration;

/// The numbers of one host's layers.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// How long a whole call may take, all attempts and waits included.
    pub timeout: Duration,
    /// Retries after the first attempt.
    pub retry_max: u32,
    /// The longest wait before the first retry; it doubles with each.
    pub retry_delay: Duration,
    /// The longest wait before any retry.
    pub retry_delay_max: Duration,
    /// Retries as a share of the calls of the last 10 s, in (0, 1].
    pub budget_ratio: f64,
    /// Retries a second that are allowed whatever the share.
    pub budget_floor: u32,
    /// Calls in flight, and as many waiting.
    pub limit: usize,
    /// How long a call waits for a place in flight; zero refuses at once.
    pub pool_wait: Duration,
    /// Over how long the breaker judges calls.
    pub breaker_window: Duration,
    /// Fewer calls than this in the window never open the breaker.
    pub breaker_minimum_calls: u32,
    /// The share of failed calls that opens the breaker, in (0, 1].
    pub breaker_failure_ratio: f64,
    /// A call that takes this long is slow.
    pub breaker_slow_call: Duration,
    /// The share of slow calls that opens the breaker, in (0, 1].
    pub breaker_slow_ratio: f64,
    /// How long the breaker stays open.
    pub breaker_open: Duration,
    /// How many probes may be in flight when the breaker is half open, and how many must succeed to close it.
    pub breaker_probes: u32,
    /// How long a probe may take before it counts as failed.
    pub breaker_probe_timeout: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(3),
            retry_max: 3,
            retry_delay: Duration::from_millis(100),
            retry_delay_max: Duration::from_secs(1),
            budget_ratio: 0.2,
            budget_floor: 1,
            limit: 50,
            pool_wait: Duration::from_millis(100),
            breaker_window: Duration::from_secs(10),
            breaker_minimum_calls: 10,
            breaker_failure_ratio: 0.5,
            breaker_slow_call: Duration::from_secs(1),
            breaker_slow_ratio: 0.5,
            breaker_open: Duration::from_secs(2),
            breaker_probes: 3,
            breaker_probe_timeout: Duration::from_secs(1),
        }
    }
}

/// A setting that makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{setting} makes no sense: {reason}")]
pub struct SettingsError {
    /// The field of [`Settings`].
    pub setting: &'static str,
    /// What is wrong with it, and what would be right.
    pub reason: String,
}

/// No time here may be longer: also what the deadline header can carry.
const LONGEST: Duration = Duration::from_secs(60 * 60);
/// Times of the breaker's window and of timeouts below this cannot be told apart.
const SHORTEST: Duration = Duration::from_millis(1);
const MOST_RETRIES: u32 = 10;
const MOST: usize = 100_000;

impl Settings {
    /// Whoever gave an attempt less time than this cannot blame the host for having run out of it: half of an equal share of a
    /// call's time, or half of what is slow anyway.
    pub fn patience(&self) -> Duration {
        let share = self.timeout / (self.retry_max + 1);
        share.min(self.breaker_slow_call) / 2
    }

    /// Whether the numbers make sense, one by one and together.
    ///
    /// # Errors
    /// The first that does not, and why.
    pub fn validate(&self) -> Result<(), SettingsError> {
        time("timeout", self.timeout)?;
        time("retry_delay", self.retry_delay)?;
        time("retry_delay_max", self.retry_delay_max)?;
        time("breaker_window", self.breaker_window)?;
        time("breaker_slow_call", self.breaker_slow_call)?;
        time("breaker_open", self.breaker_open)?;
        time("breaker_probe_timeout", self.breaker_probe_timeout)?;
        ratio("budget_ratio", self.budget_ratio)?;
        ratio("breaker_failure_ratio", self.breaker_failure_ratio)?;
        ratio("breaker_slow_ratio", self.breaker_slow_ratio)?;
        count("limit", self.limit)?;
        count("breaker_minimum_calls", self.breaker_minimum_calls as usize)?;
        count("breaker_probes", self.breaker_probes as usize)?;
        if self.budget_floor as usize > MOST {
            return refuse("budget_floor", format!("{} is above {MOST}", self.budget_floor));
        }
        self.validate_together()
    }

    fn validate_together(&self) -> Result<(), SettingsError> {
        if self.retry_max > MOST_RETRIES {
            let reason = format!(
                "{} is above {MOST_RETRIES}; each retry has to fit into the timeout",
                self.retry_max
            );
            return refuse("retry_max", reason);
        }
        below("retry_delay", self.retry_delay, "timeout", self.timeout)?;
        below("pool_wait", self.pool_wait, "timeout", self.timeout)?;
        if self.retry_delay > self.retry_delay_max {
            let reason = format!(
                "{:?} is below retry_delay, {:?}",
                self.retry_delay_max, self.retry_delay
            );
            return refuse("retry_delay_max", reason);
        }
        Ok(())
    }
}

fn refuse(setting: &'static str, reason: String) -> Result<(), SettingsError> {
    Err(SettingsError { setting, reason })
}

fn time(setting: &'static str, value: Duration) -> Result<(), SettingsError> {
    if (SHORTEST..=LONGEST).contains(&value) {
        return Ok(());
    }
    refuse(
        setting,
        format!("{value:?} is not between {SHORTEST:?} and {LONGEST:?}"),
    )
}

fn ratio(setting: &'static str, value: f64) -> Result<(), SettingsError> {
    if value > 0.0 && value <= 1.0 {
        return Ok(());
    }
    refuse(setting, format!("{value} is not a share above 0 and up to 1"))
}

fn count(setting: &'static str, value: usize) -> Result<(), SettingsError> {
    if (1..=MOST).contains(&value) {
        return Ok(());
    }
    refuse(setting, format!("{value} is not between 1 and {MOST}"))
}

fn below(setting: &'static str, value: Duration, other: &str, bound: Duration) -> Result<(), SettingsError> {
    if value < bound {
        return Ok(());
    }
    refuse(
        setting,
        format!("{value:?} is not below {other}, {bound:?}, so nothing could come of it"),
    )
}
