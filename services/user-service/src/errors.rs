//! The problems that only this service has.

use axum::http::StatusCode;
use nova_service::{Code, Problem};

/// The codes of this service, for docs/errors.md.
pub static CODES: &[&Code] = &[&USERNAME_TAKEN, &CANNOT_TARGET_SELF, &FOLLOWING_LIMIT_REACHED];

pub(crate) static USERNAME_TAKEN: Code = Code::new(
    "username_taken",
    StatusCode::CONFLICT,
    "Username taken",
    "Another account has this username; upper and lower case do not make a difference. Choose another.",
);

pub(crate) static CANNOT_TARGET_SELF: Code = Code::new(
    "cannot_target_self",
    StatusCode::UNPROCESSABLE_ENTITY,
    "Cannot target yourself",
    "An account cannot follow or block itself.",
);

pub(crate) static FOLLOWING_LIMIT_REACHED: Code = Code::new(
    "following_limit_reached",
    StatusCode::CONFLICT,
    "Following limit reached",
    "The account follows as many others as it may. Unfollow someone first.",
);

/// One answer for accounts that are not there and those that the viewer may not know of.
pub(crate) fn no_such_user() -> Problem {
    Problem::not_found("there is no such user")
}

/// One answer for posts that are not there and those that the viewer may not know of.
pub(crate) fn no_such_post() -> Problem {
    Problem::not_found("there is no such post")
}

/// Likewise for comments.
pub(crate) fn no_such_comment() -> Problem {
    Problem::not_found("there is no such comment")
}
