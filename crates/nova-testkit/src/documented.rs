//! `docs/errors.md` says what the code says: each crate's test compares, or with `NOVA_BLESS=1` writes, its section.

use std::fs;
use std::path::Path;

use nova_service::{Code, errors_markdown};

const PREAMBLE: &str = "# Error codes

Every error is `application/problem+json` (RFC 9457). Its `code` is stable: programs compare it, and nothing else of the
answer. A service may also answer with each code of the first section. This file is generated from the code and compared
by the tests; `NOVA_BLESS=1 ./test` writes it anew.
";

/// Fails unless the section `title` of `docs/errors.md` lists exactly these codes.
pub fn documented(title: &str, codes: &[&Code]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/errors.md");
    let present = fs::read_to_string(&path).unwrap_or_default();
    let wanted = format!("## {title}\n\n{}", errors_markdown(codes));
    let (before, section, after) = split(&present, title);
    if section.trim_end() == wanted.trim_end() {
        return;
    }
    assert!(
        std::env::var_os("NOVA_BLESS").is_some(),
        "docs/errors.md does not say what the code says about {title}; run the tests with NOVA_BLESS=1 to write it\n{wanted}"
    );
    let before = if before.is_empty() { PREAMBLE } else { before };
    let after = if after.is_empty() {
        String::new()
    } else {
        format!("\n{after}")
    };
    fs::create_dir_all(path.parent().expect("a file has a directory")).expect("cannot create docs");
    fs::write(&path, format!("{}\n\n{wanted}{after}", before.trim_end())).expect("cannot write docs/errors.md");
}

/// The text before a section, the section, and the text after it.
fn split<'a>(text: &'a str, title: &str) -> (&'a str, &'a str, &'a str) {
    let Some(start) = text.find(&format!("## {title}\n")) else {
        return (text, "", "");
    };
    let end = text[start + 1..]
        .find("\n## ")
        .map_or(text.len(), |offset| start + 1 + offset + 1);
    (&text[..start], &text[start..end], &text[end..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_around_a_section() {
        let text = "# T\n\n## a\n\nx\n\n## b\n\ny\n";
        assert_eq!(split(text, "a"), ("# T\n\n", "## a\n\nx\n\n", "## b\n\ny\n"));
        assert_eq!(split(text, "b"), ("# T\n\n## a\n\nx\n\n", "## b\n\ny\n", ""));
        assert_eq!(split(text, "c"), (text, "", ""));
    }
}
