//! The origin of a web page, as browsers write it into `Origin`.

use std::fmt;
use std::str::FromStr;

/// An origin whose pages may use the API: scheme, host, and a port other than the scheme's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin(String);

impl Origin {
    /// As a browser sends it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Origin {
    type Err = String;

    /// Takes what a browser could send, and nothing else: it is compared byte by byte.
    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let wrong =
            |why: &str| format!("`{text}` is not the origin of a page: {why}; write it like https://nova.example");
        if text == "*" {
            return Err(wrong("name each one, `*` is not taken"));
        }
        let url: reqwest::Url = text.parse().map_err(|error| wrong(&format!("{error}")))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(wrong("only http and https have pages"));
        }
        let origin = url.origin().ascii_serialization();
        if origin == text {
            Ok(Self(origin))
        } else {
            Err(wrong(&format!("a browser would send {origin}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_what_a_browser_sends() {
        for right in [
            "https://nova.example",
            "http://localhost:3000",
            "http://127.0.0.1:8000",
            "http://[::1]:3000",
        ] {
            assert_eq!(
                right.parse::<Origin>().map(|origin| origin.to_string()),
                Ok(right.to_owned())
            );
        }
        for wrong in [
            "",
            "*",
            "null",
            "nova.example",
            "https://nova.example/",
            "https://nova.example/app",
            "https://Nova.example",
            "https://nova.example:443",
            "https://ada@nova.example",
            "ftp://nova.example",
            "file:///index.html",
        ] {
            assert!(wrong.parse::<Origin>().is_err(), "{wrong}");
        }
    }
}
