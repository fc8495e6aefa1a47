//! Reads a ledger back, also one whose writer was killed in the middle of a line.

use std::path::{Path, PathBuf};

use crate::record::{Begin, Entry, Header, LEDGER_SCHEMA, Line, RunReport};

/// Everything that a ledger says.
#[derive(Debug, Clone, PartialEq)]
pub struct Read {
    /// Whose it is.
    pub header: Header,
    /// The faults, in order.
    pub begins: Vec<Begin>,
    /// The operations, in the order of their ends.
    pub entries: Vec<Entry>,
    /// What was found when runs were judged.
    pub judged: Vec<RunReport>,
    /// Whether the last line was cut, as by the end of the drill or of the disk; what it said is unknown.
    pub torn: bool,
}

impl Read {
    /// Of a drill that did nothing yet.
    #[must_use]
    pub fn of(header: Header) -> Self {
        Self {
            header,
            begins: Vec::new(),
            entries: Vec::new(),
            judged: Vec::new(),
            torn: false,
        }
    }
}

/// A ledger cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file cannot be read.
    #[error("cannot read {}: {source}", .path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is something else.
    #[error("{} is no ledger of a drill: its first line must name \"schema\": \"{LEDGER_SCHEMA}\"", .0.display())]
    Foreign(PathBuf),
    /// A line in the middle makes no sense.
    #[error("{} is damaged at line {line}: {reason}; only its last line may be cut", .path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
        /// What is wrong with it.
        reason: Damage,
    },
}

/// What is wrong with a line.
#[derive(Debug, thiserror::Error)]
pub enum Damage {
    /// It is the first line of a ledger.
    #[error("a second header")]
    SecondHeader,
    /// It is no line of a ledger.
    #[error("{0}")]
    Line(serde_json::Error),
}

/// Reads a ledger.
///
/// # Errors
/// When it cannot be read, is no ledger, or is damaged anywhere but in its last line.
pub fn read(path: &Path) -> Result<Read, ReadError> {
    let text = std::fs::read(path).map_err(|source| ReadError::File {
        path: path.to_owned(),
        source,
    })?;
    parse(&text, path)
}

/// As [`read`], of a content that is there already; `path` is for errors only.
///
/// # Errors
/// As [`read`].
pub fn parse(text: &[u8], path: &Path) -> Result<Read, ReadError> {
    let mut lines = text.split_inclusive(|byte| *byte == b'\n').enumerate().peekable();
    let mut read = match lines.next().map(|(_, line)| serde_json::from_slice(line)) {
        Some(Ok(Line::Header(header))) if header.schema == LEDGER_SCHEMA => Read::of(*header),
        _ => return Err(ReadError::Foreign(path.to_owned())),
    };
    while let Some((index, line)) = lines.next() {
        let is_last = lines.peek().is_none();
        match serde_json::from_slice(line) {
            Ok(Line::Entry(entry)) => read.entries.push(entry),
            Ok(Line::Begin { begin }) => read.begins.push(begin),
            Ok(Line::Judged { judged }) => read.judged.push(*judged),
            Ok(Line::Header(_)) => return Err(damaged(path, index, Damage::SecondHeader)),
            // Without its end, a line that happens to make sense may still be half of a longer one; none of ours is.
            Err(_) if is_last && !line.ends_with(b"\n") => read.torn = true,
            Err(error) => return Err(damaged(path, index, Damage::Line(error))),
        }
    }
    Ok(read)
}

fn damaged(path: &Path, index: usize, reason: Damage) -> ReadError {
    ReadError::Damaged {
        path: path.to_owned(),
        line: index + 1,
        reason,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failing unwrap is a failing test")]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;

    use super::{ReadError, parse};
    use crate::record::{Entry, Header, Line, Outcome};
    use crate::store::Store;

    fn text(count: u64) -> Vec<u8> {
        let header = Line::Header(Box::new(Header::new("nova", "local", 3, None)));
        let entry = |id| {
            Line::Entry(Entry {
                run: 1,
                store: Store::Kafka,
                id,
                writer: 2,
                begun: 10,
                ended: 11,
                outcome: Outcome::Unknown,
            })
        };
        let lines = std::iter::once(header).chain((0..count).map(entry));
        lines
            .flat_map(|line| [serde_json::to_vec(&line).unwrap(), b"\n".to_vec()].concat())
            .collect()
    }

    proptest! {
        #[test]
        fn cut_anywhere_it_still_tells_every_whole_line(count in 0_u64..20, cut in 0_usize..3000) {
            let whole = text(count);
            let header = whole.iter().position(|byte| *byte == b'\n').unwrap() + 1;
            let cut = header + cut % (whole.len() - header + 1);
            let kept = &whole[..cut];
            let read = parse(kept, Path::new("x")).unwrap();
            let complete = kept.iter().filter(|byte| **byte == b'\n').count() - 1;
            // A line that lacks nothing but its end is whole as well.
            prop_assert!(read.entries.len() == complete || read.entries.len() == complete + 1);
            prop_assert!(!read.torn || read.entries.len() == complete);
        }
    }

    #[test]
    fn damage_in_the_middle_is_told_with_its_line() {
        let mut damaged = text(3);
        let second = damaged.iter().position(|byte| *byte == b'\n').unwrap() + 1;
        damaged[second] = b'?';
        let error = parse(&damaged, Path::new("x")).unwrap_err();
        assert!(matches!(error, ReadError::Damaged { line: 2, .. }), "{error}");
    }

    #[test]
    fn a_ledger_that_does_not_tell_its_target_is_a_local_one_s() {
        let old = b"{\"schema\":\"nova.ledger/v1\",\"platform\":\"nova\",\"seed\":4}\n";
        let read = parse(old, Path::new("x")).unwrap();
        assert_eq!(read.header, Header::new("nova", "local", 4, None));
    }

    #[test]
    fn something_else_is_no_ledger() {
        for other in [
            &b""[..],
            b"{}\n",
            b"hello\n",
            b"{\"schema\":\"nova.ledger/v9\",\"platform\":\"a\",\"seed\":1}\n",
        ] {
            assert!(matches!(parse(other, Path::new("x")), Err(ReadError::Foreign(_))));
        }
    }
}
