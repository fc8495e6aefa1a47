//! Deletes the account.

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
    domain::Password,
    error,
    hashing::Verdict,
    store,
    throttle::Attempt,
};

/// Proof that it is the owner who wants it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountDeletion {
    /// The account's password.
    #[schema(value_type = String, format = Password, max_length = 128)]
    password: SecretString,
}

/// Delete the account
///
/// For good, with all sessions. The profile and everything that it wrote follow within moments. The e-mail address is free at
/// once; an account made with it later is another one.
#[utoipa::path(
    delete, path = "/api/v1/auth/account", tag = "accounts",
    request_body = AccountDeletion, security(("access_token" = [])),
    responses(
        (status = 204, description = "The account is deleted"),
        (status = 401, description = "`invalid_credentials`; `unauthorized`, `invalid_token`, `token_expired`",
            body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`validation_failed`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "`too_many_requests`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn delete(
    State(app): State<App>,
    LiveCaller(caller): LiveCaller,
    client: Client,
    Json(request): Json<AccountDeletion>,
) -> Result<StatusCode, Problem> {
    let password = Password::claimed(request.password).map_err(|wrong| error::password("password", &wrong))?;
    // One counter with the change of the password: both tell whether a guess was right.
    app.admit(Event::AccountDelete, &Attempt::Password(caller.account), None, &client)
        .await?;

    let account = store::accounts::by_id(app.postgres.primary()?, caller.account).await?;
    let stored = account.as_ref().map(|account| account.password_hash.clone());
    let verdict = app
        .check(Event::AccountDelete, &password, stored, None, &client)
        .await?;
    let (Some(account), Verdict::Match | Verdict::MatchOutdated) = (account, verdict) else {
        return Err(refuse(&app, &caller, &client).await?);
    };
    let deleted = {
        let client = client.clone();
        app.postgres.write::<_, Problem, _>(|transaction| {
            Box::pin(async move { Ok(store::accounts::delete(transaction, &account, caller.session, &client).await?) })
        })
    };
    if !deleted.await? {
        return Err(refuse(&app, &caller, &client).await?);
    }
    app.deletions.wake();
    Ok(StatusCode::NO_CONTENT)
}

async fn refuse(app: &App, caller: &Caller, client: &Client) -> Result<Problem, Problem> {
    let record = Record::new(Event::AccountDelete, Outcome::Failed, client).account(caller.account);
    store::audit::insert(app.postgres.primary()?, &record.session(caller.session)).await?;
    Ok(Problem::new(&error::INVALID_CREDENTIALS))
}
