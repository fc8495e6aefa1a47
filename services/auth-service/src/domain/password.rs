//! Which passwords may be chosen: long enough, and not among the ones that every attacker tries first.
//!
//! There are no composition rules ("one digit, one symbol"): they make passwords worse, not better.
//!
//! The same characters can be typed as different bytes (\u{fc}, or u and two dots). What is hashed is Unicode's normal form NFC;
//! hashes from before that are tried with what was typed as well.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use unicode_normalization::UnicodeNormalization;

use super::Email;

/// Fewest characters.
pub const MIN_CHARS: usize = 8;
/// Most characters.
pub const MAX_CHARS: usize = 128;
/// Most bytes: bounds what goes into the hash function, whatever a client sends.
pub const MAX_BYTES: usize = 512;

/// What falls in fewer tries than this is refused: the 30,000 most used passwords and single words, also spelled with digits for
/// letters or backwards, dates, rows of keys, repetitions.
const FEWEST_GUESSES: u64 = 100_000;
/// Nothing longer falls so soon, and an estimate of much text would cost much.
const LONGEST_ESTIMATED: usize = 40;

/// A password as someone typed it. Never printed.
#[derive(Clone)]
pub struct Password {
    /// In NFC.
    normal: SecretString,
    /// Other spellings of it that may have been hashed before passwords were normalised.
    former: Vec<SecretString>,
}

/// Why a password may not be chosen.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum PasswordError {
    /// Too few characters.
    #[error("the password needs at least {MIN_CHARS} characters")]
    TooShort,
    /// Too many characters or bytes.
    #[error("the password may have at most {MAX_CHARS} characters and {MAX_BYTES} bytes")]
    TooLong,
    /// Among the most used ones, or as easy to guess.
    #[error("the password is one of the most used ones, or as easy to guess; choose another")]
    Common,
    /// Whoever knows the account's name would know it.
    #[error("the password is the e-mail address, or the name in it; choose another")]
    IsEmail,
}

impl Password {
    /// A password that the account of this address is to have from now on.
    pub fn chosen(text: &SecretString, email: &Email) -> Result<Self, PasswordError> {
        // Before it is normalised, so that nobody makes this normalise much.
        if text.expose_secret().len() > MAX_BYTES {
            return Err(PasswordError::TooLong);
        }
        let normal: String = text.expose_secret().nfc().collect();
        let chars = normal.chars().count();
        if chars < MIN_CHARS {
            return Err(PasswordError::TooShort);
        }
        if chars > MAX_CHARS || normal.len() > MAX_BYTES {
            return Err(PasswordError::TooLong);
        }
        let lower = SecretString::from(normal.to_lowercase());
        if is_of(lower.expose_secret(), email) {
            return Err(PasswordError::IsEmail);
        }
        if chars <= LONGEST_ESTIMATED && is_common(lower.expose_secret(), email) {
            return Err(PasswordError::Common);
        }
        Ok(Self {
            normal: normal.into(),
            former: Vec::new(),
        })
    }

    /// A password that someone claims to have. Today's rules for choosing do not apply: they may be newer than the account.
    pub fn claimed(text: SecretString) -> Result<Self, PasswordError> {
        if text.expose_secret().len() > MAX_BYTES {
            return Err(PasswordError::TooLong);
        }
        if text.expose_secret().is_ascii() {
            return Ok(Self {
                normal: text,
                former: Vec::new(),
            });
        }
        let normal: String = text.expose_secret().nfc().collect();
        let decomposed: String = normal.nfd().collect();
        let mut former = Vec::new();
        if text.expose_secret() != normal {
            former.push(text.clone());
        }
        if decomposed != normal && decomposed != text.expose_secret() {
            former.push(decomposed.into());
        }
        Ok(Self {
            normal: normal.into(),
            former,
        })
    }

    /// The bytes for the hash function.
    pub fn as_bytes(&self) -> &[u8] {
        self.normal.expose_secret().as_bytes()
    }

    /// The bytes that a hash from before passwords were normalised may have been made of.
    pub fn former_spellings(&self) -> impl Iterator<Item = &[u8]> {
        self.former.iter().map(|text| text.expose_secret().as_bytes())
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Password(…)")
    }
}

fn is_of(password: &str, email: &Email) -> bool {
    let (local, _) = email.as_str().rsplit_once('@').unwrap_or_default();
    password.trim() == email.as_str() || password.trim() == local
}

fn is_common(password: &str, email: &Email) -> bool {
    let (local, domain) = email.as_str().rsplit_once('@').unwrap_or_default();
    let of_the_account = [email.as_str(), local, domain];
    zxcvbn::zxcvbn(password, &of_the_account).guesses() < FEWEST_GUESSES
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn chosen(text: &str) -> Result<(), PasswordError> {
        let email = Email::parse("ada.lovelace@example.com").unwrap();
        Password::chosen(&text.into(), &email).map(|_| ())
    }

    #[test]
    fn length_counts_characters_and_bounds_bytes() {
        assert_eq!(chosen("seven77"), Err(PasswordError::TooShort));
        assert_eq!(chosen("長いパスワード8"), Ok(()));
        assert_eq!(chosen(&"ab".repeat(64)), Ok(()));
        assert_eq!(chosen(&"ab".repeat(65)), Err(PasswordError::TooLong));
        assert_eq!(chosen(&"𐍈a".repeat(64)), Ok(()));
        assert_eq!(chosen(&"👩‍👩‍👧‍👦".repeat(21)), Err(PasswordError::TooLong));
        // Seven characters, however many code points they were typed as.
        assert_eq!(chosen(&"u\u{308}".repeat(7)), Err(PasswordError::TooShort));
    }

    #[test]
    fn the_most_used_are_refused_in_any_case() {
        for text in [
            "password",
            "PassWord1",
            "p4ssw0rd",
            "12345678",
            "qwertyuiop",
            "aaaaaaaaaa",
            "iloveyou1",
            "liverpool1",
            "butterfly7",
            "13.10.1999",
            "sunshine1",
        ] {
            assert_eq!(chosen(text), Err(PasswordError::Common), "{text}");
        }
        for text in ["correct horse battery", "a new long passphrase", "another password"] {
            assert_eq!(chosen(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn the_account_s_name_is_no_password() {
        for text in ["ada.lovelace@example.com", "Ada.Lovelace@Example.COM", "ADA.LOVELACE"] {
            assert_eq!(chosen(text), Err(PasswordError::IsEmail), "{text}");
        }
        assert_eq!(chosen("ada.lovelace1"), Err(PasswordError::Common));
    }

    #[test]
    fn one_password_is_one_sequence_of_bytes() {
        let (composed, decomposed) = ("p\u{e4}sswort lang genug", "pa\u{308}sswort lang genug");
        let claimed = |text: &str| Password::claimed(text.into()).unwrap();
        assert_eq!(claimed(composed).as_bytes(), claimed(decomposed).as_bytes());
        for typed in [composed, decomposed] {
            let former: Vec<Vec<u8>> = claimed(typed).former_spellings().map(<[u8]>::to_vec).collect();
            assert_eq!(former, [decomposed.as_bytes()], "{typed}");
        }
        assert_eq!(claimed("plain ASCII").former_spellings().count(), 0);
    }

    #[test]
    fn is_never_printed() {
        let shown = format!("{:?}", Password::claimed("correct horse".into()));
        assert_eq!(shown, "Ok(Password(…))");
    }
}
