//! Log lines of the last minutes: every program writes its time in its own way, and members write in UTC.

use std::sync::LazyLock;
use std::time::SystemTime;

use regex::Regex;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime};

/// `2026-11-22T10:00:00` or `2026-11-22 10:00:00` (etcd, Patroni, PostgreSQL, Kafka, services), `22 Nov 2026 10:00:00` (Redis).
static STAMP: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2}:\d{2})|(\d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2})").ok()
});

/// The lines from the first one that is not older than `from` on; a line without a time belongs to the one before it.
pub(super) fn lines(lines: Vec<String>, from: SystemTime) -> Vec<String> {
    let from = OffsetDateTime::from(from);
    let first = lines.iter().position(|line| written(line).is_some_and(|at| at >= from));
    first.map(|first| lines[first..].to_vec()).unwrap_or_default()
}

fn written(line: &str) -> Option<OffsetDateTime> {
    let found = STAMP.as_ref()?.captures(line)?;
    if let (Some(date), Some(time)) = (found.get(1), found.get(2)) {
        return OffsetDateTime::parse(&format!("{}T{}Z", date.as_str(), time.as_str()), &Rfc3339).ok();
    }
    let redis = format_description!("[day] [month repr:short] [year] [hour]:[minute]:[second]");
    PrimitiveDateTime::parse(found.get(3)?.as_str(), redis)
        .ok()
        .map(PrimitiveDateTime::assume_utc)
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
