//! The note of what was deployed last, in the platform's state.

use std::fs;
use std::io::ErrorKind;

use nova_platform::transition::Deployed;

use super::{LocalError, LocalTarget};
use crate::layout::{FileError, write_atomic};

impl LocalTarget {
    /// What was deployed last, as far as it is known: a version before this one left no note.
    ///
    /// # Errors
    /// When the note cannot be read.
    pub fn deployed(&self) -> Result<Option<Deployed>, LocalError> {
        let path = self.layout.deployed_file();
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Deployed::parse(&text)
                .inspect_err(|error| tracing::warn!(path = %path.display(), %error, "not understood, and made anew"))
                .ok()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(FileError::new("read", &path, error).into()),
        }
    }

    /// Leaves the note. The state directory must be there.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn note_deployed(&self, note: &Deployed) -> Result<(), LocalError> {
        let path = self.layout.deployed_file();
        write_atomic(&path, note.text().as_bytes(), 0o600, &self.owner()?)?;
        Ok(())
    }
}
