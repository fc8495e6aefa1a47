//! auth-service: accounts, sessions, and the access tokens that every other service trusts.
//!
//! - [`routes`] is what clients see; [`store`] is everything asked of PostgreSQL;
//! - [`domain`] holds the rules for addresses, passwords and refresh tokens, without I/O;
//! - [`hashing`] runs argon2id on bounded threads, [`throttle`] slows guessing down, [`audit`] records attempts;
//! - [`keys`] and [`access_token`] sign, for accounts and for [`service_clients`];
//! - [`deletions`] tells user-service of deleted accounts.
//!
//! Revoking a session stops its refreshes at once. Its last access token, at most 15 minutes old, lives out its time:
//! the price for services that verify without asking here.

pub mod access_token;
pub mod app;
pub mod audit;
pub mod client;
pub mod config;
pub mod deletions;
mod digest;
pub mod domain;
pub mod error;
mod grants;
pub mod hashing;
pub mod keys;
pub mod routes;
pub mod service_clients;
pub mod store;
pub mod throttle;
pub mod unjudged;

use std::sync::Arc;

use anyhow::Context;
use nova_service::{Client, Postgres, Redis, Service, TokenVerifier};

pub use app::App;
pub use config::Config;

use app::{Parts, Settings};

static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!();

/// The service that is told of deleted accounts.
const USERS: &str = "user-service";

/// The service's name, also that by which others' tokens are meant for it.
const NAME: &str = "auth-service";

/// The service, ready to run. Must be called inside the runtime.
pub fn service(config: Config) -> anyhow::Result<Service> {
    Ok(assemble(config)?.1)
}

/// The service and its state, for tests that look inside.
pub fn assemble(config: Config) -> anyhow::Result<(App, Service)> {
    let postgres = Postgres::new(&config.postgres);
    let redis = Redis::new(&config.redis)?;
    let verifier = TokenVerifier::local(&config.identity.issuer, &config.identity.audience, NAME);
    let auth = config.auth;
    let keys = keys::KeyFile::open(auth.signing_keys_file.clone(), auth.key_timing(), verifier.clone())?;
    let user_service = Client::new(USERS, &auth.user_service_url, &config.calls)?;
    let (issuer, audience) = (config.identity.issuer, config.identity.audience);
    let signer = access_token::Signer::new(issuer, audience, auth.access_token_life, keys.clone());
    let signer = Arc::new(signer);
    let app = App::new(Parts {
        postgres: postgres.clone(),
        verifier: verifier.clone(),
        hasher: hashing::Hasher::start(&auth.hasher()).context("cannot start the hashing threads")?,
        signer: signer.clone(),
        throttle: throttle::Throttle::new(auth.limits(), redis.clone()),
        clients: service_clients::ServiceClients::new(&auth.clients)?,
        deletions: deletions::Deletions::new(postgres.clone(), signer, user_service.clone()),
        unjudged: unjudged::Unjudged::new(auth.audit_window),
        settings: Settings {
            lifetimes: auth.lifetimes(),
            audit_retention: auth.audit_retention,
            // Half of it leaves the members time to read the file, and verifiers time to ask.
            keys_max_age: auth.key_publish_delay / 2,
            jwks_url: config.identity.jwks_url,
        },
    });
    let poll = auth.signing_keys_poll;
    let (recording, cleaning, telling) = (app.clone(), app.clone(), app.clone());
    let service = Service::new(NAME, env!("CARGO_PKG_VERSION"), config.server)
        .postgres(&postgres, &MIGRATOR)
        .redis(&redis)
        .identity(&verifier)
        .client(&user_service)
        .background("signing-keys", move |stop| async move {
            stop.run_until_cancelled(keys.follow(poll)).await;
        })
        .background("audit", move |stop| async move {
            recording.unjudged.write(&recording.postgres, stop).await
        })
        .background("retention", move |stop| async move { cleaning.clean(stop).await })
        .background("account-deletions", move |stop| async move {
            telling.deletions.run(stop).await
        })
        .codes(error::CODES)
        .routes(routes::router(app.clone()));
    Ok((app, service))
}
