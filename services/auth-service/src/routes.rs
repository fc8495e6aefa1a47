//! What clients see: `/api/v1/auth/…`, and the two documents about the keys under `/.well-known/`; and what other services
//! see: `/api/v1/internal/…`.

pub mod account;
pub mod internal;
pub mod login;
pub mod password;
pub mod refresh;
pub mod register;
pub mod sessions;
pub mod token;
pub mod well_known;

use axum::{
    Json,
    extract::FromRequestParts,
    http::{HeaderValue, header, request::Parts},
    response::{IntoResponse, Response},
};
use nova_service::{Caller, Problem, Timestamp, codes};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use crate::{app::App, domain::RefreshToken, store};

/// All routes of the service.
pub fn router(app: App) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(register::register))
        .routes(routes!(login::login))
        .routes(routes!(refresh::refresh))
        .routes(routes!(refresh::logout))
        .routes(routes!(sessions::list, sessions::revoke_others))
        .routes(routes!(sessions::revoke))
        .routes(routes!(password::change))
        .routes(routes!(account::delete))
        .routes(routes!(token::issue))
        .routes(routes!(internal::account))
        .routes(routes!(well_known::jwks))
        .routes(routes!(well_known::configuration))
        .with_state(app)
}

/// What a login and a refresh answer.
#[derive(Debug, Serialize, ToSchema)]
pub struct Tokens {
    /// For `Authorization: Bearer`, to every service.
    access_token: String,
    /// Always `Bearer`.
    #[schema(example = "Bearer")]
    token_type: &'static str,
    /// Life of the access token in seconds.
    #[schema(example = 900)]
    expires_in: u64,
    /// For the next refresh; keep it, the one before is used up.
    refresh_token: String,
    /// Life of the refresh token in seconds, if it is not used.
    #[schema(example = 604_800)]
    refresh_expires_in: u64,
    /// The session that both belong to.
    session_id: Uuid,
    /// The account that is logged in.
    account_id: Uuid,
}

impl Tokens {
    fn issue(app: &App, account: Uuid, token: &RefreshToken, expires_at: Timestamp) -> Result<Self, Problem> {
        let left = u64::try_from(expires_at.unix() - Timestamp::now().unix()).unwrap_or(0);
        Ok(Self {
            access_token: app.signer.sign(account, token.session())?,
            token_type: "Bearer",
            expires_in: app.signer.life().as_secs(),
            refresh_token: token.encode(),
            refresh_expires_in: left.min(app.settings.lifetimes.idle.as_secs()),
            session_id: token.session(),
            account_id: account,
        })
    }
}

impl IntoResponse for Tokens {
    fn into_response(self) -> Response {
        let mut response = Json(self).into_response();
        response
            .headers_mut()
            .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}

/// A caller whose session has not ended.
///
/// Other services let an access token live out its 15 minutes. Here, where sessions are ended and passwords changed, whoever
/// was just thrown out must not be able to throw out the owner.
pub struct LiveCaller(pub Caller);

impl FromRequestParts<App> for LiveCaller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let caller = <Caller as FromRequestParts<App>>::from_request_parts(parts, app).await?;
        let alive = store::sessions::is_alive(app.postgres.primary()?, caller.session, &app.settings.lifetimes);
        if alive.await? {
            Ok(Self(caller))
        } else {
            Err(Problem::new(&codes::INVALID_TOKEN).detail("the session of this access token has ended"))
        }
    }
}
