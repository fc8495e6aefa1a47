//! The stable codes of problems: each one documented where it is defined, and listed in `docs/errors.md`.

use std::fmt::Write;

use axum::http::StatusCode;

/// A kind of problem that clients may rely on. Its `code` never changes; its title and text may.
#[derive(Debug, PartialEq, Eq)]
pub struct Code {
    /// What a program compares, in snake_case.
    pub code: &'static str,
    /// The HTTP status that it is answered with.
    pub status: StatusCode,
    /// A short summary for people.
    pub title: &'static str,
    /// When it happens and what the client can do, for `docs/errors.md`.
    pub help: &'static str,
}

impl Code {
    /// Defines a code; meant for a `static`.
    pub const fn new(code: &'static str, status: StatusCode, title: &'static str, help: &'static str) -> Self {
        Self {
            code,
            status,
            title,
            help,
        }
    }
}

macro_rules! codes {
    ($($name:ident = $code:literal, $status:ident, $title:literal, $help:literal;)*) => {
        /// The codes that every service may answer with.
        pub mod codes {
            use super::{Code, StatusCode};
            $(#[doc = $help] pub static $name: Code = Code::new($code, StatusCode::$status, $title, $help);)*
        }
        /// All codes of the chassis, in the order of `docs/errors.md`.
        pub static CODES: &[&Code] = &[$(&codes::$name),*];
    };
}

codes! {
    BAD_REQUEST = "bad_request", BAD_REQUEST, "Bad request",
        "The request cannot be understood. `detail` says which part; correct it before you try again.";
    INVALID_JSON = "invalid_json", BAD_REQUEST, "Invalid JSON",
        "The body is not valid JSON, or not UTF-8. `detail` gives line and column.";
    INVALID_PARAMETER = "invalid_parameter", BAD_REQUEST, "Invalid parameter",
        "A part of the path or the query string has the wrong type or is out of range. `detail` names it.";
    INVALID_CURSOR = "invalid_cursor", BAD_REQUEST, "Invalid cursor",
        "`cursor` is not one that this list gave out. Start again without it.";
    INVALID_IDEMPOTENCY_KEY = "invalid_idempotency_key", BAD_REQUEST, "Invalid idempotency key",
        "`Idempotency-Key` must be 1 to 128 visible ASCII characters; a random UUID is a good one.";
    UNAUTHORIZED = "unauthorized", UNAUTHORIZED, "Authentication required",
        "No access token was sent. Log in and send it as `Authorization: Bearer`.";
    INVALID_TOKEN = "invalid_token", UNAUTHORIZED, "Invalid access token",
        "The access token is malformed, was not signed by the issuer, or was made for another audience. Log in again.";
    TOKEN_EXPIRED = "token_expired", UNAUTHORIZED, "Access token expired",
        "Refresh the access token and repeat the request.";
    FORBIDDEN = "forbidden", FORBIDDEN, "Forbidden",
        "The caller is known and may not do this.";
    INSUFFICIENT_SCOPE = "insufficient_scope", FORBIDDEN, "Insufficient scope",
        "The service token is valid and was made for something else. A service asks for a token for each thing that it does.";
    ORIGIN_NOT_ALLOWED = "origin_not_allowed", FORBIDDEN, "Origin not allowed",
        "A browser asks for a page whose origin is not among those that may use the API: `origins` of `[gateway]` in nova.toml.";
    NOT_FOUND = "not_found", NOT_FOUND, "Not found",
        "There is nothing here, or nothing that the caller may know of.";
    METHOD_NOT_ALLOWED = "method_not_allowed", METHOD_NOT_ALLOWED, "Method not allowed",
        "The address exists and does not take this method; the `Allow` header lists those that it takes.";
    NOT_ACCEPTABLE = "not_acceptable", NOT_ACCEPTABLE, "Not acceptable",
        "`Accept` wants what no route answers. Accept `application/json` and, for errors, `application/problem+json`. Nothing was done.";
    REQUEST_TIMEOUT = "request_timeout", REQUEST_TIMEOUT, "Request took too long to arrive",
        "The body did not arrive in time. Nothing was done; send it again.";
    CONFLICT = "conflict", CONFLICT, "Conflict",
        "The request contradicts the present state. `detail` says how.";
    BODY_TOO_LARGE = "body_too_large", PAYLOAD_TOO_LARGE, "Body too large",
        "The body is larger than the service accepts. `detail` gives the limit.";
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type", UNSUPPORTED_MEDIA_TYPE, "Unsupported media type",
        "Send the body as `Content-Type: application/json`.";
    VALIDATION_FAILED = "validation_failed", UNPROCESSABLE_ENTITY, "Validation failed",
        "The JSON is well-formed and its content is not acceptable. `errors` lists each field with its reason.";
    IDEMPOTENCY_KEY_REUSED = "idempotency_key_reused", UNPROCESSABLE_ENTITY, "Idempotency key reused",
        "This `Idempotency-Key` was used for a different request. Use a new key for each new intent.";
    TOO_MANY_REQUESTS = "too_many_requests", TOO_MANY_REQUESTS, "Too many requests",
        "Slow down; `Retry-After` says for how many seconds.";
    INTERNAL = "internal", INTERNAL_SERVER_ERROR, "Internal error",
        "A defect of the service. The log has the cause under the answer's `request_id`.";
    DEPENDENCY_UNAVAILABLE = "dependency_unavailable", SERVICE_UNAVAILABLE, "Dependency unavailable",
        "Something that this route needs is down; `detail` names it. Nothing was done. Try again after `Retry-After` seconds.";
    STARTING = "starting", SERVICE_UNAVAILABLE, "Starting",
        "The service has not finished its initialisation. Try again after `Retry-After` seconds.";
    DRAINING = "draining", SERVICE_UNAVAILABLE, "Shutting down",
        "This copy of the service is ending. Nothing was done; repeat the request, another copy takes it.";
    OVERLOADED = "overloaded", SERVICE_UNAVAILABLE, "Overloaded",
        "The service has as much work as it can do in time. Nothing was done. Try again after `Retry-After` seconds.";
    TIMEOUT = "timeout", GATEWAY_TIMEOUT, "Timeout",
        "A read took too long and was given up. It may be repeated.";
    DEADLINE_EXCEEDED = "deadline_exceeded", GATEWAY_TIMEOUT, "Deadline exceeded",
        "The time that the caller gave (`nova-timeout-ms`) was up before work began. Nothing was done.";
    OUTCOME_UNKNOWN = "outcome_unknown", GATEWAY_TIMEOUT, "Outcome unknown",
        "A write was sent to the database and its answer did not come in time: it may have happened or not. Look before you repeat it, or repeat it with the same `Idempotency-Key`.";
}

/// One section of `docs/errors.md`: the codes as a table.
pub fn errors_markdown(codes: &[&Code]) -> String {
    let mut text = String::from("| Code | Status | When, and what to do |\n|---|---|---|\n");
    for code in codes {
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "| `{}` | {} | {} |",
            code.code,
            code.status.as_u16(),
            code.help.replace('|', "\\|")
        );
    }
    text
}
