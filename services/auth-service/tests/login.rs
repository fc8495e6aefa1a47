//! Logging in.

use std::time::Duration;

use futures::future::join_all;
use serde_json::{Value, json};

use crate::support::{Auth, ISSUER, PASSWORD, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn a_login_gives_tokens() {
    let auth = Auth::start().await;
    let email = auth.account().await;
    let answer = auth.try_login(&email, PASSWORD).await.expect(200);
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.body["token_type"], "Bearer");
    assert_eq!(answer.body["expires_in"], 900);
    assert_eq!(answer.body["refresh_expires_in"], 7 * 24 * 3600);

    let token = answer.body["access_token"].as_str().unwrap();
    let header = part(token, 0);
    assert_eq!(header, json!({"alg": "ES256", "typ": "at+jwt", "kid": "first"}));
    let claims = part(token, 1);
    assert_eq!((&claims["iss"], &claims["aud"]), (&json!(ISSUER), &json!("nova")));
    assert_eq!(
        (&claims["sub"], &claims["sid"]),
        (&answer.body["account_id"], &answer.body["session_id"])
    );
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 900);
    assert!(claims["jti"].is_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_and_an_unknown_name_cannot_be_told_apart() {
    let auth = Auth::start().await;
    let email = auth.account().await;
    let mut answers = Vec::new();
    for name in [email.as_str(), "nobody@example.com"] {
        let before = auth.app.hasher.completed();
        let mut answer = auth.try_login(name, "a wrong password").await.expect(401);
        assert_eq!(
            auth.app.hasher.completed() - before,
            1,
            "the hash function runs once for {name}"
        );
        answer.body["request_id"] = Value::Null;
        let names: Vec<_> = answer.headers.keys().map(|name| name.as_str().to_owned()).collect();
        answers.push((answer.body, names));
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0].0["code"], "invalid_credentials");
    assert_eq!(auth.audit().await, ["register/ok", "login/failed", "login/failed"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hash_of_another_cost_is_renewed() {
    let auth = Auth::start().await;
    let email = auth.account().await;
    // "password", made by the reference implementation with m=65536.
    auth.execute(
        "update accounts set password_hash =
            '$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc'",
    )
    .await;
    auth.try_login(&email, "passwore")
        .await
        .problem(401, "invalid_credentials");
    assert_eq!(
        auth.count("select count(*) from accounts where password_hash like '%m=65536%'")
            .await,
        1
    );
    let answers = join_all((0..4).map(|_| auth.try_login(&email, "password"))).await;
    assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
    assert_eq!(
        auth.count("select count(*) from accounts where password_hash like '%m=64,t=1,p=1$%'")
            .await,
        1
    );
    auth.try_login(&email, "password").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_a_password_change_overtakes_fails() {
    let auth = Auth::start().await;
    let email = auth.account().await;
    let database = auth.database();
    let mut change = database.begin().await.unwrap();
    // The hash of another password, in a transaction that the login has to wait for.
    sqlx::query(
        "update accounts set password_hash =
            '$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc'",
    )
    .execute(&mut *change)
    .await
    .unwrap();
    let login = auth.try_login(&email, PASSWORD);
    let commit = async {
        eventually("the login waits for the account's row", async || {
            let waiting =
                "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and query like 'with account%'";
            sqlx::query_scalar::<_, i64>(waiting)
                .fetch_one(&database)
                .await
                .unwrap()
                == 1
        })
        .await;
        change.commit().await.unwrap();
    };
    let (answer, ()) = tokio::join!(login, commit);
    answer.problem(401, "invalid_credentials");
    assert_eq!(auth.count("select count(*) from sessions").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_logins_than_can_be_hashed_are_turned_away_at_once() {
    let auth = Auth::start_with(|config| {
        (config.hash_threads, config.hash_queue) = (Some(1), 1);
        (config.hash_memory, config.hash_iterations) = (16 * 1024, 6);
        config.hash_deadline = Duration::from_secs(20);
    })
    .await;
    let answers = join_all((0..8).map(|_| auth.try_login("nobody@example.com", PASSWORD))).await;
    let refused: Vec<_> = answers.iter().filter(|answer| answer.status == 503).collect();
    assert!(!refused.is_empty() && refused.len() < 8, "{answers:?}");
    for answer in &refused {
        answer.problem(503, "overloaded");
        assert!(!answer.header("retry-after").is_empty());
    }
    let expected = i64::try_from(refused.len()).unwrap();
    eventually("they are recorded", async || {
        let recorded = "select coalesce(sum(attempts), 0)::bigint from audit where outcome = 'overloaded'";
        auth.count(recorded).await == expected
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_has_a_bounded_number_of_sessions() {
    let auth = Auth::start().await;
    let email = auth.account().await;
    let first = auth.login(&email).await;
    auth.execute(
        "insert into sessions (id, account_id, expires_at, family_key, token_hash)
        select ('ffffffff-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, id, now() + interval '1 day', '', ''
        from accounts, generate_series(1, 99) as n",
    )
    .await;
    let last = auth.login(&email).await;
    assert_eq!(auth.count("select count(*) from sessions").await, 100);
    auth.refresh(&first.refresh).await.problem(401, "invalid_refresh_token");
    auth.refresh(&last.refresh).await.expect(200);
}

fn part(token: &str, index: usize) -> Value {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    let text = token.split('.').nth(index).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).unwrap()).unwrap()
}
