//! Comments.

use axum::extract::State;
use axum::http::StatusCode;
use nova_service::idempotency::{Answer, Attempt};
use nova_service::{IdempotencyKey, Json, List, Page, Path, Problem, ProblemBody, codes};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::not_blank;
use crate::app::App;
use crate::domain::{Comment, MAX_COMMENT, paragraph};
use crate::errors;
use crate::store::{self, Slice, comments::Deletion};
use crate::viewer::Viewer;

/// What to say.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewComment {
    /// At least one character that shows something; characters are counted, not bytes.
    #[schema(min_length = 1, max_length = 1000, pattern = r"\S", example = "Well said")]
    text: String,
}

/// The comments on a post, newest first
#[utoipa::path(
    get, path = "/api/v1/posts/{id}/comments", tag = "comments", security(("access_token" = [])),
    params(("id" = Uuid, Path, description = "The post"), Page),
    responses(
        (status = 200, description = "One page", body = List<Comment>),
        (status = 400, description = "`invalid_parameter`, `invalid_cursor`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "`unauthorized`, `invalid_token`, `token_expired`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn list_comments(
    State(app): State<App>,
    Viewer(viewer): Viewer,
    Path(post): Path<Uuid>,
    page: Page,
) -> Result<Json<List<Comment>>, Problem> {
    let slice = Slice::new(page.cursor()?, page.limit());
    let mut connection = app.read().await?;
    if !store::posts::is_visible(&mut connection, viewer, post).await? {
        return Err(errors::no_such_post());
    }
    let rows = store::comments::list(&mut connection, viewer, post, slice).await?;
    Ok(Json(List::page(rows, &page, |last| last.id)))
}

/// Comment on a post
#[utoipa::path(
    post, path = "/api/v1/posts/{id}/comments", tag = "comments", security(("access_token" = [])),
    params(("id" = Uuid, Path, description = "The post"),
        ("Idempotency-Key" = Option<String>, Header, description = "A name for this write, so that repeating the request does not repeat it; a random UUID is a good one",
            min_length = 1, max_length = 128, pattern = "^[!-~]+$")),
    request_body = NewComment,
    responses(
        (status = 201, description = "The comment", body = Comment),
        (status = 400, description = "`invalid_json`, `invalid_idempotency_key`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "`unauthorized`, `invalid_token`, `token_expired`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 413, description = "`body_too_large`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 415, description = "`unsupported_media_type`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`validation_failed`, `idempotency_key_reused`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn create_comment(
    State(app): State<App>,
    Viewer(viewer): Viewer,
    Path(post): Path<Uuid>,
    key: Option<IdempotencyKey>,
    Json(comment): Json<NewComment>,
) -> Result<Answer, Problem> {
    not_blank("text", &comment.text)?;
    paragraph(&comment.text, MAX_COMMENT)
        .map_err(|reason| Problem::new(&codes::VALIDATION_FAILED).field("text", reason))?;
    Attempt::new(key, viewer, "create_comment", &(post, &comment))?
        .run(&app.postgres, |connection| {
            Box::pin(async move {
                let comment = store::comments::create(connection, viewer, post, &comment.text)
                    .await
                    .map_err(errors::by_author)?;
                Ok((StatusCode::CREATED, comment.ok_or_else(errors::no_such_post)?))
            })
        })
        .await
}

/// Delete a comment
///
/// One's own, or any on one's own post.
#[utoipa::path(
    delete, path = "/api/v1/comments/{id}", tag = "comments", security(("access_token" = [])),
    params(("id" = Uuid, Path, description = "The comment")),
    responses(
        (status = 204, description = "Deleted"),
        (status = 401, description = "`unauthorized`, `invalid_token`, `token_expired`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "`forbidden`: neither the comment nor the post is the viewer's", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn delete_comment(
    State(app): State<App>,
    Viewer(viewer): Viewer,
    Path(id): Path<Uuid>,
) -> Result<StatusCode, Problem> {
    let deletion = app
        .postgres
        .write(|connection| Box::pin(store::comments::delete(connection, viewer, id)))
        .await?;
    match deletion {
        Deletion::Done => Ok(StatusCode::NO_CONTENT),
        Deletion::NoSuchComment => Err(errors::no_such_comment()),
        Deletion::NotTheirs => Err(Problem::forbidden(
            "only its author and the author of the post delete a comment",
        )),
    }
}
