//! PostgreSQL, Redis and user-service, each of them stopped before auth-service starts, and stopped and started again while
//! it runs: what goes on, what is refused, what readiness and the metric say, and that all is well again by itself.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

#[allow(dead_code, unused_imports, reason = "what only the other binary uses")]
mod support;

use std::time::Duration;

use auth_service::config::{AuthConfig, Rate};
use nova_testkit::{Door, Postgres, Redis, TestDatabase};
use reqwest::{Method, RequestBuilder};
use serde_json::json;
use tokio::sync::Mutex;

use support::{Answer, Auth, CLIENT, CLIENT_SECRET, FakeUsers, PASSWORD, Says, Session, eventually};

/// Metrics are one set a process: only one auth-service runs at a time.
static ALONE: Mutex<()> = Mutex::const_new(());
/// Less than half of any time that is waited for a connection, so an answer within it waited for none.
const AT_ONCE: Duration = Duration::from_secs(2);
/// Attempts of one account from one address that are free.
const BURST: u32 = 3;
const WITHOUT_DATABASE: &[&str] = &["database", "database-replicas"];
const WITHOUT_REDIS: &[&str] = &["redis"];
const WITHOUT_USERS: &[&str] = &["user-service"];
/// So many failed calls open a breaker, which is how user-service's absence is noticed.
const DELETIONS: usize = 10;

/// All that auth-service depends on, up at first.
struct World<'a> {
    database: TestDatabase<'a>,
    redis: Redis,
    users: FakeUsers,
    door: Door,
}

impl<'a> World<'a> {
    async fn on(postgres: &'a Postgres) -> Self {
        let users = FakeUsers::up(Says::Done);
        Self {
            database: postgres.database("auth").await,
            redis: Redis::start().await,
            door: Door::open(users.url().trim_start_matches("http://")),
            users,
        }
    }

    /// A member, started and perhaps not ready.
    async fn auth(&self) -> Auth {
        let change = |config: &mut AuthConfig| {
            config.user_service_url = self.door.url();
            config.pair_limit = Rate {
                burst: BURST,
                forget: Duration::from_secs(3600),
            };
        };
        Auth::start_unready(&self.database, self.redis.config(), change).await
    }

    /// A member that has reached everything.
    async fn whole_auth(&self) -> Auth {
        let auth = self.auth().await;
        auth.service.until("/health/startup", |status, _| status == 200).await;
        auth.service.until_degraded(&[]).await;
        auth
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_postgresql_it_starts_and_refuses_everything_until_it_is_there() {
    let _alone = ALONE.lock().await;
    let postgres = Postgres::start().await;
    let world = World::on(&postgres).await;
    postgres.stop().await;
    let auth = world.auth().await;
    auth.service.until_degraded(WITHOUT_DATABASE).await;
    let startup = auth.service.operations("/health/startup").await;
    assert_eq!(startup.status(), 503);
    assert!(startup.text().await.unwrap().contains("cannot connect to the primary"));
    let nobody = Session {
        access: "none".to_owned(),
        refresh: "none".to_owned(),
        id: String::new(),
        account: String::new(),
    };
    for request in needing_the_database(&auth, &nobody)
        .into_iter()
        .chain(needing_keys_alone(&auth))
    {
        is_refused(&at_once(request).await, "starting", "waiting for database");
    }

    postgres.restart().await;
    auth.service.until_degraded(&[]).await;
    serves_everything(&auth).await;
    auth.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_postgresql_is_gone_only_what_needs_it_is_refused() {
    let _alone = ALONE.lock().await;
    let postgres = Postgres::start().await;
    let world = World::on(&postgres).await;
    let auth = world.whole_auth().await;
    let session = auth.session().await;

    postgres.stop().await;
    auth.service.until_degraded(WITHOUT_DATABASE).await;
    for request in needing_the_database(&auth, &session) {
        is_refused(
            &at_once(request).await,
            "dependency_unavailable",
            "database is unavailable",
        );
    }
    for request in needing_keys_alone(&auth) {
        at_once(request).await.expect(200);
    }

    postgres.restart().await;
    auth.service.until_degraded(&[]).await;
    auth.get("sessions", &session.access).await.expect(200);
    serves_everything(&auth).await;
    auth.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_it_starts_and_serves_everything() {
    let _alone = ALONE.lock().await;
    let mut world = World::on(Postgres::shared().await).await;
    world.redis.stop().await;
    let auth = world.auth().await;
    auth.service.until("/health/startup", |status, _| status == 200).await;
    auth.service.until_degraded(WITHOUT_REDIS).await;
    serves_everything(&auth).await;
    let email = auth.account().await;
    is_throttled(&auth, &email).await;

    world.redis.restart().await;
    auth.service.until_degraded(&[]).await;
    counts_in_redis(&auth, &world.redis, &email).await;
    serves_everything(&auth).await;
    auth.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_redis_is_gone_everything_goes_on_and_this_member_throttles_alone() {
    let _alone = ALONE.lock().await;
    let mut world = World::on(Postgres::shared().await).await;
    let auth = world.whole_auth().await;
    let email = auth.account().await;
    counts_in_redis(&auth, &world.redis, &email).await;

    world.redis.stop().await;
    auth.service.until_degraded(WITHOUT_REDIS).await;
    is_throttled(&auth, &email).await;
    serves_everything(&auth).await;

    world.redis.restart().await;
    auth.service.until_degraded(&[]).await;
    counts_in_redis(&auth, &world.redis, &email).await;
    auth.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_user_service_it_starts_and_deletions_arrive_later() {
    let _alone = ALONE.lock().await;
    let mut world = World::on(Postgres::shared().await).await;
    world.door.stop().await;
    let auth = world.whole_auth().await;
    deletions_arrive_when_user_service_comes(&mut world, &auth).await;
    auth.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_user_service_is_gone_deletions_wait() {
    let _alone = ALONE.lock().await;
    let mut world = World::on(Postgres::shared().await).await;
    let auth = world.whole_auth().await;
    let before = serves_everything(&auth).await;
    eventually("it was told", async || world.users.told(&before) == 1).await;
    world.door.stop().await;
    deletions_arrive_when_user_service_comes(&mut world, &auth).await;
    assert_eq!(world.users.told(&before), 1);
    auth.service.stop().await;
}

/// From a stopped user-service on.
async fn deletions_arrive_when_user_service_comes(world: &mut World<'_>, auth: &Auth) {
    let mut deleted = Vec::new();
    for _ in 0..DELETIONS {
        deleted.push(serves_everything(auth).await);
    }
    auth.service.until_degraded(WITHOUT_USERS).await;
    deleted.push(serves_everything(auth).await);
    let waiting = "select count(*) from account_deletions";
    assert_eq!(auth.count(waiting).await, i64::try_from(deleted.len()).unwrap());

    world.door.start();
    eventually("all have arrived", async || auth.count(waiting).await == 0).await;
    for account in deleted {
        assert!(world.users.told(&account) > 0, "{account} was forgotten");
    }
    auth.service.until_degraded(&[]).await;
}

/// A request of each kind that asks PostgreSQL.
fn needing_the_database(auth: &Auth, session: &Session) -> Vec<RequestBuilder> {
    let send = |method, path, body| auth.request(method, path).json(&body);
    let login = json!({"email": "ada@example.com", "password": PASSWORD});
    let change = json!({"current_password": PASSWORD, "new_password": "another good password"});
    let own = |request: RequestBuilder| request.bearer_auth(&session.access);
    vec![
        send(Method::POST, "register", login.clone()),
        send(Method::POST, "login", login),
        send(Method::POST, "refresh", json!({"refresh_token": session.refresh})),
        own(auth.request(Method::GET, "sessions")),
        own(send(Method::POST, "password", change)),
        own(send(Method::DELETE, "account", json!({"password": PASSWORD}))),
    ]
}

/// A request of each kind that asks nobody.
fn needing_keys_alone(auth: &Auth) -> Vec<RequestBuilder> {
    let token = auth
        .request(Method::POST, "token")
        .header("content-type", "application/x-www-form-urlencoded")
        .body("grant_type=client_credentials&audience=auth-service&scope=accounts.read");
    vec![
        auth.request(Method::GET, "/.well-known/jwks.json"),
        auth.request(Method::GET, "/.well-known/openid-configuration"),
        token.basic_auth(CLIENT, Some(CLIENT_SECRET)),
    ]
}

/// An account's whole life, from its registration to its deletion: its id.
async fn serves_everything(auth: &Auth) -> String {
    for request in needing_keys_alone(auth) {
        Answer::of(request).await.expect(200);
    }
    let session = auth.session().await;
    let session = Session::from(auth.refresh(&session.refresh).await.expect(200));
    auth.get("sessions", &session.access).await.expect(200);
    let deletion = auth.request(Method::DELETE, "account").bearer_auth(&session.access);
    Answer::of(deletion.json(&json!({"password": PASSWORD})))
        .await
        .expect(204);
    session.account
}

/// Whoever guesses has to wait, by whatever counts.
async fn is_throttled(auth: &Auth, email: &str) {
    let guess = async || auth.try_login(email, "a wrong password").await;
    for _ in 0..=BURST {
        guess().await.problem(401, "invalid_credentials");
    }
    // The waits double from a second on: even a slow machine is soon too early.
    for _ in 0..5 {
        let answer = guess().await;
        if answer.status == 429 {
            return;
        }
        answer.problem(401, "invalid_credentials");
    }
    panic!("nobody counts");
}

/// Redis counts: it knew nothing of what was counted elsewhere, and knows of what is counted now.
async fn counts_in_redis(auth: &Auth, redis: &Redis, email: &str) {
    let keys = async || redis.command("KEYS auth:throttle:login:*").await;
    assert!(!keys().await.contains("login:"), "{}", keys().await);
    is_throttled(auth, email).await;
    assert!(keys().await.contains("login:"), "{}", keys().await);
}

async fn at_once(request: RequestBuilder) -> Answer {
    let answered = tokio::time::timeout(AT_ONCE, Answer::of(request)).await;
    answered.expect("it waited for what is down")
}

#[track_caller]
fn is_refused(answer: &Answer, code: &str, detail: &str) {
    answer.problem(503, code);
    assert_eq!(answer.body["detail"], detail, "{answer:?}");
    assert!(answer.header("retry-after").parse::<u32>().unwrap() >= 1, "{answer:?}");
}
