//! Parsers for single values: durations with bounds, addresses, files that hold a secret.

use std::fmt;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use secrecy::SecretString;

/// The longest duration that any setting accepts; more is a slip of the keyboard.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
/// A secret larger than this is not a secret but the wrong file.
const LARGEST_SECRET: u64 = 64 * 1024;

/// Parses a duration such as `200ms`, `3s` or `1m`; zero and anything above a day are refused.
pub fn duration(text: &str) -> Result<Duration, String> {
    let value = humantime::parse_duration(text).map_err(|error| format!("{error}; write it like 200ms, 3s or 1m"))?;
    if value.is_zero() {
        return Err("a duration of zero would refuse everything; write it like 200ms, 3s or 1m".to_owned());
    }
    if value > LONGEST {
        return Err("longer than a day; write it like 200ms, 3s or 1m".to_owned());
    }
    Ok(value)
}

/// Parses a pause that may be zero.
pub(super) fn pause(text: &str) -> Result<Duration, String> {
    if text.trim_matches(|c: char| c.is_ascii_alphabetic()).trim() == "0" {
        return Ok(Duration::ZERO);
    }
    duration(text)
}

/// Parses a share above 0 and up to 1.
pub(super) fn ratio(text: &str) -> Result<f64, String> {
    match text.trim().parse::<f64>() {
        Ok(value) if value > 0.0 && value <= 1.0 => Ok(value),
        _ => Err("not a share above 0 and up to 1; write it like 0.2".to_owned()),
    }
}

/// Parses a socket address to listen on.
pub fn port_address(text: &str) -> Result<SocketAddr, String> {
    text.parse()
        .map_err(|_| "not an address to listen on; write it like 127.0.0.1:8080".to_owned())
}

/// Checks the address of something that is reached over plain HTTP.
pub fn url(text: &str) -> Result<String, String> {
    match text.parse::<reqwest::Url>() {
        Ok(url) if url.scheme() == "http" && url.has_host() => Ok(text.to_owned()),
        Ok(url) => Err(format!("`{}` is not supported; use an http:// address", url.scheme())),
        Err(error) => Err(format!("{error}; write it like http://127.0.0.1:8084")),
    }
}

/// A server's host name (or address) and port.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    /// Name or IP address, IPv6 without brackets.
    pub host: String,
    /// TCP port, never zero.
    pub port: u16,
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not host:port; write it like 127.0.0.1:5432");
        let (host, port) = text.trim().rsplit_once(':').ok_or_else(wrong)?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let plausible = !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || ".-_:".contains(c));
        match port.parse() {
            Ok(port) if port > 0 && plausible => Ok(Self {
                host: host.to_owned(),
                port,
            }),
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A secret read from a file when the settings were parsed; never shown.
#[derive(Clone, Debug)]
pub struct SecretFile(SecretString);

impl SecretFile {
    /// The secret itself.
    pub fn secret(&self) -> &SecretString {
        &self.0
    }

    /// A secret that comes from elsewhere than a file, for tests.
    pub fn from_text(text: &str) -> Self {
        Self(SecretString::from(text.to_owned()))
    }
}

impl FromStr for SecretFile {
    type Err = String;

    /// Reads the file at this path; one line break at its end is not part of the secret.
    fn from_str(path: &str) -> Result<Self, String> {
        let path = Path::new(path);
        let size = fs::metadata(path)
            .map_err(|error| format!("cannot read the secret: {error}"))?
            .len();
        if size > LARGEST_SECRET {
            return Err(format!(
                "the file has {size} bytes, too many for a secret; is it the right file?"
            ));
        }
        let text = fs::read_to_string(path).map_err(|error| format!("cannot read the secret: {error}"))?;
        let secret = text.strip_suffix('\n').unwrap_or(&text);
        let secret = secret.strip_suffix('\r').unwrap_or(secret);
        if secret.is_empty() {
            return Err("the file is empty; it must hold the secret on one line".to_owned());
        }
        Ok(Self(SecretString::from(secret.to_owned())))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::io::Write;

    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn durations_have_a_unit_and_sane_bounds() {
        assert_eq!(duration("200ms").unwrap(), Duration::from_millis(200));
        for wrong in ["0s", "-1s", "5", "", "2d", "soon"] {
            assert!(duration(wrong).is_err(), "{wrong:?} was accepted");
        }
        assert_eq!(pause("0s").unwrap(), Duration::ZERO);
        assert!(pause("-1s").is_err());
    }

    #[test]
    fn addresses_need_host_and_port() {
        let address: Address = "127.0.0.1:5432".parse().unwrap();
        assert_eq!((address.host.as_str(), address.port), ("127.0.0.1", 5432));
        assert_eq!("[::1]:5432".parse::<Address>().unwrap().to_string(), "[::1]:5432");
        for wrong in ["localhost", ":5432", "host:0", "host:99999", "a b:1", "postgres://h:1"] {
            assert!(wrong.parse::<Address>().is_err(), "{wrong:?} was accepted");
        }
    }

    #[test]
    fn a_secret_is_read_without_its_line_break_and_never_shown() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        writeln!(file, "open sesame").unwrap();
        let secret: SecretFile = file.path().to_str().unwrap().parse().unwrap();
        assert_eq!(secret.secret().expose_secret(), "open sesame");
        assert!(!format!("{secret:?}").contains("sesame"));
        assert!("/nonexistent/secret".parse::<SecretFile>().is_err());
    }
}
