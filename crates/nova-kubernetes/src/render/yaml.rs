//! YAML as people read it, and as every reader understands it.

use serde::ser::{Serialize, Serializer};
use serde_json::Value;
use serde_saphyr::DoubleQuoted;

/// One document in block style. Long lines stay lines, since a folded one is no longer what it was when it is edited.
pub(super) fn text(object: &Value) -> Result<String, serde_saphyr::ser::Error> {
    let options = serde_saphyr::ser_options! { folded_wrap_chars: usize::MAX };
    serde_saphyr::to_string_with_options(&Readable(object), options)
}

struct Readable<'a>(&'a Value);

impl Serialize for Readable<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            // As a block this has nothing but line ends, of which readers keep different numbers.
            Value::String(text) if !text.is_empty() && text.trim().is_empty() => {
                DoubleQuoted(text).serialize(serializer)
            }
            Value::Array(items) => serializer.collect_seq(items.iter().map(Readable)),
            Value::Object(fields) => serializer.collect_map(fields.iter().map(|(name, field)| (name, Readable(field)))),
            other => other.serialize(serializer),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::text;

    #[test]
    fn words_that_look_like_something_else_are_quoted_and_lines_are_a_block() {
        let written = text(
            &json!({"a": "yes", "b": "012", "c": "one\n two\n", "d": "\n", "e": ["x y", 1, true], "f": {}, "g": "x ".repeat(99)}),
        );
        let expected = format!(
            "a: \"yes\"\nb: \"012\"\nc: |\n  one\n   two\nd: \"\\n\"\ne:\n- x y\n- 1\n- true\nf: {{}}\ng: \"{}\"\n",
            "x ".repeat(99)
        );
        assert_eq!(written.ok(), Some(expected));
    }
}
