//! Points in time as clients see them: RFC 3339, UTC, microseconds.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};
use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, UtcOffset};
use utoipa::ToSchema;

/// A point in time, as precise as PostgreSQL keeps it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, ToSchema, sqlx::Type)]
#[schema(value_type = String, format = DateTime, example = "2026-11-22T10:00:00.123456Z")]
#[sqlx(transparent)]
pub struct Timestamp(OffsetDateTime);

impl Timestamp {
    /// Now.
    pub fn now() -> Self {
        Self::from(OffsetDateTime::now_utc())
    }

    /// Seconds since 1970, as in tokens.
    pub fn unix(self) -> i64 {
        self.0.unix_timestamp()
    }
}

impl From<OffsetDateTime> for Timestamp {
    /// Converts to UTC and cuts to microseconds, so that a value equals itself after a round trip through PostgreSQL.
    fn from(time: OffsetDateTime) -> Self {
        let time = time.to_offset(UtcOffset::UTC);
        let micros = time.microsecond();
        Self(time.replace_microsecond(micros).unwrap_or(time))
    }
}

impl From<Timestamp> for OffsetDateTime {
    fn from(timestamp: Timestamp) -> Self {
        timestamp.0
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            &self
                .0
                .to_offset(UtcOffset::UTC)
                .format(&Rfc3339)
                .map_err(|_| fmt::Error)?,
        )
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = self
            .0
            .to_offset(UtcOffset::UTC)
            .format(&Rfc3339)
            .map_err(ser::Error::custom)?;
        serializer.serialize_str(&text)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        OffsetDateTime::parse(&text, &Rfc3339)
            .map(Self::from)
            .map_err(de::Error::custom)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn serialises_as_utc_and_back() {
        let local: Timestamp = serde_json::from_str("\"2026-11-22T12:00:00.1234567+02:00\"").unwrap();
        assert_eq!(
            serde_json::to_string(&local).unwrap(),
            "\"2026-11-22T10:00:00.123456Z\""
        );
    }

    #[test]
    fn refuses_what_is_not_a_time() {
        for wrong in ["\"\"", "\"yesterday\"", "1", "\"2026-13-01T00:00:00Z\""] {
            assert!(serde_json::from_str::<Timestamp>(wrong).is_err(), "{wrong}");
        }
    }
}
