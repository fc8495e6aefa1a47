//! The sessions of the caller: where am I logged in, and how do I end that.

use axum::{extract::State, http::StatusCode};
use nova_service::{Json, List, Page, Path, Problem, ProblemBody, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::LiveCaller;
use crate::{
    app::App,
    audit::{Event, Outcome},
    client::Client,
    store,
};

/// A session.
#[derive(Debug, Serialize, ToSchema)]
pub struct Session {
    id: Uuid,
    /// When it began.
    created_at: Timestamp,
    /// When it was last refreshed.
    last_used_at: Timestamp,
    /// When it ends if it is not refreshed before.
    expires_at: Timestamp,
    /// From where it was last refreshed.
    #[schema(example = "192.0.2.7")]
    address: Option<String>,
    /// With what it was last refreshed.
    user_agent: Option<String>,
    /// Whether this request was made in it.
    current: bool,
}

/// List the sessions
///
/// Newest first.
#[utoipa::path(
    get, path = "/api/v1/auth/sessions", tag = "sessions",
    params(Page), security(("access_token" = [])),
    responses(
        (status = 200, description = "A page of sessions", body = List<Session>),
        (status = 400, description = "`invalid_cursor`, `invalid_parameter`", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = 401, description = "`unauthorized`, `invalid_token`, `token_expired`", body = ProblemBody,
            content_type = "application/problem+json"),
    )
)]
pub async fn list(
    State(app): State<App>,
    LiveCaller(caller): LiveCaller,
    page: Page,
) -> Result<Json<List<Session>>, Problem> {
    let (before, limit) = (page.cursor::<Uuid>()?, page.limit());
    let lifetimes = &app.settings.lifetimes;
    // From the primary: who has just ended a session must not see it here.
    let rows = store::sessions::list(app.postgres.primary()?, caller.account, before, limit, lifetimes).await?;
    let sessions = List::page(rows, &page, |last| last.id).map(|row| Session {
        id: row.id,
        created_at: row.created_at,
        last_used_at: row.last_used_at,
        expires_at: row.expires_at,
        address: row.address,
        user_agent: row.user_agent,
        current: row.id == caller.session,
    });
    Ok(Json(sessions))
}

/// End a session
///
/// It cannot be refreshed any more from now on; its last access token stays valid until it expires, 15 minutes at most.
#[utoipa::path(
    delete, path = "/api/v1/auth/sessions/{id}", tag = "sessions",
    params(("id" = Uuid, Path, description = "As in the list")), security(("access_token" = [])),
    responses(
        (status = 204, description = "It has ended"),
        (status = 401, description = "`unauthorized`, `invalid_token`, `token_expired`", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = 404, description = "`not_found`: no session of yours", body = ProblemBody,
            content_type = "application/problem+json"),
    )
)]
pub async fn revoke(
    State(app): State<App>,
    LiveCaller(caller): LiveCaller,
    client: Client,
    Path(id): Path<Uuid>,
) -> Result<StatusCode, Problem> {
    let event = if id == caller.session {
        Event::Logout
    } else {
        Event::SessionRevoke
    };
    let pool = app.postgres.primary()?;
    if store::sessions::end(pool, id, Some(caller.account), event, Outcome::Ok, &client).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Problem::not_found("you have no session with this id"))
    }
}

/// End all other sessions
///
/// All but the one that this request is made in.
#[utoipa::path(
    delete, path = "/api/v1/auth/sessions", tag = "sessions", security(("access_token" = [])),
    responses(
        (status = 204, description = "There is no other session any more"),
        (status = 401, description = "`unauthorized`, `invalid_token`, `token_expired`", body = ProblemBody,
            content_type = "application/problem+json"),
    )
)]
pub async fn revoke_others(
    State(app): State<App>,
    LiveCaller(caller): LiveCaller,
    client: Client,
) -> Result<StatusCode, Problem> {
    store::sessions::end_others(app.postgres.primary()?, caller.account, caller.session, &client).await?;
    Ok(StatusCode::NO_CONTENT)
}
