//! Blocking.

use axum::extract::State;
use axum::http::StatusCode;
use nova_service::{Json, List, Page, Path, Problem, ProblemBody};

use super::{change, changed};
use crate::app::App;
use crate::domain::{Listed, UserRef};
use crate::store::{self, Slice};
use crate::viewer::Viewer;

/// Block someone
///
/// Ends every follow between the two, asked for or granted, and hides both from each other: profiles, posts, comments and
/// likes. Doing it again changes nothing.
#[utoipa::path(
    put, path = "/api/v1/users/{user}/block", tag = "blocks", security(("access_token" = [])),
    params(("user" = String, Path, description = "Id or username")),
    responses(
        (status = 204, description = "Blocked"),
        (status = 401, description = "`unauthorized`, `invalid_token`, `token_expired`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`cannot_target_self`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn block(
    State(app): State<App>,
    Viewer(viewer): Viewer,
    Path(user): Path<UserRef>,
) -> Result<StatusCode, Problem> {
    let found = change(&app, viewer, user, move |connection, target| {
        Box::pin(store::blocks::block(connection, viewer, target))
    });
    changed(found.await?)
}

/// End one's block of someone
///
/// Follows that the block ended do not come back.
#[utoipa::path(
    delete, path = "/api/v1/users/{user}/block", tag = "blocks", security(("access_token" = [])),
    params(("user" = String, Path, description = "Id or username")),
    responses(
        (status = 204, description = "Not blocked (any more)"),
        (status = 401, description = "`unauthorized`, `invalid_token`, `token_expired`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`cannot_target_self`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn unblock(
    State(app): State<App>,
    Viewer(viewer): Viewer,
    Path(user): Path<UserRef>,
) -> Result<StatusCode, Problem> {
    let found = change(&app, viewer, user, move |connection, target| {
        Box::pin(store::blocks::unblock(connection, viewer, target))
    });
    changed(found.await?)
}

/// Whom the viewer blocked, newest first
#[utoipa::path(
    get, path = "/api/v1/blocks", tag = "blocks", security(("access_token" = [])),
    params(Page),
    responses(
        (status = 200, description = "One page", body = List<Listed>),
        (status = 400, description = "`invalid_parameter`, `invalid_cursor`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "`unauthorized`, `invalid_token`, `token_expired`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn list_blocks(
    State(app): State<App>,
    Viewer(viewer): Viewer,
    page: Page,
) -> Result<Json<List<Listed>>, Problem> {
    let slice = Slice::new(page.cursor()?, page.limit());
    let rows = store::blocks::list(&mut *app.read().await?, viewer, slice).await?;
    Ok(Json(List::page(rows, &page, |last| last.position)))
}
