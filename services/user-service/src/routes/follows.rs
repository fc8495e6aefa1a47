//! Following, and who follows whom.

use axum::extract::State;
use axum::http::StatusCode;
use nova_service::{Json, List, Page, Path, Problem, ProblemBody};

use super::{change, changed, open_target};
use crate::app::App;
use crate::domain::{FollowAnswer, Listed, UserRef};
use crate::errors::{self, FOLLOWING_LIMIT_REACHED};
use crate::store::{self, Slice, follows::Follow};
use crate::viewer::Viewer;

/// Follow someone
///
/// The owner of a private account is asked first. Doing it again changes nothing.
#[utoipa::path(
    put, path = "/api/v1/users/{user}/follow", tag = "follows", security(("access_token" = [])),
    params(("user" = String, Path, description = "Id or username")),
    responses(
        (status = 200, description = "Follows now, or has asked to", body = FollowAnswer),
        (status = 401, description = "`unauthorized`, `invalid_token`, `token_expired`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "`following_limit_reached`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`cannot_target_self`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn follow(
    State(app): State<App>,
    Viewer(viewer): Viewer,
    Path(user): Path<UserRef>,
) -> Result<Json<FollowAnswer>, Problem> {
    let max_following = i64::from(app.settings.max_following);
    let outcome = change(&app, viewer, user, move |connection, target| {
        Box::pin(store::follows::follow(connection, viewer, target, max_following))
    });
    match outcome.await? {
        Follow::Done(state) => Ok(Json(FollowAnswer { state })),
        Follow::NoSuchUser => Err(errors::no_such_user()),
        Follow::LimitReached => {
            Err(Problem::new(&FOLLOWING_LIMIT_REACHED).detail(format!("an account may follow {max_following} others")))
        }
    }
}

/// Stop following someone, or withdraw the request to
#[utoipa::path(
    delete, path = "/api/v1/users/{user}/follow", tag = "follows", security(("access_token" = [])),
    params(("user" = String, Path, description = "Id or username")),
    responses(
        (status = 204, description = "Does not follow (any more)"),
        (status = 401, description = "`unauthorized`, `invalid_token`, `token_expired`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`cannot_target_self`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn unfollow(
    State(app): State<App>,
    Viewer(viewer): Viewer,
    Path(user): Path<UserRef>,
) -> Result<StatusCode, Problem> {
    let found = change(&app, viewer, user, move |connection, target| {
        Box::pin(store::follows::unfollow(connection, viewer, target))
    });
    changed(found.await?)
}

/// Who follows an account, newest first
///
/// Of a private account only for its owner and followers.
#[utoipa::path(
    get, path = "/api/v1/users/{user}/followers", tag = "follows", security(("access_token" = [])),
    params(("user" = String, Path, description = "Id, username, or `me`"), Page),
    responses(
        (status = 200, description = "One page", body = List<Listed>),
        (status = 400, description = "`invalid_parameter`, `invalid_cursor`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "`unauthorized`, `invalid_token`, `token_expired`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn list_followers(
    State(app): State<App>,
    Viewer(viewer): Viewer,
    Path(user): Path<UserRef>,
    page: Page,
) -> Result<Json<List<Listed>>, Problem> {
    let slice = Slice::new(page.cursor()?, page.limit());
    let mut connection = app.read().await?;
    let target = open_target(&mut connection, viewer, &user).await?;
    let rows = store::follows::followers(&mut connection, viewer, target, slice).await?;
    Ok(Json(List::page(rows, &page, |last| last.position)))
}

/// Whom an account follows, newest first
///
/// Of a private account only for its owner and followers.
#[utoipa::path(
    get, path = "/api/v1/users/{user}/following", tag = "follows", security(("access_token" = [])),
    params(("user" = String, Path, description = "Id, username, or `me`"), Page),
    responses(
        (status = 200, description = "One page", body = List<Listed>),
        (status = 400, description = "`invalid_parameter`, `invalid_cursor`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "`unauthorized`, `invalid_token`, `token_expired`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn list_following(
    State(app): State<App>,
    Viewer(viewer): Viewer,
    Path(user): Path<UserRef>,
    page: Page,
) -> Result<Json<List<Listed>>, Problem> {
    let slice = Slice::new(page.cursor()?, page.limit());
    let mut connection = app.read().await?;
    let target = open_target(&mut connection, viewer, &user).await?;
    let rows = store::follows::following(&mut connection, viewer, target, slice).await?;
    Ok(Json(List::page(rows, &page, |last| last.position)))
}
