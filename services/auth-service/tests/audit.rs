//! The audit: a row for every attempt, no secret in any, and no way to rewrite it.

use serde_json::json;

use crate::support::{Auth, PASSWORD, Session, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn every_attempt_leaves_a_row() {
    let auth = Auth::start().await;
    let email = auth.account().await;
    auth.try_login(&email, "a wrong password").await.expect(401);
    let first = auth.login(&email).await;
    let second = auth.login(&email).await;
    auth.delete(&format!("sessions/{}", second.id), &first.access)
        .await
        .expect(204);
    let next = Session::from(auth.refresh(&first.refresh).await.expect(200));
    auth.post("logout", &json!({"refresh_token": next.refresh}))
        .await
        .expect(204);
    let expected = [
        "register/ok",
        "login/failed",
        "login/ok",
        "login/ok",
        "session_revoke/ok",
        "logout/ok",
    ];
    assert_eq!(auth.audit().await, expected);
    let whole = "select count(*) from audit where account_id is not null and address = '192.0.2.1'";
    assert_eq!(auth.count(whole).await, 6);
    assert_eq!(
        auth.count("select count(distinct subject) from audit where subject is not null")
            .await,
        1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_refresh_tokens_are_counted() {
    let auth = Auth::start().await;
    for _ in 0..3 {
        auth.refresh("nonsense").await.problem(401, "invalid_refresh_token");
    }
    eventually("they are written", async || {
        let counted =
            "select coalesce(sum(attempts), 0)::bigint from audit where event = 'refresh' and outcome = 'failed'";
        auth.count(counted).await == 3
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_to_be_written_is_written_when_the_service_ends() {
    let auth = Auth::start().await;
    auth.refresh("nonsense").await.problem(401, "invalid_refresh_token");
    let database = auth.database();
    auth.service.stop().await;
    let written: i64 = sqlx::query_scalar("select count(*) from audit where event = 'refresh'")
        .fetch_one(&database)
        .await
        .unwrap();
    assert_eq!(written, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_and_no_address_of_a_person_is_recorded() {
    let auth = Auth::start().await;
    let email = auth.account().await;
    auth.try_login(&email, "a wrong password").await.expect(401);
    let session = auth.login(&email).await;
    let rows: Vec<String> = sqlx::query_scalar("select audit::text from audit")
        .fetch_all(&auth.database())
        .await
        .unwrap();
    for row in rows {
        for secret in [PASSWORD, "wrong password", &session.refresh, &session.access, &email] {
            assert!(!row.contains(secret), "{secret} is in {row}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_rewrites_it() {
    let auth = Auth::start().await;
    auth.account().await;
    let database = auth.database();
    for statement in ["update audit set outcome = 'ok'", "delete from audit", "truncate audit"] {
        assert!(
            sqlx::query(statement).execute(&database).await.is_err(),
            "{statement} was allowed"
        );
    }
    assert_eq!(auth.audit().await, ["register/ok"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_that_cannot_be_recorded_does_not_happen() {
    let auth = Auth::start().await;
    let email = auth.account().await;
    let refuse = "alter table audit add constraint nothing_more check (false) not valid";
    sqlx::query(refuse).execute(&auth.owner()).await.unwrap();
    assert_eq!(auth.try_login(&email, PASSWORD).await.status, 500);
    assert_eq!(auth.try_login(&email, "a wrong password").await.status, 500);
    let body = json!({"email": "new@example.com", "password": PASSWORD});
    assert_eq!(auth.post("register", &body).await.status, 500);
    assert_eq!(auth.count("select count(*) from sessions").await, 0);
    assert_eq!(auth.count("select count(*) from accounts").await, 1);
}
