//! The headers by which a deadline and a "do not retry" cross from one service to the next. Pure functions.

use std::time::Duration;

use http::HeaderValue;

/// What the caller has left, in whole milliseconds. Relative, since clocks differ from machine to machine.
pub const TIMEOUT_HEADER: &str = "nova-timeout-ms";

/// Present on an answer that the tier below has retried already, or that no retry can change.
pub const DO_NOT_RETRY_HEADER: &str = "nova-do-not-retry";

/// The most digits that a budget has: 9,999,999 ms, under three hours.
const DIGITS: usize = 7;
const MAX_MS: u64 = 9_999_999;

/// The budget that a header states: one to seven ASCII digits and nothing else. `None` for anything else (signs, spaces,
/// fractions, units, overflow), so that the receiver's own limit holds.
pub fn parse(value: &HeaderValue) -> Option<Duration> {
    let digits = value.as_bytes();
    if digits.is_empty() || digits.len() > DIGITS {
        return None;
    }
    digits
        .iter()
        .try_fold(0, |sum: u64, digit| {
            digit.is_ascii_digit().then(|| sum * 10 + u64::from(digit - b'0'))
        })
        .map(Duration::from_millis)
}

/// The budget of a request: what its header states, but never more than the receiver's `own` limit. Zero: it has expired.
pub fn budget(own: Duration, header: Option<&HeaderValue>) -> Duration {
    header.and_then(parse).map_or(own, |stated| stated.min(own))
}

/// The header for a budget, rounded down to milliseconds so that it never grows on its way.
pub fn format(budget: Duration) -> HeaderValue {
    let ms = u64::try_from(budget.as_millis()).unwrap_or(MAX_MS).min(MAX_MS);
    HeaderValue::from(ms)
}
