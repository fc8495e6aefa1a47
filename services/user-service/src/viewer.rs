//! Who asks: an authenticated account that has a profile.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use nova_service::{Caller, Problem};
use uuid::Uuid;

use crate::app::App;

/// The authenticated account of a request. As an extractor it counts the request towards the account's limits, and
/// makes its profile when this is its first one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Viewer(pub(crate) Uuid);

impl FromRequestParts<App> for Viewer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let caller = <Caller as FromRequestParts<App>>::from_request_parts(parts, app).await?;
        app.limits.check(caller.account, &parts.method)?;
        app.ensure_profile(caller.account).await?;
        Ok(Self(caller.account))
    }
}
