//! What a member answers: how it is. Nobody but the platform asks.

use std::sync::Arc;

use axum::extract::State as From;
use nova_service::Json;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::state::{Shown, State};

/// All routes of the service.
pub(crate) fn router(state: Arc<State>) -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(publisher)).with_state(state)
}

/// How this member is
#[utoipa::path(
    get, path = "/api/v1/events/publisher", tag = "events",
    responses((status = 200, description = "What this member does, and how far it came", body = Shown))
)]
async fn publisher(From(state): From<Arc<State>>) -> Json<Shown> {
    Json(state.shown())
}
