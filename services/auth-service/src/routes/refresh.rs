//! Continues a session, and ends it.

use axum::{extract::State, http::StatusCode};
use nova_service::{Json, Problem, ProblemBody};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use utoipa::ToSchema;

use super::Tokens;
use crate::{
    app::App,
    audit::{Event, Outcome, Record},
    client::Client,
    domain::RefreshToken,
    error, store,
};

/// A refresh token.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Presented {
    /// As the last login or refresh gave it.
    #[schema(value_type = String)]
    refresh_token: SecretString,
}

/// Refresh
///
/// Gives a new access token and a new refresh token. Until the new one is used the old one gets it again, so a lost answer may be
/// asked for again. Shown after its successor was used, or again and again, it counts as stolen: the session ends.
#[utoipa::path(
    post, path = "/api/v1/auth/refresh", tag = "sessions",
    request_body = Presented,
    responses(
        (status = 200, description = "The session goes on", body = Tokens),
        (status = 401, description = "`invalid_refresh_token`", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = 504, description = "`outcome_unknown`: ask again with the same token", body = ProblemBody,
            content_type = "application/problem+json"),
    )
)]
pub async fn refresh(
    State(app): State<App>,
    client: Client,
    Json(request): Json<Presented>,
) -> Result<Tokens, Problem> {
    let Some(token) = RefreshToken::decode(request.refresh_token.expose_secret()) else {
        return Err(unknown(&app, &client));
    };
    let lifetimes = &app.settings.lifetimes;
    match store::sessions::rotate(app.postgres.primary()?, &token, lifetimes, &client).await? {
        Some(refreshed) => {
            if refreshed.late {
                let record = Record::new(Event::Refresh, Outcome::Repeated, &client);
                let record = record.account(refreshed.account).session(token.session());
                store::audit::insert(app.postgres.primary()?, &record).await?;
            }
            Tokens::issue(&app, refreshed.account, &refreshed.token, refreshed.expires_at)
        }
        None => Err(refuse(&app, &token, &client).await?),
    }
}

/// Log out
///
/// Ends the session of the refresh token. A token that is not valid any more is no error.
#[utoipa::path(
    post, path = "/api/v1/auth/logout", tag = "sessions",
    request_body = Presented,
    responses((status = 204, description = "There is no such session (any more)"))
)]
pub async fn logout(
    State(app): State<App>,
    client: Client,
    Json(request): Json<Presented>,
) -> Result<StatusCode, Problem> {
    if let Some(token) = RefreshToken::decode(request.refresh_token.expose_secret()) {
        let pool = app.postgres.primary()?;
        let family = store::sessions::family(pool, token.session()).await?;
        if family.is_some_and(|family| token.is_genuine(&family.key)) {
            store::sessions::end(pool, token.session(), None, Event::Logout, Outcome::Ok, &client).await?;
        }
    }
    Ok(StatusCode::NO_CONTENT)
}

/// The token is not the present one. Whoever presents a genuine token of the past may have stolen it, or the one who holds
/// the present one has: nobody can tell, so the session ends for both.
async fn refuse(app: &App, token: &RefreshToken, client: &Client) -> Result<Problem, Problem> {
    let pool = app.postgres.primary()?;
    let family = store::sessions::family(pool, token.session()).await?;
    let replayed = family.is_some_and(|family| family.token_hash != token.hash() && token.is_genuine(&family.key));
    if replayed && store::sessions::end(pool, token.session(), None, Event::Refresh, Outcome::Reuse, client).await? {
        tracing::warn!(session = %token.session(), "a refresh token was used again, its session has ended");
        metrics::counter!("nova_auth_refresh_reuse_total").increment(1);
        return Ok(Problem::new(&error::INVALID_REFRESH_TOKEN));
    }
    Ok(unknown(app, client))
}

fn unknown(app: &App, client: &Client) -> Problem {
    app.unjudged.count(Event::Refresh, Outcome::Failed, None, client);
    Problem::new(&error::INVALID_REFRESH_TOKEN)
}
