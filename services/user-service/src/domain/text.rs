//! Texts that people write. Lengths count characters, not bytes.

pub(crate) const MAX_POST: usize = 2_000;
pub(crate) const MAX_COMMENT: usize = 1_000;
pub(crate) const MAX_BIO: usize = 500;
pub(crate) const MAX_DISPLAY_NAME: usize = 50;

/// Accepts text of several lines, such as a post.
pub(crate) fn paragraph(text: &str, longest: usize) -> Result<(), String> {
    let printable = |c: char| !c.is_control() || matches!(c, '\n' | '\r' | '\t');
    check(text, longest, printable)
}

/// Accepts text of one line, such as a display name.
pub(crate) fn single_line(text: &str, longest: usize) -> Result<(), String> {
    check(text, longest, |c| !c.is_control())
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
}
