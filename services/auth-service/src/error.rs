//! The problems that only this service has.

use axum::http::StatusCode;
use nova_service::{Code, Problem};

use crate::{
    domain::{email::EmailError, password::PasswordError},
    hashing::HashError,
};

/// The codes of this service, for docs/errors.md.
pub static CODES: &[&Code] = &[
    &ACCOUNT_EXISTS,
    &INVALID_CREDENTIALS,
    &INVALID_REFRESH_TOKEN,
    &INVALID_CLIENT,
    &UNSUPPORTED_GRANT_TYPE,
    &INVALID_SCOPE,
];

/// Registration tells whether an address has an account. Without sending e-mail it cannot be helped: the person who owns
/// the account has to learn it, and whoever asks for many addresses is throttled. Login tells nothing.
pub static ACCOUNT_EXISTS: Code = Code::new(
    "account_exists",
    StatusCode::CONFLICT,
    "Account exists",
    "There is already an account with this e-mail address. Log in instead.",
);

/// The same for a wrong password and for a name that is no account.
pub static INVALID_CREDENTIALS: Code = Code::new(
    "invalid_credentials",
    StatusCode::UNAUTHORIZED,
    "Invalid credentials",
    "The e-mail address or the password is wrong; which of them is not said.",
);

/// The same for every reason.
pub static INVALID_REFRESH_TOKEN: Code = Code::new(
    "invalid_refresh_token",
    StatusCode::UNAUTHORIZED,
    "Invalid refresh token",
    "The refresh token is unknown, expired, revoked, or was used before. Log in again.",
);

/// The same for an unknown service and for a wrong secret.
pub static INVALID_CLIENT: Code = Code::new(
    "invalid_client",
    StatusCode::UNAUTHORIZED,
    "Invalid client",
    "A service asked for a token and did not prove who it is: unknown, a wrong secret, or no HTTP Basic authentication.",
);

/// RFC 6749 knows more grants than are given here.
pub static UNSUPPORTED_GRANT_TYPE: Code = Code::new(
    "unsupported_grant_type",
    StatusCode::BAD_REQUEST,
    "Unsupported grant type",
    "Services get tokens by `grant_type=client_credentials` alone. People log in.",
);

/// The same for a service that there is not, and for what that one would not let it do.
pub static INVALID_SCOPE: Code = Code::new(
    "invalid_scope",
    StatusCode::BAD_REQUEST,
    "Invalid scope",
    "A service asked for a token without `audience` and `scope`, or for something that it may not do there.",
);

impl From<HashError> for Problem {
    fn from(error: HashError) -> Self {
        match error {
            HashError::Busy | HashError::Stopped => overloaded(),
            HashError::Hash(_) => Problem::internal(error),
        }
    }
}

/// Too many passwords are waiting to be checked.
pub fn overloaded() -> Problem {
    Problem::new(&nova_service::codes::OVERLOADED)
        .detail("too many passwords are waiting to be checked")
        .retry_after(std::time::Duration::from_secs(2))
}

/// An unusable e-mail address.
pub fn email(error: &EmailError) -> Problem {
    Problem::unprocessable(Vec::new()).field("email", error.to_string())
}

/// An unusable password in the field of this name.
pub fn password(field: &str, error: &PasswordError) -> Problem {
    Problem::unprocessable(Vec::new()).field(field, error.to_string())
}
