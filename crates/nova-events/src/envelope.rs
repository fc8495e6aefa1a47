//! What an event says of itself: CloudEvents 1.0, bound to Kafka in binary mode, so that attributes are headers and the body is data
//! alone.

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

/// What the body of every event is.
pub const CONTENT_TYPE: &str = "application/json";

const SPEC_VERSION: &str = "1.0";
const CE_SPEC_VERSION: &str = "ce_specversion";
const CE_ID: &str = "ce_id";
const CE_TYPE: &str = "ce_type";
const CE_SOURCE: &str = "ce_source";
const CE_SUBJECT: &str = "ce_subject";
const CE_TIME: &str = "ce_time";
const CONTENT: &str = "content-type";
const TRACE_PARENT: &str = "traceparent";

/// What an event says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// Its own id (UUIDv7): the same whenever it is read.
    pub id: Uuid,
    /// What happened, with the version of its type: `nova.accounts.registered.v1`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Who tells of it: `/auth-service`.
    pub source: String,
    /// To what: the aggregate's id, which is the record's key as well.
    pub subject: String,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub time: OffsetDateTime,
    /// The trace that it belongs to (W3C Trace Context).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

/// Headers that are no envelope or version of an event.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum HeaderError {
    /// It is not there.
    #[error("the record has no header {0}")]
    Missing(&'static str),
    /// It is there, and says something else than it must.
    #[error("the record's header {name} is {value:?}, which is no {wanted}")]
    Wrong {
        /// Which.
        name: &'static str,
        /// What it says; what is no text is replaced.
        value: String,
        /// What it ought to be.
        wanted: &'static str,
    },
}

impl Envelope {
    /// As headers of a record.
    #[must_use]
    pub fn headers(&self) -> Vec<(&'static str, String)> {
        // A time that RFC 3339 cannot write lies outside the years 0 to 9999.
        let time = self.time.format(&Rfc3339).unwrap_or_default();
        let mut headers = vec![
            (CE_SPEC_VERSION, SPEC_VERSION.to_owned()),
            (CE_ID, self.id.to_string()),
            (CE_TYPE, self.kind.clone()),
            (CE_SOURCE, self.source.clone()),
            (CE_SUBJECT, self.subject.clone()),
            (CE_TIME, time),
            (CONTENT, CONTENT_TYPE.to_owned()),
        ];
        if let Some(parent) = &self.traceparent {
            headers.push((TRACE_PARENT, parent.clone()));
        }
        headers
    }

    /// From the headers of a record.
    ///
    /// # Errors
    /// When one that must be there is missing or says something else.
    pub fn from_headers<'h>(
        headers: impl IntoIterator<Item = (&'h str, Option<&'h [u8]>)> + Clone,
    ) -> Result<Self, HeaderError> {
        let text = |name| find(headers.clone(), name);
        let must = |name, wanted: &'static str| {
            let value = text(name)?;
            if value == wanted {
                Ok(())
            } else {
                Err(wrong(name, value, wanted))
            }
        };
        must(CE_SPEC_VERSION, SPEC_VERSION)?;
        must(CONTENT, CONTENT_TYPE)?;
        let (id, time) = (text(CE_ID)?, text(CE_TIME)?);
        Ok(Self {
            id: Uuid::parse_str(id).map_err(|_| wrong(CE_ID, id, "UUID"))?,
            kind: text(CE_TYPE)?.to_owned(),
            source: text(CE_SOURCE)?.to_owned(),
            subject: text(CE_SUBJECT)?.to_owned(),
            time: OffsetDateTime::parse(time, &Rfc3339).map_err(|_| wrong(CE_TIME, time, "time as of RFC 3339"))?,
            traceparent: text(TRACE_PARENT).ok().map(str::to_owned),
        })
    }
}

/// The text of the first header with a name.
pub(crate) fn find<'h>(
    headers: impl IntoIterator<Item = (&'h str, Option<&'h [u8]>)>,
    name: &'static str,
) -> Result<&'h str, HeaderError> {
    let (_, value) = headers
        .into_iter()
        .find(|(other, _)| *other == name)
        .ok_or(HeaderError::Missing(name))?;
    let value = value.ok_or(HeaderError::Missing(name))?;
    std::str::from_utf8(value).map_err(|_| wrong(name, &String::from_utf8_lossy(value), "text in UTF-8"))
}

/// The number that a header holds.
pub(crate) fn number<N: FromStr>(name: &'static str, text: &str) -> Result<N, HeaderError> {
    text.parse().map_err(|_| wrong(name, text, "number in range"))
}

fn wrong(name: &'static str, value: &str, wanted: &'static str) -> HeaderError {
    HeaderError::Wrong {
        name,
        value: value.to_owned(),
        wanted,
    }
}
