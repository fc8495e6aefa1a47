//! Makes an account.

use axum::{extract::State, http::StatusCode};
use nova_service::{IdempotencyKey, Json, Problem, ProblemBody, Timestamp, idempotency};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

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

/// Who wants an account.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Registration {
    /// The address to log in with; upper and lower case are the same.
    #[schema(format = Email, max_length = 254, example = "ada@example.com",
        pattern = "^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*@([A-Za-z0-9](-*[A-Za-z0-9])*\\.)+[A-Za-z0-9](-*[A-Za-z0-9])*$")]
    email: String,
    /// 8 to 128 characters, any of them, not easy to guess, and not the address.
    #[schema(value_type = String, format = Password, min_length = 8, max_length = 128)]
    password: SecretString,
}

/// An account.
#[derive(Debug, Serialize, ToSchema)]
pub struct Account {
    /// Its id, also that of its profile.
    id: Uuid,
    /// The address in lower case.
    email: String,
    /// When it was made.
    created_at: Timestamp,
}

/// Make an account
///
/// Log in next. The profile appears with the first authenticated request to user-service.
#[utoipa::path(
    post, path = "/api/v1/auth/register", tag = "accounts",
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes a repeated request give the first answer")),
    request_body = Registration,
    responses(
        (status = 201, description = "The account was made", body = Account),
        (status = 409, description = "`account_exists`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`validation_failed`, `idempotency_key_reused`", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = 429, description = "`too_many_requests`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn register(
    State(app): State<App>,
    client: Client,
    key: Option<IdempotencyKey>,
    Json(request): Json<Registration>,
) -> Result<idempotency::Answer, Problem> {
    let email = Email::parse(&request.email).map_err(|wrong| error::email(&wrong))?;
    let password = Password::chosen(&request.password, &email).map_err(|wrong| error::password("password", &wrong))?;
    app.admit(Event::Register, &Attempt::Register(&email), Some(&email), &client)
        .await?;

    let password_hash = app.hash(Event::Register, &password, Some(&email), &client).await?;
    // The key remembers a digest of the request. The password must not be in it: a fast digest of a password is as good as
    // the password. Instead a repeated request has to know the password of the account that the first one made.
    let attempt = idempotency::Attempt::new(key, Uuid::nil(), "register", &email.as_str())?;
    let answer = {
        let (email, client) = (email.clone(), client.clone());
        attempt
            .run(&app.postgres, |transaction| {
                Box::pin(async move {
                    let id = Uuid::now_v7();
                    let created_at = store::accounts::insert(transaction, id, &email, &password_hash, &client)
                        .await
                        .map_err(|failure| match failure.constraint() {
                            Some(store::accounts::EMAIL_TAKEN) => Problem::new(&error::ACCOUNT_EXISTS),
                            _ => failure.into(),
                        })?;
                    Ok((
                        StatusCode::CREATED,
                        Account {
                            id,
                            email: email.as_str().to_owned(),
                            created_at,
                        },
                    ))
                })
            })
            .await
    };
    match answer {
        Ok(answer) if answer.replayed() => {
            confirm(&app, &password, &email, &client).await?;
            Ok(answer)
        }
        Ok(answer) => {
            app.throttle.succeeded(&Attempt::Register(&email), client.address).await;
            Ok(answer)
        }
        Err(problem) if problem.code() == &error::ACCOUNT_EXISTS => {
            let record = Record::new(Event::Register, Outcome::Conflict, &client).email(&email);
            store::audit::insert(app.postgres.primary()?, &record).await?;
            Err(problem)
        }
        Err(problem) => Err(problem),
    }
}

/// A repeated request is the same request only if its password is the same.
async fn confirm(app: &App, password: &Password, email: &Email, client: &Client) -> Result<(), Problem> {
    let stored = store::accounts::by_email(app.postgres.primary()?, email)
        .await?
        .map(|account| account.password_hash);
    match app
        .check(Event::Register, password, stored, Some(email), client)
        .await?
    {
        Verdict::Match | Verdict::MatchOutdated => Ok(()),
        Verdict::Mismatch => Err(Problem::new(&nova_service::codes::IDEMPOTENCY_KEY_REUSED)),
    }
}
