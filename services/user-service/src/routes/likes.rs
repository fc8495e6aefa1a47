//! Likes.

use axum::extract::State;
use axum::http::StatusCode;
use nova_service::{Json, List, Page, Path, Problem, ProblemBody};
use uuid::Uuid;

use crate::app::App;
use crate::domain::Listed;
use crate::errors;
use crate::store::{self, Slice};
use crate::viewer::Viewer;

/// Like a post
///
/// Doing it again changes nothing.
#[utoipa::path(
    put, path = "/api/v1/posts/{id}/like", tag = "likes", security(("access_token" = [])),
    params(("id" = Uuid, Path, description = "The post")),
    responses(
        (status = 204, description = "Liked"),
        (status = 401, description = "`unauthorized`, `invalid_token`, `token_expired`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn like(
    State(app): State<App>,
    Viewer(viewer): Viewer,
    Path(post): Path<Uuid>,
) -> Result<StatusCode, Problem> {
    let found = app
        .postgres
        .write(|connection| Box::pin(store::likes::like(connection, viewer, post)))
        .await
        .map_err(errors::by_author)?;
    if found {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(errors::no_such_post())
    }
}

/// Take one's like back
#[utoipa::path(
    delete, path = "/api/v1/posts/{id}/like", tag = "likes", security(("access_token" = [])),
    params(("id" = Uuid, Path, description = "The post")),
    responses(
        (status = 204, description = "Not liked (any more)"),
        (status = 401, description = "`unauthorized`, `invalid_token`, `token_expired`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn unlike(
    State(app): State<App>,
    Viewer(viewer): Viewer,
    Path(post): Path<Uuid>,
) -> Result<StatusCode, Problem> {
    let found = app
        .postgres
        .write(|connection| Box::pin(store::likes::unlike(connection, viewer, post)))
        .await?;
    if found {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(errors::no_such_post())
    }
}

/// Who likes a post, newest first
#[utoipa::path(
    get, path = "/api/v1/posts/{id}/likes", tag = "likes", security(("access_token" = [])),
    params(("id" = Uuid, Path, description = "The post"), Page),
    responses(
        (status = 200, description = "One page", body = List<Listed>),
        (status = 400, description = "`invalid_parameter`, `invalid_cursor`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "`unauthorized`, `invalid_token`, `token_expired`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn list_likes(
    State(app): State<App>,
    Viewer(viewer): Viewer,
    Path(post): Path<Uuid>,
    page: Page,
) -> Result<Json<List<Listed>>, Problem> {
    let slice = Slice::new(page.cursor()?, page.limit());
    let mut connection = app.read().await?;
    if !store::posts::is_visible(&mut connection, viewer, post).await? {
        return Err(errors::no_such_post());
    }
    let rows = store::likes::list(&mut connection, viewer, post, slice).await?;
    Ok(Json(List::page(rows, &page, |last| last.position)))
}
