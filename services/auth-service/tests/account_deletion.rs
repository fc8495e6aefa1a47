//! Deleting the account, and telling user-service of it.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use futures::future::join_all;
use nova_testkit::TestService;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, Auth, FakeUsers, PASSWORD, Says, Session, eventually};

const QUEUE: &str = "select count(*) from account_deletions";

async fn start(users: &FakeUsers) -> Auth {
    let url = users.url();
    Auth::start_with(|config| config.user_service_url = url).await
}

async fn delete(auth: &Auth, session: &Session, body: &Value) -> Answer {
    let request = auth.request(Method::DELETE, "account").bearer_auth(&session.access);
    Answer::of(request.json(body)).await
}

/// Makes an account and deletes it: its id.
async fn deleted(auth: &Auth) -> String {
    let session = auth.session().await;
    delete(auth, &session, &json!({"password": PASSWORD})).await.expect(204);
    session.account
}

async fn queue_is_empty(auth: &Auth) {
    eventually("the queue is empty", async || auth.count(QUEUE).await == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_account_is_gone_and_its_address_is_free() {
    let users = FakeUsers::up(Says::Done);
    let auth = start(&users).await;
    let email = auth.account().await;
    let (mine, other, stranger) = (auth.login(&email).await, auth.login(&email).await, auth.session().await);
    delete(&auth, &mine, &json!({"password": PASSWORD})).await.expect(204);
    for session in [&mine, &other] {
        auth.refresh(&session.refresh)
            .await
            .problem(401, "invalid_refresh_token");
        auth.get("sessions", &session.access)
            .await
            .problem(401, "invalid_token");
        delete(&auth, session, &json!({"password": PASSWORD}))
            .await
            .problem(401, "invalid_token");
    }
    auth.try_login(&email, PASSWORD)
        .await
        .problem(401, "invalid_credentials");
    auth.get("sessions", &stranger.access).await.expect(200);
    assert!(auth.audit().await.contains(&"account_delete/ok".to_owned()));

    let again = json!({"email": email, "password": PASSWORD});
    let new = auth.post("register", &again).await.expect(201);
    assert_ne!(new.body["id"], json!(mine.account));
    auth.login(&email).await;

    queue_is_empty(&auth).await;
    assert_eq!((users.told(&mine.account), users.told(&stranger.account)), (1, 0));
    // In its own name, and as nobody's account.
    let shown = users.bearer();
    let claims = shown.split('.').nth(1).unwrap();
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
    assert_eq!(
        (&claims["sub"], &claims["aud"], &claims["scope"]),
        (&json!("auth-service"), &json!("user-service"), &json!("accounts.erase"))
    );
    assert!(auth.app.verifier.verify(&shown).await.is_err());
    assert!(
        auth.app.verifier.verify_service(&shown).await.is_err(),
        "it is for user-service alone"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_password_is_asked_for_and_guessing_is_throttled() {
    let users = FakeUsers::up(Says::Done);
    let url = users.url();
    let auth = Auth::start_with(|config| {
        config.user_service_url = url;
        config.pair_limit.burst = 2;
    })
    .await;
    let session = auth.session().await;
    for _ in 0..3 {
        delete(&auth, &session, &json!({"password": "a wrong password"}))
            .await
            .problem(401, "invalid_credentials");
    }
    let answer = delete(&auth, &session, &json!({"password": PASSWORD})).await;
    answer.problem(429, "too_many_requests");
    assert!(!answer.header("retry-after").is_empty());
    auth.get("sessions", &session.access).await.expect(200);
    let audit = auth.audit().await;
    assert_eq!(audit.iter().filter(|row| *row == "account_delete/failed").count(), 3);
    assert_eq!((auth.count(QUEUE).await, users.told(&session.account)), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_password_deletes_nothing() {
    let auth = Auth::start().await;
    let session = auth.session().await;
    let wrong = [
        json!({}),
        json!([]),
        json!(null),
        json!({"password": 1}),
        json!({"password": null}),
        json!({"password": "x".repeat(1000)}),
        json!({"password": PASSWORD, "email": "x"}),
    ];
    for body in wrong {
        delete(&auth, &session, &body).await.problem(422, "validation_failed");
    }
    let request = || auth.request(Method::DELETE, "account");
    Answer::of(request().bearer_auth(&session.access))
        .await
        .problem(415, "unsupported_media_type");
    Answer::of(request().json(&json!({"password": PASSWORD})))
        .await
        .problem(401, "unauthorized");
    delete(&auth, &session, &json!({"password": "x".repeat(100_000)}))
        .await
        .problem(413, "body_too_large");
    auth.get("sessions", &session.access).await.expect(200);
    assert_eq!(auth.count("select count(*) from accounts").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_that_cannot_be_queued_does_not_happen() {
    let auth = Auth::start().await;
    let session = auth.session().await;
    let refuse = "alter table account_deletions add constraint nothing_more check (false) not valid";
    sqlx::query(refuse).execute(&auth.owner()).await.unwrap();
    assert_eq!(
        delete(&auth, &session, &json!({"password": PASSWORD})).await.status,
        500
    );
    auth.get("sessions", &session.access).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn user_service_is_told_when_it_is_back_whatever_restarted_meanwhile() {
    let mut users = FakeUsers::down();
    let auth = start(&users).await;
    let account = deleted(&auth).await;
    eventually("it was tried", async || {
        auth.count("select count(*) from account_deletions where attempts > 0 and last_error is not null")
            .await
            == 1
    })
    .await;
    auth.service
        .until("/metrics", |_, text| {
            text.contains("nova_auth_account_deletions_pending 1")
                && text.contains("nova_auth_account_deletions_oldest_seconds")
        })
        .await;
    // The member that did it goes, another one comes, and then user-service.
    let other = auth.another_member().await;
    let auth = auth.without_its_member().await;
    users.start();
    auth.queue_is_empty().await;
    assert_eq!(users.told(&account), 1);
    other.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_members_share_the_queue() {
    let mut users = FakeUsers::down();
    let auth = start(&users).await;
    let _other: TestService = auth.another_member().await;
    let accounts = join_all((0..20).map(|_| deleted(&auth))).await;
    assert!(auth.count(QUEUE).await > 0);
    // Slow enough that whatever is not leased is taken twice.
    users.says(Says::Slowly);
    users.start();
    // All at once, and not when their pauses end.
    auth.execute("update account_deletions set next_attempt_at = now()")
        .await;
    queue_is_empty(&auth).await;
    for account in accounts {
        assert_eq!(users.told(&account), 1, "{account}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_no_success_is_tried_again() {
    let users = FakeUsers::up(Says::Status(500));
    let auth = start(&users).await;
    let account = deleted(&auth).await;
    // 404: a member of an older version, which does not know the route.
    for says in [
        Says::Status(500),
        Says::Status(404),
        Says::Status(401),
        Says::Unfinished,
    ] {
        users.says(says);
        let before = users.told(&account);
        auth.execute("update account_deletions set next_attempt_at = now()")
            .await;
        eventually("it was told again", async || users.told(&account) > before).await;
        assert_eq!(auth.count(QUEUE).await, 1, "{says:?}");
    }
    users.says(Says::Done);
    auth.execute("update account_deletions set next_attempt_at = now()")
        .await;
    queue_is_empty(&auth).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_progress_of_a_large_deletion_is_no_failure() {
    let users = FakeUsers::up(Says::Status(500));
    let auth = start(&users).await;
    let account = deleted(&auth).await;
    let due = "update account_deletions set next_attempt_at = now()";
    let tell = async || {
        let before = users.told(&account);
        auth.execute(due).await;
        eventually("it was told again", async || users.told(&account) > before).await;
    };
    eventually("the failure is noted", async || {
        auth.count("select count(*) from account_deletions where failures > 0")
            .await
            == 1
    })
    .await;
    users.says(Says::Erasing);
    // More than it takes to open a breaker.
    for _ in 0..15 {
        tell().await;
        let soon = "select count(*) from account_deletions
            where failures = 0 and last_error = 'erasing' and next_attempt_at <= now() + interval '1 second'";
        eventually("it is asked again soon", async || auth.count(soon).await == 1).await;
    }
    auth.service
        .until("/health/ready", |_, text| !text.contains("user-service"))
        .await;
    // One failure after much progress is the first one in a row.
    users.says(Says::Status(500));
    tell().await;
    eventually("it is the first failure", async || {
        auth.count("select count(*) from account_deletions where failures = 1 and attempts > 15")
            .await
            == 1
    })
    .await;
    users.says(Says::Done);
    auth.execute(due).await;
    queue_is_empty(&auth).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_never_answers_holds_no_row_and_no_connection() {
    let users = FakeUsers::up(Says::Nothing);
    let auth = start(&users).await;
    let account = deleted(&auth).await;
    eventually("it was told", async || users.told(&account) > 0).await;
    let open = "select count(*) from pg_stat_activity
                where datname = current_database() and state like 'idle in transaction%'";
    let locked = "select count(*) from pg_locks
                  where relation = 'account_deletions'::regclass and pid <> pg_backend_pid() and mode like 'Row%'";
    eventually("nothing is held", async || {
        auth.count(open).await + auth.count(locked).await == 0
    })
    .await;
    // Leased: a second member leaves it alone.
    let told = users.told(&account);
    assert_eq!(
        auth.count("select count(*) from account_deletions where next_attempt_at > now()")
            .await,
        1
    );
    assert_eq!(users.told(&account), told);
}
