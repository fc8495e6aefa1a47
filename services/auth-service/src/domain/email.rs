//! The e-mail address that names an account.
//!
//! Stored in lower case, so that one person cannot hold two accounts by spelling. Only ASCII is taken: an address that
//! merely *looks* like another one (Cyrillic "а" for "a") would otherwise be a different account.

use std::fmt;

use crate::digest;

const MAX_BYTES: usize = 254;
const MAX_LOCAL_BYTES: usize = 64;

/// A valid e-mail address in its normal form.
#[derive(Clone, PartialEq, Eq)]
pub struct Email(String);

/// Why a text is no e-mail address.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum EmailError {
    /// Longer than any mail server delivers to.
    #[error("the e-mail address is longer than {MAX_BYTES} bytes")]
    TooLong,
    /// Not of the form name@domain.
    #[error("the e-mail address must look like name@example.com, in ASCII")]
    Malformed,
}

impl Email {
    /// Checks and normalises what a client sent.
    pub fn parse(text: &str) -> Result<Self, EmailError> {
        let text = text.trim_matches(' ');
        if text.len() > MAX_BYTES {
            return Err(EmailError::TooLong);
        }
        let (local, domain) = text.rsplit_once('@').ok_or(EmailError::Malformed)?;
        if !is_local_part(local) || !is_domain(domain) {
            return Err(EmailError::Malformed);
        }
        Ok(Self(text.to_ascii_lowercase()))
    }

    /// The normal form.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Stands for the address where the address itself must not: in Redis keys and in the audit.
    pub fn digest(&self) -> [u8; 16] {
        digest::subject(self.0.as_bytes())
    }
}

/// Addresses are personal data: logs get no more than the domain.
impl fmt::Debug for Email {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let domain = self.0.rsplit_once('@').map_or("", |(_, domain)| domain);
        write!(formatter, "Email(…@{domain})")
    }
}

fn is_local_part(local: &str) -> bool {
    let word = |part: &str| !part.is_empty() && part.bytes().all(is_word_byte);
    local.len() <= MAX_LOCAL_BYTES && local.split('.').all(word)
}

fn is_word_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte)
}

fn is_domain(domain: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    domain.contains('.') && domain.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_normalised() {
        assert_eq!(
            Email::parse(" Ada.Lovelace+x@Example.COM ").map(|email| email.0),
            Ok("ada.lovelace+x@example.com".into())
        );
    }

    #[test]
    fn refuses_what_is_no_address() {
        let malformed = [
            "",
            "@",
            "a@",
            "@b.c",
            "a@b",
            "a b@c.de",
            "a@b..de",
            ".a@b.de",
            "a.@b.de",
            "a@-b.de",
            "a@b-.de",
            "a@b.de\n",
            "a\0@b.de",
            "ａ@b.de",
            "a@б.рф",
            "\"a b\"@c.de",
            "' or 1=1 --@b.de",
            "a@b.de.",
        ];
        for text in malformed {
            assert_eq!(Email::parse(text), Err(EmailError::Malformed), "{text:?}");
        }
        assert_eq!(
            Email::parse(&format!("{}@b.de", "a".repeat(65))),
            Err(EmailError::Malformed)
        );
        assert_eq!(
            Email::parse(&format!("a@{}.de", "b".repeat(254))),
            Err(EmailError::TooLong)
        );
    }

    #[test]
    fn debug_hides_the_person() {
        assert_eq!(
            Email::parse("ada@example.com").map(|email| format!("{email:?}")),
            Ok("Email(…@example.com)".into())
        );
    }
}
