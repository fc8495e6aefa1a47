//! What verifiers need: the public keys, and where they are.

use axum::{
    extract::State,
    http::{HeaderName, header},
};
use nova_service::Json;
use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::app::App;

/// A JSON Web Key Set (RFC 7517).
#[derive(Debug, Serialize, ToSchema)]
pub struct KeySet {
    /// The keys of all tokens that are valid now, and of those to come.
    #[schema(value_type = Vec<Object>)]
    keys: Vec<Value>,
}

/// The part of OpenID Connect discovery that applies: how to verify tokens.
#[derive(Debug, Serialize, ToSchema)]
pub struct Discovery {
    /// The `iss` of the tokens.
    issuer: String,
    /// Where the keys are.
    jwks_uri: String,
    /// No OAuth flow for people is offered.
    response_types_supported: [&'static str; 0],
    /// Where services get tokens of their own.
    token_endpoint: String,
    /// How: by their credentials,
    grant_types_supported: [&'static str; 1],
    /// in HTTP Basic.
    token_endpoint_auth_methods_supported: [&'static str; 1],
    /// One subject for all services.
    subject_types_supported: [&'static str; 1],
    /// The one algorithm.
    id_token_signing_alg_values_supported: [&'static str; 1],
    /// What an access token says.
    claims_supported: [&'static str; 7],
}

type Cached<T> = ([(HeaderName, String); 1], Json<T>);

/// The public keys
#[utoipa::path(
    get, path = "/.well-known/jwks.json", tag = "keys",
    responses((status = 200, description = "The keys that verify access tokens", body = KeySet))
)]
pub async fn jwks(State(app): State<App>) -> Cached<KeySet> {
    let set = app.signer.keys().ring().jwks(OffsetDateTime::now_utc());
    let keys = set
        .keys
        .iter()
        .filter_map(|key| serde_json::to_value(key).ok())
        .collect();
    cached(&app, KeySet { keys })
}

/// How to verify access tokens
#[utoipa::path(
    get, path = "/.well-known/openid-configuration", tag = "keys",
    responses((status = 200, description = "Where the keys are", body = Discovery))
)]
pub async fn configuration(State(app): State<App>) -> Cached<Discovery> {
    let discovery = Discovery {
        issuer: app.signer.issuer().to_owned(),
        jwks_uri: app.settings.jwks_url.clone(),
        response_types_supported: [],
        token_endpoint: format!("{}/api/v1/auth/token", app.signer.issuer().trim_end_matches('/')),
        grant_types_supported: ["client_credentials"],
        token_endpoint_auth_methods_supported: ["client_secret_basic"],
        subject_types_supported: ["public"],
        id_token_signing_alg_values_supported: ["ES256"],
        claims_supported: ["iss", "aud", "sub", "sid", "iat", "exp", "jti"],
    };
    cached(&app, discovery)
}

/// For less time than a new key is published before it signs.
fn cached<T>(app: &App, body: T) -> Cached<T> {
    let max_age = app.settings.keys_max_age.as_secs();
    (
        [(header::CACHE_CONTROL, format!("public, max-age={max_age}"))],
        Json(body),
    )
}
