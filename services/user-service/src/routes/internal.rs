//! What other services may ask, with a token of their own.

use axum::extract::State;
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use nova_service::{EraseAccounts, Granted, Json, Path, Problem, ProblemBody};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::app::App;
use crate::deletions;
use crate::store::deletion::Batch;

/// When asking again is worth it.
const AGAIN: [(HeaderName, &str); 1] = [(header::RETRY_AFTER, "1")];

/// How far a deletion is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Erasure {
    status: ErasureStatus,
}

/// The stage of a deletion.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum ErasureStatus {
    /// The account is gone for everyone who looks, and what it left is being removed.
    Erasing,
}

/// Delete everything of an account, for other services
///
/// Idempotent, also for accounts that never were here. What takes longer than one call goes on by itself; ask again to learn
/// when it is done.
#[utoipa::path(
    delete, path = "/api/v1/internal/accounts/{id}", tag = "internal", security(("service_token" = [])),
    params(("id" = Uuid, Path, description = "The account")),
    responses(
        (status = 202, description = "The account is gone for everyone who looks, and the removal of what it left goes on", body = Erasure,
            headers(("Retry-After" = u32, description = "Ask again after so many seconds"))),
        (status = 204, description = "Nothing of the account is left"),
        (status = 401, description = "`unauthorized`, `invalid_token`, `token_expired`: no service's token", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = 403, description = "`insufficient_scope`: a service's token for something else", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = 404, description = "`not_found`: what stands in the path is no id", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = 503, description = "`dependency_unavailable`: nothing was done", body = ProblemBody,
            content_type = "application/problem+json"),
    )
)]
pub(crate) async fn delete_account(
    State(app): State<App>,
    service: Granted<EraseAccounts>,
    Path(id): Path<Uuid>,
) -> Result<Response, Problem> {
    if deletions::delete(&app, id).await? == Batch::More {
        let erasing = Erasure {
            status: ErasureStatus::Erasing,
        };
        return Ok((StatusCode::ACCEPTED, AGAIN, Json(erasing)).into_response());
    }
    tracing::info!(account = %id, by = &*service.caller.name, "account deleted");
    Ok(StatusCode::NO_CONTENT.into_response())
}
