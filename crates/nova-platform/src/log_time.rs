//! When a line of a member's log was written. Every program writes its time in its own way; members write in UTC.

use time::macros::format_description;
use time::{Date, Time};

/// `2026-11-22T10:00:00` or `2026-11-22 10:00:00` (etcd, Patroni, PostgreSQL, Kafka, services).
const ISO: usize = "2026-11-22 10:00:00".len();
/// `22 Nov 2026 10:00:00` (Redis).
const REDIS: usize = "22 Nov 2026 10:00:00".len();

/// Unix time in milliseconds at which a line was written, by the first time that stands in it; `None` when there is none.
#[must_use]
pub fn written_ms(line: &str) -> Option<u64> {
    let starts = line.bytes().enumerate().filter(|(_, byte)| byte.is_ascii_digit());
    starts.into_iter().find_map(|(at, _)| stamp(line.get(at..)?))
}

/// The time at the beginning of this text.
fn stamp(text: &str) -> Option<u64> {
    let iso = format_description!("[year]-[month]-[day]");
    let redis = format_description!("[day] [month repr:short] [year]");
    let (date, clock, rest) = if text.as_bytes().get(4) == Some(&b'-') {
        let is_between = |byte: &u8| matches!(byte, b'T' | b' ');
        text.as_bytes().get(10).filter(|byte| is_between(byte))?;
        (
            Date::parse(text.get(..10)?, iso).ok()?,
            text.get(11..ISO)?,
            text.get(ISO..)?,
        )
    } else {
        (
            Date::parse(text.get(..11)?, redis).ok()?,
            text.get(12..REDIS)?,
            text.get(REDIS..)?,
        )
    };
    let clock = Time::parse(clock, format_description!("[hour]:[minute]:[second]")).ok()?;
    let seconds = date.with_time(clock).assume_utc().unix_timestamp();
    Some(u64::try_from(seconds).ok()? * 1000 + milliseconds(rest))
}

/// Of what follows the seconds: `.123456`, `,123`, or something else.
fn milliseconds(rest: &str) -> u64 {
    let digits = rest.strip_prefix(['.', ',']).unwrap_or_default();
    let mut value = 0;
    let mut digits = digits
        .bytes()
        .map_while(|byte| byte.is_ascii_digit().then(|| u64::from(byte - b'0')));
    for _ in 0..3 {
        value = value * 10 + digits.next().unwrap_or(0);
    }
    value
}

#[cfg(test)]
mod tests {
    use super::written_ms;

    /// 2026-11-22 10:00:00 UTC
    const TEN: u64 = 1_795_341_600_000;

    #[test]
    fn every_program_s_time_is_read() {
        for (line, at) in [
            ("2026-11-22 10:00:00,123 INFO: no action", TEN + 123),
            (
                "2026-11-22 10:00:00.123 UTC [15931] LOG:  received promote request",
                TEN + 123,
            ),
            (r#"{"level":"info","ts":"2026-11-22T10:00:01.5Z"}"#, TEN + 1500),
            ("4711:M 22 Nov 2026 10:00:02.003 * ready", TEN + 2003),
            ("2026-11-22T10:00:00,045 WARN QuorumController", TEN + 45),
            ("2026-11-22T10:00:00Z", TEN),
            ("17 lines, then 2026-11-22 10:00:00", TEN),
        ] {
            assert_eq!(written_ms(line), Some(at), "{line}");
        }
    }

    #[test]
    fn what_is_no_time_is_none() {
        for line in [
            "",
            "at 12",
            "2026-11-22",
            "2026-11-22x10:00:00",
            "2026-13-22 10:00:00",
            "99 Nov 2026 10:00:00",
            "ü1ö",
        ] {
            assert_eq!(written_ms(line), None, "{line}");
        }
    }
}
