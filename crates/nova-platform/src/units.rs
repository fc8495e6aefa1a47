//! Durations and sizes as people write them in `nova.toml`: "500ms", "64MB".

use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A length of time, written "500ms", "2s" or "10m".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Duration(pub std::time::Duration);

impl Duration {
    /// Whole milliseconds.
    #[must_use]
    pub fn as_millis(self) -> u64 {
        u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX)
    }

    /// Whole seconds, rounded down.
    #[must_use]
    pub fn as_secs(self) -> u64 {
        self.0.as_secs()
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", humantime::format_duration(self.0))
    }
}

impl Serialize for Duration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        humantime::parse_duration(&text).map(Self).map_err(|error| {
            de::Error::custom(format!(
                "{text:?} is not a duration such as \"500ms\" or \"2s\": {error}"
            ))
        })
    }
}

impl JsonSchema for Duration {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "description": "A duration such as 500ms, 2s or 10m", "pattern": r"^\d+(ns|us|ms|s|m|h|d)( \d+(ns|us|ms|s|m|h|d))*$" })
    }
}

/// A number of bytes, written "64MB" or "1GB"; units are powers of 1024.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

const UNITS: [(&str, u64); 4] = [("GB", 1 << 30), ("MB", 1 << 20), ("kB", 1 << 10), ("B", 1)];

impl Size {
    /// The number of bytes.
    #[must_use]
    pub fn bytes(self) -> u64 {
        self.0
    }

    /// Whole mebibytes, rounded down.
    #[must_use]
    pub fn mebibytes(self) -> u64 {
        self.0 >> 20
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (unit, factor) in UNITS {
            if self.0.is_multiple_of(factor) {
                return write!(f, "{}{unit}", self.0 / factor);
            }
        }
        write!(f, "{}B", self.0)
    }
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || format!("{text:?} is not a size such as \"64MB\" or \"1GB\"");
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        if digits.starts_with('+') {
            return Err(wrong());
        }
        let number: u64 = digits.parse().map_err(|_| wrong())?;
        let factor = UNITS
            .iter()
            .find(|(unit, _)| *unit == &text[digits.len()..])
            .map(|(_, factor)| factor)
            .ok_or_else(wrong)?;
        number.checked_mul(*factor).map(Self).ok_or_else(wrong)
    }
}

impl Serialize for Size {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for Size {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Size".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "description": "A size such as 64MB or 1GB, in powers of 1024", "pattern": r"^\d+(B|kB|MB|GB)$" })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Duration, Size};

    fn duration(text: &str) -> Result<Duration, serde_json::Error> {
        serde_json::from_value(serde_json::Value::String(text.to_owned()))
    }

    #[test]
    fn sizes_are_powers_of_1024_and_print_as_written() {
        for text in ["64MB", "1GB", "3kB", "17B", "0GB"] {
            assert_eq!(text.parse::<Size>().map(|size| size.to_string()), Ok(text.to_owned()));
        }
        assert_eq!("64MB".parse(), Ok(Size(64 << 20)));
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "",
            "MB",
            "-1MB",
            "+1MB",
            "64mb",
            "64",
            "64 MB",
            "1.5GB",
            "99999999999999999999GB",
            "18446744073709551615GB",
        ] {
            assert!(text.parse::<Size>().is_err(), "{text}");
        }
        for text in [
            "",
            "s",
            "5",
            "-1s",
            "1 parsec",
            "99999999999999999999s",
            "18446744073709551615years",
        ] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_printed_is_read_as_the_same(bytes: u64, shift in 0_u32..50, seconds in 0_u64..1 << 40, nanos in 0_u32..1_000_000_000) {
            let size = Size(bytes << shift);
            prop_assert_eq!(size.to_string().parse(), Ok(size));
            let length = Duration(std::time::Duration::new(seconds, nanos));
            prop_assert_eq!(duration(&length.to_string()).ok(), Some(length));
        }

        #[test]
        fn no_text_makes_it_panic(text in prop_oneof![".{0,20}", "[0-9]{0,25}(B|kB|MB|GB|ns|ms|s|d|years|µ| ){0,2}"]) {
            let _ = text.parse::<Size>();
            let _ = duration(&text);
        }
    }
}
