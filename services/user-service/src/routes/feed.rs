//! The home feed.

use axum::extract::State;
use nova_service::{Json, List, Page, Problem, ProblemBody};

use crate::app::App;
use crate::domain::Post;
use crate::store::{self, Slice};
use crate::viewer::Viewer;

/// The home feed: the viewer's posts and those of everyone they follow, newest first
///
/// A cursor stays where it is while people post: the next page repeats nothing and skips nothing.
#[utoipa::path(
    get, path = "/api/v1/feed", tag = "feed", security(("access_token" = [])),
    params(Page),
    responses(
        (status = 200, description = "One page", body = List<Post>),
        (status = 400, description = "`invalid_parameter`, `invalid_cursor`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "`unauthorized`, `invalid_token`, `token_expired`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn get_feed(
    State(app): State<App>,
    Viewer(viewer): Viewer,
    page: Page,
) -> Result<Json<List<Post>>, Problem> {
    let slice = Slice::new(page.cursor()?, page.limit());
    let rows = store::feed::page(&mut *app.read().await?, viewer, slice).await?;
    Ok(Json(List::page(rows, &page, |last| last.id)))
}
