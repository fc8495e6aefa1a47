//! Usernames: unique without regard to case.

/// Names that speak for the platform or stand for a part of it, without underscores. Sorted. Who has one of them from before keeps
/// it.
const RESERVED: [&str; 47] = [
    "abuse",
    "admin",
    "administration",
    "administrator",
    "admins",
    "anonymous",
    "api",
    "auth",
    "billing",
    "contact",
    "everyone",
    "feedback",
    "help",
    "helpdesk",
    "hostmaster",
    "info",
    "legal",
    "mod",
    "moderation",
    "moderator",
    "moderators",
    "mods",
    "nobody",
    "noreply",
    "notifications",
    "nova",
    "novaadmin",
    "novahelp",
    "novaofficial",
    "novasecurity",
    "novasupport",
    "novateam",
    "null",
    "official",
    "operator",
    "postmaster",
    "privacy",
    "root",
    "security",
    "staff",
    "superuser",
    "support",
    "sysadmin",
    "system",
    "undefined",
    "verified",
    "webmaster",
];

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

    /// Likewise, for an account to bear: not one that others would take for the platform.
    pub(crate) fn chosen(text: &str) -> Result<Self, &'static str> {
        let name = Self::parse(text)?;
        let plain = name.0.replace('_', "");
        if RESERVED.binary_search(&plain.as_str()).is_ok() {
            return Err("is reserved");
        }
        Ok(name)
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
    fn names_of_the_platform_are_reserved_however_they_are_written() {
        assert!(RESERVED.is_sorted());
        for reserved in RESERVED {
            assert!(Username::chosen(reserved).is_err(), "{reserved}");
        }
        assert_eq!(Username::chosen("_Ad_Min"), Err("is reserved"));
        assert!(Username::chosen("novak").is_ok());
        assert!(
            Username::parse("admin").is_ok(),
            "who has it from before is still found"
        );
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
