//! Profiles: one's own, and those of others.

use axum::extract::State;
use nova_service::{Caller, DatabaseError, Json, Path, Problem, ProblemBody, codes};
use serde::Deserialize;
use utoipa::ToSchema;

use super::target;
use crate::app::App;
use crate::domain::{
    MAX_BIO, MAX_DISPLAY_NAME, OwnProfile, Profile, ProfileChange, UserRef, Username, paragraph, shows_nothing,
    single_line,
};
use crate::errors::{self, USERNAME_TAKEN};
use crate::store;
use crate::viewer::Viewer;

/// What to change; what is left out stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProfilePatch {
    /// Unique without regard to case; kept in lower case. Names that speak for the platform, such as `admin`, are nobody's.
    #[schema(pattern = "^[A-Za-z0-9_]{3,30}$", example = "ada")]
    username: Option<String>,
    /// Empty, or something that can be seen, without characters that turn the direction of what follows.
    #[schema(max_length = 50, example = "Ada Lovelace")]
    display_name: Option<String>,
    /// Empty, or something that can be seen.
    #[schema(max_length = 500)]
    bio: Option<String>,
    /// Turning public accepts everyone who asked to follow, many of them soon after the answer.
    private: Option<bool>,
}

/// A rule for texts of a length.
type Check = fn(&str, usize) -> Result<(), String>;

impl ProfilePatch {
    fn check(self) -> Result<ProfileChange, Problem> {
        let mut problem = Problem::new(&codes::VALIDATION_FAILED);
        let mut wrong = false;
        let mut refuse = |field: &str, reason: String| {
            wrong = true;
            problem = std::mem::replace(&mut problem, Problem::new(&codes::VALIDATION_FAILED)).field(field, reason);
        };
        let username = self.username.and_then(|text| {
            Username::chosen(&text)
                .map_err(|reason| refuse("username", reason.to_owned()))
                .ok()
        });
        let texts = [
            (
                "display_name",
                &self.display_name,
                single_line as Check,
                MAX_DISPLAY_NAME,
            ),
            ("bio", &self.bio, paragraph, MAX_BIO),
        ];
        for (field, text, check, longest) in texts {
            let Some(text) = text else { continue };
            if let Err(reason) = check(text, longest) {
                refuse(field, reason);
            } else if !text.is_empty() && shows_nothing(text) {
                refuse(field, "must show something, or be empty".to_owned());
            }
        }
        if wrong {
            return Err(problem);
        }
        Ok(ProfileChange {
            username,
            display_name: self.display_name,
            bio: self.bio,
            private: self.private,
        })
    }
}

/// One's own profile, with the account behind it
///
/// It appears with its owner's first request, whatever that is. The account comes from auth-service; when that is slow or
/// gone, the profile is answered all the same, and `partial` says so.
#[utoipa::path(
    get, path = "/api/v1/users/me", tag = "profiles", security(("access_token" = [])),
    responses(
        (status = 200, description = "The profile, partial if `partial` is true", body = OwnProfile),
        (status = 401, description = "`unauthorized`, `invalid_token`, `token_expired`", body = ProblemBody,
            content_type = "application/problem+json"),
    )
)]
pub(crate) async fn get_me(
    State(app): State<App>,
    caller: Caller,
    Viewer(viewer): Viewer,
) -> Result<Json<OwnProfile>, Problem> {
    // At the same time; no connection to the database is held while auth-service is waited for.
    let profile = async {
        let profile = store::profiles::get(&mut *app.read().await?, viewer, viewer).await?;
        profile.ok_or_else(errors::no_such_user)
    };
    let account = async { Ok::<_, Problem>(app.accounts.of(&caller).await) };
    // Without a profile there is nothing to wait for.
    let (profile, account) = tokio::try_join!(profile, account)?;
    Ok(Json(OwnProfile::new(profile, account)))
}

/// Change one's own profile
#[utoipa::path(
    patch, path = "/api/v1/users/me", tag = "profiles", security(("access_token" = [])),
    request_body = ProfilePatch,
    responses(
        (status = 200, description = "The profile as it is now", body = Profile),
        (status = 400, description = "`invalid_json`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "`unauthorized`, `invalid_token`, `token_expired`", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = 409, description = "`username_taken`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 413, description = "`body_too_large`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 415, description = "`unsupported_media_type`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`validation_failed`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn patch_me(
    State(app): State<App>,
    Viewer(viewer): Viewer,
    Json(patch): Json<ProfilePatch>,
) -> Result<Json<Profile>, Problem> {
    let change = patch.check()?;
    let max_following = i64::from(app.settings.max_following);
    let profile = app
        .postgres
        .write(|connection| {
            Box::pin(async move {
                store::profiles::update(connection, viewer, &change, max_following)
                    .await
                    .map_err(taken)?;
                Ok::<_, Problem>(store::profiles::get(connection, viewer, viewer).await?)
            })
        })
        .await?;
    app.backlog.notify_one();
    profile.map(Json).ok_or_else(errors::no_such_user)
}

fn taken(error: DatabaseError) -> Problem {
    if store::profiles::is_username_taken(&error) {
        Problem::new(&USERNAME_TAKEN)
    } else {
        error.into()
    }
}

/// Someone's profile
///
/// Private accounts show theirs too; what they post and whom they know is for their followers.
#[utoipa::path(
    get, path = "/api/v1/users/{user}", tag = "profiles", security(("access_token" = [])),
    params(("user" = String, Path, description = "Id, username, or `me`")),
    responses(
        (status = 200, description = "The profile, and how the viewer and it stand to each other", body = Profile),
        (status = 401, description = "`unauthorized`, `invalid_token`, `token_expired`", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = 404, description = "`not_found`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn get_user(
    State(app): State<App>,
    Viewer(viewer): Viewer,
    Path(user): Path<UserRef>,
) -> Result<Json<Profile>, Problem> {
    let mut connection = app.read().await?;
    let target = target(&mut connection, viewer, &user).await?;
    let profile = store::profiles::get(&mut connection, viewer, target).await?;
    profile.map(Json).ok_or_else(errors::no_such_user)
}
