//! Changes the password.

use axum::{extract::State, http::StatusCode};
use nova_service::{Caller, Json, Problem, ProblemBody};
use secrecy::SecretString;
use serde::Deserialize;
use utoipa::ToSchema;

use super::LiveCaller;
use crate::{
    app::App,
    audit::{Event, Outcome, Record},
    client::Client,
    domain::{Email, Password},
    error,
    hashing::Verdict,
    store,
    throttle::Attempt,
};

/// The password that is, and the one that shall be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordChange {
    /// The present one.
    #[schema(value_type = String, format = Password, max_length = 128)]
    current_password: SecretString,
    /// 8 to 128 characters, any of them, not easy to guess, and not the address.
    #[schema(value_type = String, format = Password, min_length = 8, max_length = 128)]
    new_password: SecretString,
}

/// Change the password
///
/// Ends all other sessions.
#[utoipa::path(
    post, path = "/api/v1/auth/password", tag = "accounts",
    request_body = PasswordChange, security(("access_token" = [])),
    responses(
        (status = 204, description = "The password is changed"),
        (status = 401, description = "`invalid_credentials`; `unauthorized`, `invalid_token`, `token_expired`",
            body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`validation_failed`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "`too_many_requests`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn change(
    State(app): State<App>,
    LiveCaller(caller): LiveCaller,
    client: Client,
    Json(request): Json<PasswordChange>,
) -> Result<StatusCode, Problem> {
    let current =
        Password::claimed(request.current_password).map_err(|wrong| error::password("current_password", &wrong))?;
    let details = store::accounts::details(app.postgres.primary()?, caller.account).await?;
    let email = details.and_then(|details| Email::parse(&details.email).ok());
    let email = email.ok_or_else(|| Problem::new(&error::INVALID_CREDENTIALS))?;
    let new =
        Password::chosen(&request.new_password, &email).map_err(|wrong| error::password("new_password", &wrong))?;
    let attempt = Attempt::Password(caller.account);
    app.admit(Event::PasswordChange, &attempt, None, &client).await?;

    let account = store::accounts::by_id(app.postgres.primary()?, caller.account).await?;
    let stored = account.as_ref().map(|account| account.password_hash.clone());
    let verdict = app
        .check(Event::PasswordChange, &current, stored, None, &client)
        .await?;
    let (Some(account), Verdict::Match | Verdict::MatchOutdated) = (account, verdict) else {
        return Err(refuse(&app, &caller, &client).await?);
    };
    let password_hash = app.hash(Event::PasswordChange, &new, None, &client).await?;
    let changed = {
        let client = client.clone();
        app.postgres.write::<_, Problem, _>(|transaction| {
            Box::pin(async move {
                let keep = caller.session;
                Ok(store::accounts::change_password(transaction, &account, &password_hash, keep, &client).await?)
            })
        })
    };
    if !changed.await? {
        return Err(refuse(&app, &caller, &client).await?);
    }
    app.throttle.succeeded(&attempt, client.address).await;
    Ok(StatusCode::NO_CONTENT)
}

async fn refuse(app: &App, caller: &Caller, client: &Client) -> Result<Problem, Problem> {
    let record = Record::new(Event::PasswordChange, Outcome::Failed, client).account(caller.account);
    store::audit::insert(app.postgres.primary()?, &record.session(caller.session)).await?;
    Ok(Problem::new(&error::INVALID_CREDENTIALS))
}
