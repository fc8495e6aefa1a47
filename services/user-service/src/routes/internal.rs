//! What other services may ask, with a token of their own.

use axum::extract::State;
use axum::http::StatusCode;
use nova_service::{Path, Problem, ProblemBody, ServiceCaller};
use uuid::Uuid;

use crate::app::App;
use crate::deletions;

/// Delete everything of an account, for other services
///
/// Idempotent, also for accounts that never were here. What takes longer than one call goes on with the next.
#[utoipa::path(
    delete, path = "/api/v1/internal/accounts/{id}", tag = "internal", security(("service_token" = [])),
    params(("id" = Uuid, Path, description = "The account")),
    responses(
        (status = 204, description = "Nothing of the account is left"),
        (status = 401, description = "`unauthorized`, `invalid_token`, `token_expired`: no service's token", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = 404, description = "`not_found`: what stands in the path is no id", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = 503, description = "`deletion_unfinished`: repeat after `Retry-After` seconds; `dependency_unavailable`", body = ProblemBody,
            content_type = "application/problem+json"),
    )
)]
pub(crate) async fn delete_account(
    State(app): State<App>,
    caller: ServiceCaller,
    Path(id): Path<Uuid>,
) -> Result<StatusCode, Problem> {
    deletions::delete(&app, id).await?;
    tracing::info!(account = %id, by = &*caller.name, "account deleted");
    Ok(StatusCode::NO_CONTENT)
}
