//! Log lines of the last minutes.

use std::time::{SystemTime, UNIX_EPOCH};

use nova_platform::log_time::written_ms;

/// The lines from the first one that is not older than `from` on; a line without a time belongs to the one before it.
pub(super) fn lines(lines: Vec<String>, from: SystemTime) -> Vec<String> {
    let from = from.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let first = lines
        .iter()
        .position(|line| written_ms(line).is_some_and(|at| u128::from(at) >= from));
    first.map(|first| lines[first..].to_vec()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::lines;
    use std::time::{Duration, SystemTime};

    #[test]
    fn the_last_minutes_begin_at_the_first_young_line_whatever_wrote_it() {
        // 2026-11-22 10:00:00 UTC
        let from = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_341_600);
        let texts = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
        let old = "2026-11-22 09:59:59,123 INFO: old";
        for young in [
            "2026-11-22 10:00:00,123 INFO: no action",
            r#"{"level":"info","ts":"2026-11-22T10:00:01.5Z"}"#,
            "4711:M 22 Nov 2026 10:00:02.003 * ready",
        ] {
            assert_eq!(
                lines(texts(&[old, "  at", young, "  at"]), from),
                texts(&[young, "  at"]),
                "{young}"
            );
        }
        assert!(lines(texts(&[old, "no time"]), from).is_empty());
    }
}
