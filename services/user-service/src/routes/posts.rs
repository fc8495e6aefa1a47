//! Posts.

use axum::extract::State;
use axum::http::StatusCode;
use nova_service::idempotency::{Answer, Attempt};
use nova_service::{IdempotencyKey, Json, List, Page, Path, Problem, ProblemBody, codes};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{not_blank, open_target};
use crate::app::App;
use crate::domain::{MAX_POST, Post, UserRef, paragraph};
use crate::errors;
use crate::store::{self, Slice};
use crate::viewer::Viewer;

/// What to publish.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewPost {
    /// At least one character that shows something; characters are counted, not bytes.
    #[schema(min_length = 1, max_length = 2000, pattern = r"\S", example = "Hello, world")]
    text: String,
}

/// Publish a post
#[utoipa::path(
    post, path = "/api/v1/posts", tag = "posts", security(("access_token" = [])),
    params(("Idempotency-Key" = Option<String>, Header, description = "A name for this write, so that repeating the request does not repeat it; a random UUID is a good one",
            min_length = 1, max_length = 128, pattern = "^[!-~]+$")),
    request_body = NewPost,
    responses(
        (status = 201, description = "The post", body = Post),
        (status = 400, description = "`invalid_json`, `invalid_idempotency_key`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "`unauthorized`, `invalid_token`, `token_expired`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 413, description = "`body_too_large`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 415, description = "`unsupported_media_type`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`validation_failed`, `idempotency_key_reused`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn create_post(
    State(app): State<App>,
    Viewer(viewer): Viewer,
    key: Option<IdempotencyKey>,
    Json(post): Json<NewPost>,
) -> Result<Answer, Problem> {
    not_blank("text", &post.text)?;
    paragraph(&post.text, MAX_POST).map_err(|reason| Problem::new(&codes::VALIDATION_FAILED).field("text", reason))?;
    Attempt::new(key, viewer, "create_post", &post)?
        .run(&app.postgres, |connection| {
            Box::pin(async move {
                let id = store::posts::create(connection, viewer, &post.text)
                    .await
                    .map_err(errors::by_author)?;
                let post = store::posts::get(connection, viewer, id).await?;
                Ok((StatusCode::CREATED, post.ok_or_else(errors::no_such_post)?))
            })
        })
        .await
}

/// One post
#[utoipa::path(
    get, path = "/api/v1/posts/{id}", tag = "posts", security(("access_token" = [])),
    params(("id" = Uuid, Path, description = "The post")),
    responses(
        (status = 200, description = "The post", body = Post),
        (status = 401, description = "`unauthorized`, `invalid_token`, `token_expired`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn get_post(
    State(app): State<App>,
    Viewer(viewer): Viewer,
    Path(id): Path<Uuid>,
) -> Result<Json<Post>, Problem> {
    let post = store::posts::get(&mut *app.read().await?, viewer, id).await?;
    post.map(Json).ok_or_else(errors::no_such_post)
}

/// Delete one's own post
///
/// For good. Nobody sees it or what hangs on it any more; its comments and likes are removed soon after.
#[utoipa::path(
    delete, path = "/api/v1/posts/{id}", tag = "posts", security(("access_token" = [])),
    params(("id" = Uuid, Path, description = "The post")),
    responses(
        (status = 204, description = "Deleted"),
        (status = 401, description = "`unauthorized`, `invalid_token`, `token_expired`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "`forbidden`: it is someone else's", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn delete_post(
    State(app): State<App>,
    Viewer(viewer): Viewer,
    Path(id): Path<Uuid>,
) -> Result<StatusCode, Problem> {
    let deleted = app
        .postgres
        .write(|connection| {
            Box::pin(async move {
                if store::posts::delete(connection, viewer, id).await? {
                    return Ok(StatusCode::NO_CONTENT);
                }
                match store::posts::get(connection, viewer, id).await? {
                    Some(_) => Err(Problem::forbidden("only its author deletes a post")),
                    None => Err(errors::no_such_post()),
                }
            })
        })
        .await?;
    app.backlog.notify_one();
    Ok(deleted)
}

/// What someone published, newest first
///
/// Of a private account only for its owner and followers.
#[utoipa::path(
    get, path = "/api/v1/users/{user}/posts", tag = "posts", security(("access_token" = [])),
    params(("user" = String, Path, description = "Id, username, or `me`"), Page),
    responses(
        (status = 200, description = "One page", body = List<Post>),
        (status = 400, description = "`invalid_parameter`, `invalid_cursor`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "`unauthorized`, `invalid_token`, `token_expired`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn list_user_posts(
    State(app): State<App>,
    Viewer(viewer): Viewer,
    Path(user): Path<UserRef>,
    page: Page,
) -> Result<Json<List<Post>>, Problem> {
    let slice = Slice::new(page.cursor()?, page.limit());
    let mut connection = app.read().await?;
    let target = open_target(&mut connection, viewer, &user).await?;
    let rows = store::posts::by_author(&mut connection, viewer, target, slice).await?;
    Ok(Json(List::page(rows, &page, |last| last.id)))
}
