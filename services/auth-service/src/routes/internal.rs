//! What other services may ask, with a token of their own.

use axum::extract::State;
use nova_service::{Granted, Json, Path, Problem, ProblemBody, ReadAccounts, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    app::App,
    store::{self, sessions::MOST_SESSIONS},
};

/// What another service may know of an account.
#[derive(Debug, Serialize, ToSchema)]
pub struct AccountDetails {
    id: Uuid,
    /// The address that it logs in with.
    #[schema(example = "ada@example.com")]
    email: String,
    /// When it was made.
    created_at: Timestamp,
    /// Its sessions, newest first; 100 at most.
    #[schema(max_items = 100)]
    sessions: Vec<AccountSession>,
}

/// One of its sessions.
#[derive(Debug, Serialize, ToSchema)]
pub struct AccountSession {
    id: Uuid,
    /// When it began.
    created_at: Timestamp,
    /// When it was last refreshed.
    last_used_at: Timestamp,
    /// When it ends if it is not refreshed before.
    expires_at: Timestamp,
    /// From where it was last refreshed.
    #[schema(required, example = "192.0.2.7")]
    address: Option<String>,
    /// With what it was last refreshed.
    #[schema(required)]
    user_agent: Option<String>,
}

/// An account, for other services
#[utoipa::path(
    get, path = "/api/v1/internal/accounts/{id}", tag = "internal",
    params(("id" = Uuid, Path, description = "The account")), security(("service_token" = [])),
    responses(
        (status = 200, description = "The account with its sessions", body = AccountDetails),
        (status = 401, description = "`unauthorized`, `invalid_token`, `token_expired`: no service's token",
            body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "`insufficient_scope`: a service's token for something else", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = 404, description = "`not_found`: no such account", body = ProblemBody,
            content_type = "application/problem+json"),
    )
)]
pub async fn account(
    State(app): State<App>,
    _: Granted<ReadAccounts>,
    Path(id): Path<Uuid>,
) -> Result<Json<AccountDetails>, Problem> {
    // A little old is better than nothing while there is no primary.
    let pool = match app.postgres.primary() {
        Ok(primary) => primary,
        Err(_) => app.postgres.replicas()?,
    };
    let (details, sessions) = tokio::try_join!(
        store::accounts::details(pool, id),
        store::sessions::list(pool, id, None, MOST_SESSIONS, &app.settings.lifetimes),
    )?;
    let details = details.ok_or_else(|| Problem::not_found("there is no such account"))?;
    let most = usize::try_from(MOST_SESSIONS).unwrap_or(usize::MAX);
    let sessions = sessions.into_iter().take(most).map(|row| AccountSession {
        id: row.id,
        created_at: row.created_at,
        last_used_at: row.last_used_at,
        expires_at: row.expires_at,
        address: row.address,
        user_agent: row.user_agent,
    });
    Ok(Json(AccountDetails {
        id,
        email: details.email,
        created_at: details.created_at,
        sessions: sessions.collect(),
    }))
}
