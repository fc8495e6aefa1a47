//! The place of an event in the history of the database.

use std::fmt;

use crate::envelope::{HeaderError, find, number};

pub(crate) const EPOCH: &str = "nova_epoch";
pub(crate) const LSN: &str = "nova_lsn";
pub(crate) const ORDINAL: &str = "nova_ordinal";

/// The place of an event in the history of the database: of two events of one key, the one with the greater version is the newer, in
/// whatever order they are read. It stays with the event when that is put aside and read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// Which history: a new one begins when the log of the database cannot be followed from where it was left.
    pub epoch: u32,
    /// Where in the log of the database the transaction was committed.
    pub lsn: u64,
    /// Which event of its transaction, from 0.
    pub ordinal: u32,
}

impl Version {
    /// As headers of a record.
    #[must_use]
    pub fn headers(&self) -> [(&'static str, String); 3] {
        [
            (EPOCH, self.epoch.to_string()),
            (LSN, self.lsn.to_string()),
            (ORDINAL, self.ordinal.to_string()),
        ]
    }

    /// From the headers of a record.
    ///
    /// # Errors
    /// When one is missing or no number.
    pub fn from_headers<'h>(
        headers: impl IntoIterator<Item = (&'h str, Option<&'h [u8]>)> + Clone,
    ) -> Result<Self, HeaderError> {
        let text = |name| find(headers.clone(), name);
        Ok(Self {
            epoch: number(EPOCH, text(EPOCH)?)?,
            lsn: number(LSN, text(LSN)?)?,
            ordinal: number(ORDINAL, text(ORDINAL)?)?,
        })
    }
}

impl fmt::Display for Version {
    /// The log's place as PostgreSQL writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (high, low) = (self.lsn >> 32, self.lsn & 0xffff_ffff);
        write!(f, "{}:{high:X}/{low:X}:{}", self.epoch, self.ordinal)
    }
}
