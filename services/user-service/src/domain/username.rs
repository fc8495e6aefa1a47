//! Usernames: unique without regard to case.

/// A valid username, in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Username(String);

impl Username {
    /// Accepts `[A-Za-z0-9_]{3,30}` and lowers it.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        let plausible = (3..=30).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if plausible {
            Ok(Self(text.to_ascii_lowercase()))
        } else {
            Err("must be 3 to 30 letters a-z, digits or underscores")
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_is_lowered() {
        assert_eq!(Username::parse("Ada_99").map(|name| name.0), Ok("ada_99".to_owned()));
    }

    #[test]
    fn what_is_no_name_is_refused() {
        let long = "a".repeat(31);
        for wrong in [
            "",
            "ab",
            &long,
            "a b",
            "ada-l",
            "äda",
            "ada\0",
            "'; drop table profiles; --",
            "ａｄａ",
        ] {
            assert!(Username::parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
