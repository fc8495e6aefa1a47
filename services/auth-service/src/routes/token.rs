//! Gives services tokens of their own, by client credentials (RFC 6749, section 4.4).
//!
//! There is no throttling: nobody guesses 256 random bits, a comparison costs less than asking how many there were, and a
//! limit would let anyone on the network keep the services from their tokens. Attempts are counted in the audit.

use axum::{
    Json,
    body::Bytes,
    extract::State,
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use nova_service::{Problem, ProblemBody, codes};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    access_token::SERVICE_TOKEN_LIFE,
    app::App,
    audit::{Event, Outcome},
    client::Client,
    digest::subject,
    error::{INVALID_CLIENT, INVALID_SCOPE, UNSUPPORTED_GRANT_TYPE},
    grants,
};

const FORM: &str = "application/x-www-form-urlencoded";
/// Base64 of the longest name and secret; more is not looked at.
const LONGEST_CREDENTIALS: usize = 1024;
/// A form has three fields; more than this many is none.
const MOST_FIELDS: usize = 16;

/// What a service asks for.
#[derive(ToSchema)]
#[allow(dead_code, reason = "describes the form, which is read field by field")]
pub struct TokenRequest {
    /// Always `client_credentials`.
    grant_type: GrantType,
    /// The service that the token is for.
    #[schema(example = "auth-service")]
    audience: String,
    /// What is to be done there.
    #[schema(example = "accounts.read")]
    scope: String,
}

/// How a service proves who it is.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[allow(dead_code, reason = "describes the form, which is read field by field")]
pub enum GrantType {
    /// By its name and secret, in HTTP Basic.
    ClientCredentials,
}

/// A service's token.
#[derive(Debug, Serialize, ToSchema)]
pub struct ServiceToken {
    /// For `Authorization: Bearer`, to routes for other services.
    access_token: String,
    /// Always `Bearer`.
    #[schema(example = "Bearer")]
    token_type: &'static str,
    /// Life of the token in seconds.
    #[schema(example = 300)]
    expires_in: u64,
}

/// A refusal. RFC 6749 wants the scheme named that is asked for here, which is not that of all other routes.
pub struct Refusal(Problem);

/// A service's token
///
/// For services, which authenticate by HTTP Basic with their name and secret. It is of another type than an account's access
/// token: neither passes as the other. It is good at one service, for one thing.
#[utoipa::path(
    post, path = "/api/v1/auth/token", tag = "services",
    request_body(content = TokenRequest, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "The token", body = ServiceToken),
        (status = 400, description = "`unsupported_grant_type`, `invalid_scope`, `bad_request`", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = 401, description = "`invalid_client`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 415, description = "`unsupported_media_type`", body = ProblemBody,
            content_type = "application/problem+json"),
    )
)]
pub async fn issue(
    State(app): State<App>,
    client: Client,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    if !is_form(&headers) {
        return Err(Problem::new(&codes::UNSUPPORTED_MEDIA_TYPE)
            .detail(format!("send the body as Content-Type: {FORM}"))
            .into());
    }
    let asked = asked(&body)?;
    let Some((name, secret)) = basic(&headers) else {
        app.unjudged.count(Event::ServiceToken, Outcome::Failed, None, &client);
        return Err(Problem::new(&INVALID_CLIENT)
            .detail("authenticate by HTTP Basic with the service's name and secret")
            .into());
    };
    let Some(service) = app.clients.authenticate(&name, &secret) else {
        // What strangers make up as a name is not told apart.
        let subject = app.clients.is_known(&name).then(|| subject(name.as_bytes()));
        app.unjudged
            .count_of(Event::ServiceToken, Outcome::Failed, subject, &client);
        return Err(Problem::new(&INVALID_CLIENT).into());
    };
    if asked.grant_type != "client_credentials" {
        return Err(Problem::new(&UNSUPPORTED_GRANT_TYPE).into());
    }
    if !grants::may(service, &asked.audience, &asked.scope) {
        return Err(Problem::new(&INVALID_SCOPE).into());
    }
    app.unjudged.count_of(
        Event::ServiceToken,
        Outcome::Ok,
        Some(subject(service.as_bytes())),
        &client,
    );
    let token = ServiceToken {
        access_token: app.signer.sign_service(service, &asked.audience, &asked.scope)?,
        token_type: "Bearer",
        expires_in: SERVICE_TOKEN_LIFE.as_secs(),
    };
    let no_store = [(header::CACHE_CONTROL, "no-store"), (header::PRAGMA, "no-cache")];
    Ok((no_store, Json(token)).into_response())
}

fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    kind.is_some_and(|kind| {
        let essence = kind.split(';').next().unwrap_or_default();
        essence.trim().eq_ignore_ascii_case(FORM)
    })
}

/// What a form asks for.
#[derive(Default)]
struct Asked {
    grant_type: String,
    audience: String,
    scope: String,
}

/// The fields that count; unknown ones are ignored, as the RFC says.
fn asked(body: &[u8]) -> Result<Asked, Problem> {
    let mut asked = Asked::default();
    for (count, (name, value)) in form_urlencoded::parse(body).enumerate() {
        if count >= MOST_FIELDS {
            return Err(Problem::bad_request(format!(
                "the form has more than {MOST_FIELDS} fields"
            )));
        }
        let field = match &*name {
            "grant_type" => &mut asked.grant_type,
            "audience" => &mut asked.audience,
            "scope" => &mut asked.scope,
            _ => continue,
        };
        if !field.is_empty() {
            return Err(Problem::bad_request(format!("the form has {name} twice")));
        }
        *field = value.into_owned();
    }
    if asked.grant_type.is_empty() {
        return Err(Problem::bad_request("the form has no grant_type"));
    }
    Ok(asked)
}

/// Name and secret, if they were sent as they should be. The RFC has both percent-encoded first, which changes nothing in
/// names and secrets of ours.
fn basic(headers: &HeaderMap) -> Option<(String, String)> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return None;
    };
    let (scheme, encoded) = value.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") || encoded.len() > LONGEST_CREDENTIALS {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (name, secret) = decoded.split_once(':')?;
    Some((name.to_owned(), secret.to_owned()))
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let basic = self.0.code() == &INVALID_CLIENT;
        let mut response = self.0.into_response();
        if basic {
            let scheme = HeaderValue::from_static("Basic realm=\"nova\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
        }
        response
    }
}
