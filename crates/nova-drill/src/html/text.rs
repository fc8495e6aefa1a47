//! Words of the page: escaped, and times as people write them.

use std::fmt;

/// A text that stands in HTML or SVG as it is, whatever it holds.
pub(super) struct Text<'a>(pub(super) &'a str);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                // No page may hold them, not even by their number.
                control if control.is_control() && !matches!(control, '\n' | '\t') => f.write_str("\u{fffd}")?,
                other => fmt::Write::write_char(f, other)?,
            }
        }
        Ok(())
    }
}

/// A time in words; a dash for one that is not known.
pub(super) fn of_time(ms: Option<u64>) -> String {
    match ms {
        None => "\u{2013}".to_owned(),
        Some(ms) if ms < 1000 => format!("{ms} ms"),
        Some(ms) => format!("{}.{:02} s", ms / 1000, ms % 1000 / 10),
    }
}

/// A number; a dash for one that is not known.
pub(super) fn of_count(count: Option<u64>) -> String {
    count.map_or_else(|| "\u{2013}".to_owned(), |count| count.to_string())
}

/// Whom a run hit.
pub(super) fn whom(members: &[String]) -> String {
    if members.is_empty() {
        "watched".to_owned()
    } else {
        members.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::{Text, of_time};

    #[test]
    fn nothing_leaves_its_place() {
        let text = "<script>alert(\"it's\")</script> & \u{1b}[31m";
        assert_eq!(
            Text(text).to_string(),
            "&lt;script&gt;alert(&quot;it&#39;s&quot;)&lt;/script&gt; &amp; \u{fffd}[31m"
        );
    }

    #[test]
    fn times_are_short() {
        assert_eq!(
            [Some(999), Some(2079), None].map(of_time),
            ["999 ms", "2.07 s", "\u{2013}"]
        );
    }
}
