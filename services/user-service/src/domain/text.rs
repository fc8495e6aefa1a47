//! Texts that people write. Lengths count characters, not bytes.

use icu_properties::CodePointSetData;
use icu_properties::props::DefaultIgnorableCodePoint;

pub(crate) const MAX_POST: usize = 2_000;
pub(crate) const MAX_COMMENT: usize = 1_000;
pub(crate) const MAX_BIO: usize = 500;
pub(crate) const MAX_DISPLAY_NAME: usize = 50;

/// Accepts text of several lines, such as a post.
pub(crate) fn paragraph(text: &str, longest: usize) -> Result<(), String> {
    let printable = |c: char| !c.is_control() || matches!(c, '\n' | '\r' | '\t');
    check(text, longest, printable)
}

/// Accepts text of one line that stands amid other text, such as a display name.
pub(crate) fn single_line(text: &str, longest: usize) -> Result<(), String> {
    if let Some(wrong) = text.chars().find(|c| breaks_line(*c) || turns_direction(*c)) {
        return Err(format!("must not contain U+{:04X}", u32::from(wrong)));
    }
    check(text, longest, |c| !c.is_control())
}

/// Whether a reader sees nothing of the text: only white space, and characters that are drawn as nothing.
pub(crate) fn shows_nothing(text: &str) -> bool {
    let ignorable = CodePointSetData::new::<DefaultIgnorableCodePoint>();
    let blank = |c: char| {
        c.is_whitespace()
            || ignorable.contains(c)
            // The braille pattern without a dot, and the anchors of annotations: drawn as nothing, ignorable by no table.
            || matches!(c, '\u{2800}' | '\u{fff9}'..='\u{fffb}')
    };
    text.chars().all(blank)
}

/// Line and paragraph separators, which are no control characters.
fn breaks_line(c: char) -> bool {
    matches!(c, '\u{2028}' | '\u{2029}')
}

/// Embeddings, overrides and isolates: left open, they turn round what comes after the text.
fn turns_direction(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn check(text: &str, longest: usize, allowed: impl Fn(char) -> bool) -> Result<(), String> {
    // PostgreSQL refuses NUL, and no other control character was ever meant.
    if let Some(control) = text.chars().find(|c| !allowed(*c)) {
        return Err(format!(
            "must not contain the control character U+{:04X}",
            u32::from(control)
        ));
    }
    let length = text.chars().count();
    if length > longest {
        return Err(format!("has {length} characters, {longest} are allowed"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_are_counted_not_bytes() {
        assert!(paragraph(&"諾".repeat(2_000), MAX_POST).is_ok());
        assert!(paragraph(&"諾".repeat(2_001), MAX_POST).is_err());
    }

    #[test]
    fn control_characters_are_refused() {
        assert!(paragraph("two\nlines\tand a tab", MAX_POST).is_ok());
        for wrong in ["a\0b", "\u{1b}[31m", "\u{7f}", "\u{85}"] {
            assert!(paragraph(wrong, MAX_POST).is_err(), "{wrong:?}");
        }
        assert!(single_line("two\nlines", MAX_DISPLAY_NAME).is_err());
    }

    #[test]
    fn what_shows_nothing() {
        for nothing in ["", " \t\n", "\u{200b}", "\u{202e} \u{feff}", "\u{2800}", "\u{3164}"] {
            assert!(shows_nothing(nothing), "{nothing:?}");
        }
        for something in ["\u{200b}.", "\u{1f600}", "\u{5e9}\u{200f}", "\u{301}"] {
            assert!(!shows_nothing(something), "{something:?}");
        }
    }

    #[test]
    fn a_name_leaves_its_surroundings_alone() {
        for wrong in ["\u{202e}ada", "ada\u{2066}", "a\u{2028}b"] {
            assert!(single_line(wrong, MAX_DISPLAY_NAME).is_err(), "{wrong:?}");
            assert!(paragraph(wrong, MAX_POST).is_ok(), "{wrong:?}");
        }
    }
}
