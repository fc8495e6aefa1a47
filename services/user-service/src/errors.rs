//! The problems that only this service has.

use axum::http::StatusCode;
use nova_service::{Code, DatabaseError, Problem, codes};

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
    "The account follows as many others as it may, requests that wait for an answer included. Unfollow someone or withdraw a request first. When you accept someone's request it is their limit, and the request stays.",
);

/// The caller's access token outlived the account.
pub(crate) fn account_deleted() -> Problem {
    Problem::new(&codes::INVALID_TOKEN).detail("the account of this access token was deleted")
}

/// What a write of an account came to whose profile may have been deleted a moment ago.
pub(crate) fn by_author(error: DatabaseError) -> Problem {
    const PROFILES: [&str; 4] = [
        "posts_author_id_fkey",
        "author_activity_author_id_fkey",
        "likes_account_id_fkey",
        "comments_author_id_fkey",
    ];
    if error.constraint().is_some_and(|name| PROFILES.contains(&name)) {
        account_deleted()
    } else {
        error.into()
    }
}

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
