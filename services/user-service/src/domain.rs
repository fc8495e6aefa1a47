//! The rules for names and texts, and the shapes of what is answered. No I/O.

mod account;
mod post;
mod profile;
mod text;
mod user_ref;
mod username;

use nova_service::Timestamp;
use time::OffsetDateTime;
use uuid::Uuid;

pub(crate) use account::{Account, AccountSession, OwnProfile};
pub(crate) use post::{Comment, Post};
pub(crate) use profile::{Author, FollowAnswer, FollowState, Listed, Profile, ProfileChange, Relationship};
pub(crate) use text::{MAX_BIO, MAX_COMMENT, MAX_DISPLAY_NAME, MAX_POST, paragraph, shows_nothing, single_line};
pub(crate) use user_ref::UserRef;
pub(crate) use username::Username;

/// When something with this id was made: a UUIDv7 carries its time, so that order and time never disagree.
pub(crate) fn made_at(id: Uuid) -> Timestamp {
    let (seconds, nanoseconds) = id.get_timestamp().map_or((0, 0), |time| time.to_unix());
    let nanoseconds = i128::from(seconds) * 1_000_000_000 + i128::from(nanoseconds);
    // 48 bits of milliseconds stay within what the calendar holds; if not, the epoch is as wrong as any other time.
    OffsetDateTime::from_unix_timestamp_nanos(nanoseconds)
        .unwrap_or(OffsetDateTime::UNIX_EPOCH)
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_carries_its_time() {
        let before = Timestamp::now().unix();
        let time = made_at(Uuid::now_v7()).unix();
        assert!((before..=before + 60).contains(&time));
        assert_eq!(made_at(Uuid::max()).unix(), 0, "not a v7");
    }
}
