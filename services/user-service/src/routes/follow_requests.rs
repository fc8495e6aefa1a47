//! The requests to follow a private account, for its owner.

use axum::extract::State;
use axum::http::StatusCode;
use nova_service::{Json, List, Page, Path, Problem, ProblemBody};

use super::{change, changed};
use crate::app::App;
use crate::domain::{Listed, UserRef};
use crate::errors::FOLLOWING_LIMIT_REACHED;
use crate::store::{self, Slice, follow_requests::Acceptance};
use crate::viewer::Viewer;

/// Who asked to follow the viewer, newest first
#[utoipa::path(
    get, path = "/api/v1/follow-requests", tag = "follow requests", security(("access_token" = [])),
    params(Page),
    responses(
        (status = 200, description = "One page", body = List<Listed>),
        (status = 400, description = "`invalid_parameter`, `invalid_cursor`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "`unauthorized`, `invalid_token`, `token_expired`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn list_follow_requests(
    State(app): State<App>,
    Viewer(viewer): Viewer,
    page: Page,
) -> Result<Json<List<Listed>>, Problem> {
    let slice = Slice::new(page.cursor()?, page.limit());
    let rows = store::follow_requests::list(&mut *app.read().await?, viewer, slice).await?;
    Ok(Json(List::page(rows, &page, |last| last.position)))
}

/// Accept someone's request
///
/// Doing it again changes nothing.
#[utoipa::path(
    put, path = "/api/v1/follow-requests/{user}", tag = "follow requests", security(("access_token" = [])),
    params(("user" = String, Path, description = "Id or username of who asked")),
    responses(
        (status = 204, description = "They follow the viewer now"),
        (status = 401, description = "`unauthorized`, `invalid_token`, `token_expired`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`: they did not ask", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "`following_limit_reached`: they follow as many as they may", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`cannot_target_self`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn accept(
    State(app): State<App>,
    Viewer(viewer): Viewer,
    Path(user): Path<UserRef>,
) -> Result<StatusCode, Problem> {
    let max_following = i64::from(app.settings.max_following);
    let outcome = change(&app, viewer, user, move |connection, target| {
        Box::pin(store::follow_requests::accept(
            connection,
            viewer,
            target,
            max_following,
        ))
    });
    match outcome.await? {
        Acceptance::Done => Ok(StatusCode::NO_CONTENT),
        Acceptance::NoSuchRequest => Err(Problem::not_found("there is no request of such a user")),
        Acceptance::LimitReached => Err(Problem::new(&FOLLOWING_LIMIT_REACHED).detail(format!(
            "who asked follows {max_following} others or more; the request stays"
        ))),
    }
}

/// Reject someone's request
///
/// Doing it again changes nothing. They are not told, and may ask again.
#[utoipa::path(
    delete, path = "/api/v1/follow-requests/{user}", tag = "follow requests", security(("access_token" = [])),
    params(("user" = String, Path, description = "Id or username of who asked")),
    responses(
        (status = 204, description = "There is no request of theirs (any more)"),
        (status = 401, description = "`unauthorized`, `invalid_token`, `token_expired`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`cannot_target_self`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn reject(
    State(app): State<App>,
    Viewer(viewer): Viewer,
    Path(user): Path<UserRef>,
) -> Result<StatusCode, Problem> {
    let found = change(&app, viewer, user, move |connection, target| {
        Box::pin(store::follow_requests::reject(connection, viewer, target))
    });
    changed(found.await?)
}
