//! Which passwords may be chosen: long enough, and not among the ones that every attacker tries first.
//!
//! There are no composition rules ("one digit, one symbol"): they make passwords worse, not better.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

/// Fewest characters.
pub const MIN_CHARS: usize = 8;
/// Most characters.
pub const MAX_CHARS: usize = 128;
/// Most bytes: bounds what goes into the hash function, whatever a client sends.
pub const MAX_BYTES: usize = 512;

const COMMON: &str = include_str!("common_passwords.txt");

/// A password as someone typed it. Never printed.
#[derive(Clone)]
pub struct Password(SecretString);

/// Why a password may not be chosen.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum PasswordError {
    /// Too few characters.
    #[error("the password needs at least {MIN_CHARS} characters")]
    TooShort,
    /// Too many characters or bytes.
    #[error("the password may have at most {MAX_CHARS} characters and {MAX_BYTES} bytes")]
    TooLong,
    /// On the list of the most used ones.
    #[error("the password is one of the most used ones; choose another")]
    Common,
}

impl Password {
    /// A password that someone wants to have from now on.
    pub fn chosen(text: SecretString) -> Result<Self, PasswordError> {
        let chars = text.expose_secret().chars().count();
        if chars < MIN_CHARS {
            return Err(PasswordError::TooShort);
        }
        if chars > MAX_CHARS || text.expose_secret().len() > MAX_BYTES {
            return Err(PasswordError::TooLong);
        }
        if is_common(text.expose_secret()) {
            return Err(PasswordError::Common);
        }
        Ok(Self(text))
    }

    /// A password that someone claims to have. Today's rules for choosing do not apply: they may be newer than the account.
    pub fn claimed(text: SecretString) -> Result<Self, PasswordError> {
        if text.expose_secret().len() > MAX_BYTES {
            return Err(PasswordError::TooLong);
        }
        Ok(Self(text))
    }

    /// The bytes for the hash function.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.expose_secret().as_bytes()
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Password(…)")
    }
}

fn is_common(text: &str) -> bool {
    let text = text.to_lowercase();
    let mut chars = text.chars();
    let first = chars.next();
    chars.all(|char| Some(char) == first) || COMMON.lines().any(|common| common == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(text: &str) -> Result<(), PasswordError> {
        Password::chosen(text.into()).map(|_| ())
    }

    #[test]
    fn length_counts_characters_and_bounds_bytes() {
        assert_eq!(chosen("seven77"), Err(PasswordError::TooShort));
        assert_eq!(chosen("長いパスワード8"), Ok(()));
        assert_eq!(chosen(&"ab".repeat(64)), Ok(()));
        assert_eq!(chosen(&"ab".repeat(65)), Err(PasswordError::TooLong));
        assert_eq!(chosen(&"𐍈a".repeat(64)), Ok(()));
        assert_eq!(chosen(&"👩‍👩‍👧‍👦".repeat(21)), Err(PasswordError::TooLong));
    }

    #[test]
    fn the_most_used_are_refused_in_any_case() {
        for text in ["password", "PassWord1", "12345678", "qwertyuiop", "aaaaaaaaaa"] {
            assert_eq!(chosen(text), Err(PasswordError::Common), "{text}");
        }
    }

    #[test]
    fn the_list_holds_only_what_could_be_chosen_otherwise() {
        assert!(COMMON.lines().count() >= 100);
        for line in COMMON.lines() {
            assert!(
                line.chars().count() >= MIN_CHARS && line == line.to_lowercase(),
                "{line}"
            );
        }
    }

    #[test]
    fn is_never_printed() {
        let shown = format!("{:?}", Password::chosen("correct horse".into()));
        assert_eq!(shown, "Ok(Password(…))");
    }
}
