//! user-service: profiles, who follows and blocks whom, posts with likes and comments, and the home feed.
//!
//! - `routes` is what clients see; `store` is everything asked of PostgreSQL;
//! - `domain` holds the rules for names and texts, and the shapes of what is answered, without I/O;
//! - `accounts` is what auth-service knows of an account, and goes on without it; `deletions` removes accounts;
//! - `backlog` finishes, a batch at a time, what would be too long for a request;
//! - `limits` is how much one account may ask;
//! - `viewer` is who asks: their profile appears with their first request, so that registration never waits for this service.
//!
//! **What one may not know of does not exist**: posts and lists of private accounts, and everything of someone who blocked the
//! viewer or was blocked by them, answer 404, never 403.
//!
//! **Reads go to the primary**, so that everyone sees their own writes whichever member answers, without a session that sticks
//! to one; while PostgreSQL has no leader, reads go on from the replicas and may lag.

mod accounts;
mod app;
mod backlog;
mod config;
mod deletions;
mod domain;
mod errors;
mod known_accounts;
mod limits;
mod routes;
mod store;
mod viewer;

use nova_service::{Client, Postgres, ReadAccounts, Service, ServiceTokens, TokenVerifier};

pub use config::{Config, UsersConfig};
pub use errors::CODES;

static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!();

/// The service's name, also that by which it gets its tokens.
const NAME: &str = "user-service";

/// The service that knows the accounts behind the profiles.
const AUTH: &str = "auth-service";

/// The service, ready to run. Must be called inside the runtime.
///
/// # Errors
/// When the settings of calls make no sense together.
pub fn service(config: Config) -> anyhow::Result<Service> {
    let postgres = Postgres::new(&config.postgres);
    let verifier = TokenVerifier::remote(&config.identity, &config.calls, NAME)?;
    let calls = config.calls.capped(AUTH, config.users.account_timeout);
    let auth = Client::new(AUTH, &config.credentials.auth_service_url, &calls)?;
    let tokens = ServiceTokens::new::<ReadAccounts>(NAME, &config.credentials.client_secret, auth.clone());
    let accounts = accounts::Accounts::new(auth.clone(), tokens, config.users.account_timeout);
    let app = app::App::new(postgres.clone(), verifier.clone(), accounts, config.users);
    let (watching, working) = (app.clone(), app.clone());
    Ok(Service::new(NAME, env!("CARGO_PKG_VERSION"), config.server)
        .postgres(&postgres, &MIGRATOR)
        .identity(&verifier)
        .client(&auth)
        .background("account-deletions", |stop| deletions::watch(watching, stop))
        .background("backlog", |stop| backlog::work(working, stop))
        .codes(CODES)
        .routes(routes::router(app)))
}
