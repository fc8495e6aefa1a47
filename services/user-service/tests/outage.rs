//! PostgreSQL and auth-service, each of them stopped before user-service starts, and stopped and started again while it
//! runs: what goes on, what is refused, what readiness and the metric say, and that all is well again by itself.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

#[allow(dead_code, unused_imports, reason = "what only the other binary uses")]
mod support;

use std::time::Duration;

use nova_service::config::{Address, PostgresConfig};
use nova_testkit::{Door, Postgres, TestDatabase, TestIssuer, TestService};
use reqwest::{Method, RequestBuilder};
use serde_json::json;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep, timeout};
use user_service::UsersConfig;
use uuid::Uuid;

use support::{Answer, FakeAuth, config};

/// Metrics are one set a process: only one user-service runs at a time.
static ALONE: Mutex<()> = Mutex::const_new(());
/// Less than half of any time that is waited for a connection, so an answer within it waited for none.
const AT_ONCE: Duration = Duration::from_secs(2);
const WITHOUT_DATABASE: &[&str] = &["database", "database-replicas"];
const WITHOUT_PRIMARY: &[&str] = &["database"];
const WITHOUT_REPLICAS: &[&str] = &["database-replicas"];
const WITHOUT_KEYS: &[&str] = &["identity"];
const WITHOUT_ACCOUNTS: &[&str] = &["auth-service"];
const WITHOUT_AUTH: &[&str] = &["auth-service", "identity"];
/// So many failed calls open a breaker, which is how the absence of accounts is noticed.
const CALLS: usize = 10;

/// auth-service behind two doors, one to its keys and one to the accounts and the tokens for services, open at first.
struct Auth {
    issuer: TestIssuer,
    keys: Door,
    accounts: Door,
}

impl Auth {
    async fn start() -> Self {
        let issuer = TestIssuer::start_with(FakeAuth::default().routes()).await;
        let door = || Door::open(issuer.issuer().trim_start_matches("http://"));
        let (keys, accounts) = (door(), door());
        Self { issuer, keys, accounts }
    }

    async fn go(&mut self) {
        self.keys.stop().await;
        self.accounts.stop().await;
    }

    fn come(&mut self) {
        self.keys.start();
        self.accounts.start();
    }

    fn token(&self) -> String {
        self.issuer.token(Uuid::now_v7())
    }

    /// A member, started and perhaps not ready.
    async fn users(&self, postgres: PostgresConfig) -> Users {
        let mut config = config(postgres, &self.issuer, UsersConfig::default());
        config.identity.jwks_url = format!("{}/.well-known/jwks.json", self.keys.url());
        // So that the keys' absence is noticed.
        config.identity.refresh = Duration::from_millis(100);
        config.credentials.auth_service_url = self.accounts.url();
        Users(TestService::start_unready(user_service::service(config).unwrap()).await)
    }

    /// A member that has reached everything.
    async fn whole_users(&self, postgres: PostgresConfig) -> Users {
        let users = self.users(postgres).await;
        users.started().await;
        users.0.until_degraded(&[]).await;
        users
    }
}

/// user-service.
struct Users(TestService);

impl Users {
    async fn started(&self) {
        self.0.until("/health/startup", |status, _| status == 200).await;
    }

    fn request(&self, method: Method, path: &str, token: &str) -> RequestBuilder {
        let url = self.0.url(&format!("/api/v1{path}"));
        self.0.client.request(method, url).bearer_auth(token)
    }

    fn publish(&self, token: &str) -> RequestBuilder {
        self.request(Method::POST, "/posts", token)
            .json(&json!({ "text": "x" }))
    }

    /// A request of each kind that asks PostgreSQL, which are all.
    fn requests(&self, token: &str) -> Vec<RequestBuilder> {
        let name = json!({ "display_name": "Ada" });
        vec![
            self.publish(token),
            self.request(Method::GET, "/feed", token),
            self.request(Method::GET, "/users/me", token),
            self.request(Method::PATCH, "/users/me", token).json(&name),
            self.request(Method::PUT, &format!("/users/{}/follow", Uuid::now_v7()), token),
        ]
    }

    /// Posts and reads, as an account that has not been here if it is a new one's token.
    async fn serves(&self, token: &str) {
        Answer::of(self.publish(token)).await.expect(201);
        let feed = Answer::of(self.request(Method::GET, "/feed", token)).await.expect(200);
        assert!(!feed.items().is_empty());
    }

    async fn me(&self, token: &str) -> Answer {
        Answer::of(self.request(Method::GET, "/users/me", token))
            .await
            .expect(200)
    }

    /// One's own profile, as often as opens a breaker.
    async fn are_partial(&self, token: &str) {
        for _ in 0..CALLS {
            let me = self.me(token).await;
            assert!(me.flag("/partial"), "{me:?}");
            assert_eq!(me.body["missing"], json!(["account"]), "{me:?}");
        }
    }

    /// Asks for one's own profile until it has its account, then as often as a breaker wants to see it work.
    async fn until_whole(&self, token: &str) {
        let deadline = Instant::now() + Duration::from_secs(30);
        let mut whole = 0;
        while whole < CALLS {
            if self.me(token).await.flag("/partial") {
                assert!(Instant::now() < deadline, "still without its account");
                sleep(Duration::from_millis(20)).await;
            } else {
                whole += 1;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_postgresql_it_starts_and_refuses_everything_until_it_is_there() {
    let _alone = ALONE.lock().await;
    let postgres = Postgres::start().await;
    let database = postgres.database("users").await;
    let auth = Auth::start().await;
    postgres.stop().await;
    let users = auth.users(database.config()).await;
    users.0.until_degraded(WITHOUT_DATABASE).await;
    let startup = users.0.operations("/health/startup").await;
    assert_eq!(startup.status(), 503);
    assert!(startup.text().await.unwrap().contains("cannot connect to the primary"));
    let token = auth.token();
    for request in users.requests(&token) {
        is_refused(&at_once(request).await, "starting", "waiting for database");
    }

    postgres.restart().await;
    users.0.until_degraded(&[]).await;
    users.serves(&token).await;
    users.0.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_postgresql_is_gone_it_refuses_at_once() {
    let _alone = ALONE.lock().await;
    let postgres = Postgres::start().await;
    let database = postgres.database("users").await;
    let auth = Auth::start().await;
    let users = auth.whole_users(database.config()).await;
    let (known, new) = (auth.token(), auth.token());
    users.serves(&known).await;

    postgres.stop().await;
    users.0.until_degraded(WITHOUT_DATABASE).await;
    for token in [&known, &new] {
        for request in users.requests(token) {
            is_refused(
                &at_once(request).await,
                "dependency_unavailable",
                "database is unavailable",
            );
        }
    }

    postgres.restart().await;
    users.0.until_degraded(&[]).await;
    users.serves(&known).await;
    users.serves(&new).await;
    users.0.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_there_is_no_primary_reads_go_on() {
    let _alone = ALONE.lock().await;
    let postgres = Postgres::start().await;
    let database = postgres.database("users").await;
    let auth = Auth::start().await;
    let users = auth.whole_users(database.config()).await;
    let token = auth.token();
    users.serves(&token).await;

    postgres.stop().await;
    postgres.restart_as_replica().await;
    users.0.until_degraded(WITHOUT_PRIMARY).await;
    let feed = at_once(users.request(Method::GET, "/feed", &token)).await.expect(200);
    assert_eq!(feed.items().len(), 1);
    let refused = at_once(users.publish(&token)).await;
    is_refused(&refused, "dependency_unavailable", "database is unavailable");

    postgres.promote().await;
    users.0.until_degraded(&[]).await;
    users.serves(&token).await;
    users.0.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_replicas_it_starts_and_serves_and_goes_on_when_they_go_again() {
    let _alone = ALONE.lock().await;
    let database = Postgres::shared().await.database("users").await;
    let (mut replicas, config) = behind_a_door(&database);
    let auth = Auth::start().await;
    let users = auth.users(config).await;
    let token = auth.token();
    users.started().await;
    for _ in 0..2 {
        users.0.until_degraded(WITHOUT_REPLICAS).await;
        users.serves(&token).await;
        replicas.start();
        users.0.until_degraded(&[]).await;
        users.serves(&token).await;
        replicas.stop().await;
    }
    users.0.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_auth_service_it_starts_and_knows_nobody_until_it_is_there() {
    let _alone = ALONE.lock().await;
    let database = Postgres::shared().await.database("users").await;
    let mut auth = Auth::start().await;
    auth.go().await;
    let users = auth.users(database.config()).await;
    users.started().await;
    users.0.until_degraded(WITHOUT_KEYS).await;
    let token = auth.token();
    for request in users.requests(&token) {
        is_refused(
            &Answer::of(request).await,
            "dependency_unavailable",
            "identity is unavailable",
        );
    }
    let anonymous = users.0.client.get(users.0.url("/api/v1/feed"));
    at_once(anonymous).await.problem(401, "unauthorized");

    auth.come();
    users.0.until_degraded(&[]).await;
    users.serves(&token).await;
    users.until_whole(&token).await;
    users.0.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_accounts_alone_it_starts_and_serves() {
    let _alone = ALONE.lock().await;
    let database = Postgres::shared().await.database("users").await;
    let mut auth = Auth::start().await;
    auth.accounts.stop().await;
    let users = auth.whole_users(database.config()).await;
    let token = auth.token();
    users.serves(&token).await;
    users.are_partial(&token).await;
    users.0.until_degraded(WITHOUT_ACCOUNTS).await;

    auth.accounts.start();
    users.until_whole(&token).await;
    users.0.until_degraded(&[]).await;
    users.0.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_auth_service_is_gone_it_serves_without_accounts() {
    let _alone = ALONE.lock().await;
    let database = Postgres::shared().await.database("users").await;
    let mut auth = Auth::start().await;
    let users = auth.whole_users(database.config()).await;
    let known = auth.token();
    users.serves(&known).await;
    users.until_whole(&known).await;

    auth.go().await;
    // It is the key that is remembered, and not only the token.
    let new = auth.token();
    users.serves(&known).await;
    users.serves(&new).await;
    users.are_partial(&new).await;
    users.0.until_degraded(WITHOUT_AUTH).await;
    users.serves(&auth.token()).await;
    users.are_partial(&known).await;

    auth.come();
    users.until_whole(&known).await;
    users.0.until_degraded(&[]).await;
    users.serves(&auth.token()).await;
    users.0.stop().await;
}

/// A shut door before the replicas, and settings to go through it.
fn behind_a_door(database: &TestDatabase<'_>) -> (Door, PostgresConfig) {
    let mut config = database.config();
    let door = Door::shut(format!("{}:{}", config.replicas.host, config.replicas.port));
    config.replicas = Address {
        host: door.address().ip().to_string(),
        port: door.address().port(),
    };
    (door, config)
}

async fn at_once(request: RequestBuilder) -> Answer {
    let answered = timeout(AT_ONCE, Answer::of(request)).await;
    answered.expect("it waited for what is down")
}

#[track_caller]
fn is_refused(answer: &Answer, code: &str, detail: &str) {
    answer.problem(503, code);
    assert_eq!(answer.text("/detail"), detail, "{answer:?}");
    assert!(answer.header("retry-after").parse::<u32>().unwrap() >= 1, "{answer:?}");
}
