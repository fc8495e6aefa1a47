//! Begins a session.

use axum::extract::State;
use nova_service::{Json, Problem, ProblemBody};
use secrecy::SecretString;
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::Tokens;
use crate::{
    app::App,
    audit::{Event, Outcome, Record},
    client::Client,
    domain::{Email, Password, RefreshToken, refresh_token::FamilyKey},
    error,
    hashing::Verdict,
    store::{self, accounts::Credentials},
    throttle::Attempt,
};

/// Who wants to log in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Login {
    /// The address that the account was made with.
    #[schema(format = Email, max_length = 254, example = "ada@example.com",
        pattern = "^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*@([A-Za-z0-9](-*[A-Za-z0-9])*\\.)+[A-Za-z0-9](-*[A-Za-z0-9])*$")]
    email: String,
    /// The account's password.
    #[schema(value_type = String, format = Password, max_length = 128)]
    password: SecretString,
}

/// Log in
///
/// A wrong password and an unknown address get the same answer, after the same work.
#[utoipa::path(
    post, path = "/api/v1/auth/login", tag = "sessions",
    request_body = Login,
    responses(
        (status = 200, description = "A session has begun", body = Tokens),
        (status = 401, description = "`invalid_credentials`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`validation_failed`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "`too_many_requests`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "`overloaded`, `dependency_unavailable`", body = ProblemBody,
            content_type = "application/problem+json"),
    )
)]
pub async fn login(State(app): State<App>, client: Client, Json(request): Json<Login>) -> Result<Tokens, Problem> {
    let email = Email::parse(&request.email).map_err(|wrong| error::email(&wrong))?;
    let password = Password::claimed(request.password).map_err(|wrong| error::password("password", &wrong))?;
    let attempt = Attempt::Login(&email);
    app.admit(Event::Login, &attempt, Some(&email), &client).await?;

    // A second round only when the stored hash changed between the check and the session: by a change of the password, or
    // by another login that renewed an outdated hash.
    for _ in 0..2 {
        let account = store::accounts::by_email(app.postgres.primary()?, &email).await?;
        let stored = account.as_ref().map(|account| account.password_hash.clone());
        let verdict = app
            .check(Event::Login, &password, stored, Some(&email), &client)
            .await?;
        let (Some(account), Verdict::Match | Verdict::MatchOutdated) = (&account, verdict) else {
            return Err(refuse(&app, account.as_ref(), &email, &client).await?);
        };
        let renewed = match verdict {
            Verdict::MatchOutdated => renew(&app, account, &password, &email, &client).await?,
            _ => None,
        };
        let account = renewed.as_ref().unwrap_or(account);
        let family = FamilyKey::random();
        let token = RefreshToken::first(Uuid::now_v7(), &family);
        let (opened, ()) = tokio::join!(
            open(&app, account, &email, &family, &token, &client),
            app.throttle.succeeded(&attempt, client.address),
        );
        if let Some(expires_at) = opened? {
            return Tokens::issue(&app, account.id, &token, expires_at);
        }
    }
    Err(refuse(&app, None, &email, &client).await?)
}

async fn open(
    app: &App,
    account: &Credentials,
    email: &Email,
    family: &FamilyKey,
    token: &RefreshToken,
    client: &Client,
) -> Result<Option<nova_service::Timestamp>, Problem> {
    let lifetimes = &app.settings.lifetimes;
    let pool = app.postgres.primary()?;
    Ok(store::sessions::open(pool, account, email, family, token, lifetimes, client).await?)
}

/// Records a failed login. The same statement for a known and an unknown name.
async fn refuse(app: &App, account: Option<&Credentials>, email: &Email, client: &Client) -> Result<Problem, Problem> {
    let mut record = Record::new(Event::Login, Outcome::Failed, client).email(email);
    record.account = account.map(|account| account.id);
    store::audit::insert(app.postgres.primary()?, &record).await?;
    Ok(Problem::new(&error::INVALID_CREDENTIALS))
}

/// Replaces a hash that was made at another cost than today's.
async fn renew(
    app: &App,
    account: &Credentials,
    password: &Password,
    email: &Email,
    client: &Client,
) -> Result<Option<Credentials>, Problem> {
    let password_hash = app.hash(Event::Login, password, Some(email), client).await?;
    let stored = store::accounts::rehash(app.postgres.primary()?, account, &password_hash).await?;
    Ok(stored.then_some(Credentials {
        id: account.id,
        password_hash,
    }))
}
