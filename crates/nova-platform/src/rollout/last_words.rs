//! What a member's log says last, for whoever has to explain it.

use crate::target::{LogQuery, Target};

/// Log lines shown of each start.
const LOG_LINES: usize = 20;

/// Last lines of a member's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogExcerpt {
    /// The member's name.
    pub member: String,
    /// Of the start before the current one.
    pub previous: bool,
    /// Oldest first.
    pub lines: Vec<String>,
}

/// A member's last log lines, of its start before as well.
pub(super) async fn last_words<T: Target>(target: &T, member: &str) -> Vec<LogExcerpt> {
    let mut logs = Vec::new();
    for previous in [true, false] {
        let query = LogQuery {
            tail: Some(LOG_LINES),
            previous,
        };
        let lines = target.logs(member, &query).await.unwrap_or_default();
        if !lines.is_empty() {
            logs.push(LogExcerpt {
                member: member.to_owned(),
                previous,
                lines,
            });
        }
    }
    logs
}
