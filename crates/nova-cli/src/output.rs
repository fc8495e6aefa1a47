//! How text reaches people: colours where they are wanted, sizes and times in words, the failure block.

mod degraded;
mod drill;
mod events;
mod failure;
pub(crate) mod guide;
mod status;

use std::io::IsTerminal;
use std::time::Duration;

use serde::Serialize;

use crate::cli::{Format, Global};

pub(crate) use degraded::{degraded_block, degraded_json};
pub(crate) use drill::{drill_text, fault_line, run_text};
pub(crate) use events::events_text;
pub(crate) use failure::{failure_block, failure_json};
pub(crate) use status::status_text;

/// What the flags and the terminal say about printing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    /// Text or JSON.
    pub(crate) format: Format,
    /// Whether colours are wanted.
    pub(crate) color: bool,
    /// Whether more detail is wanted.
    pub(crate) verbose: bool,
}

impl Output {
    /// From the flags, the environment's NO_COLOR and the terminal.
    pub(crate) fn new(global: &Global) -> Self {
        let refused = global.no_color || std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let color = !refused && std::io::stdout().is_terminal() && std::io::stderr().is_terminal();
        Self {
            format: global.output,
            color,
            verbose: global.verbose,
        }
    }

    /// Prints a value as one JSON object on stdout.
    pub(crate) fn json(value: &impl Serialize) -> anyhow::Result<()> {
        println!("{}", serde_json::to_string_pretty(value)?);
        Ok(())
    }

    /// Text in an ANSI style, such as [`GREEN`].
    pub(crate) fn paint(&self, style: &str, text: &str) -> String {
        if self.color {
            format!("\x1b[{style}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

/// ANSI style of what is well.
pub(crate) const GREEN: &str = "32";
/// ANSI style of what deserves a look.
pub(crate) const YELLOW: &str = "33";
/// ANSI style of what is wrong.
pub(crate) const RED: &str = "31";
/// ANSI style of headings.
pub(crate) const BOLD: &str = "1";
/// ANSI style of what matters less.
pub(crate) const DIM: &str = "2";

/// Seconds with one decimal.
pub(crate) fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

/// Bytes in MiB.
pub(crate) fn mebibytes(bytes: u64) -> String {
    // Exact up to 2^52 bytes, far beyond any member's memory.
    #[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
    let mebibytes = bytes as f64 / f64::from(1 << 20);
    format!("{mebibytes:.1} MiB")
}

/// An age in its largest unit.
pub(crate) fn age(seconds: u64) -> String {
    match seconds {
        0..=119 => format!("{seconds}s"),
        120..=7199 => format!("{}m", seconds / 60),
        7200..=172_799 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86400),
    }
}

/// Lines whose columns are aligned; the last column is not padded.
pub(crate) fn table(rows: &[Vec<String>], indent: usize) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(|cell| visible(cell))
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = " ".repeat(indent);
        for (column, cell) in row.iter().enumerate() {
            line.push_str(cell);
            if column + 1 < row.len() {
                line.push_str(&" ".repeat(widths[column] - visible(cell) + 2));
            }
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// Characters of a cell that take room: all but the escape sequences of [`Output::paint`].
fn visible(cell: &str) -> usize {
    let mut length = 0;
    let mut inside = false;
    for character in cell.chars() {
        match character {
            '\x1b' => inside = true,
            'm' if inside => inside = false,
            _ if !inside => length += 1,
            _ => {}
        }
    }
    length
}

#[cfg(test)]
mod tests {
    use super::{age, mebibytes, table};

    #[test]
    fn columns_align_whatever_their_colour() {
        let rows = [
            vec!["\x1b[32mok\x1b[0m".to_owned(), "a".to_owned()],
            vec!["failed".to_owned(), "b".to_owned()],
        ];
        assert_eq!(table(&rows, 2), "  \x1b[32mok\x1b[0m      a\n  failed  b\n");
    }

    #[test]
    fn ages_and_sizes_are_short() {
        assert_eq!([age(59), age(600), age(7200), age(200_000)], ["59s", "10m", "2h", "2d"]);
        assert_eq!(mebibytes(3 << 19), "1.5 MiB");
    }
}
