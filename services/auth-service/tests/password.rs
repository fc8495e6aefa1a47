//! Changing the password.

use reqwest::Method;
use serde_json::json;

use crate::support::{Answer, Auth, PASSWORD, Session};

const NEW: &str = "a new long passphrase";

async fn change(auth: &Auth, session: &Session, current: &str, new: &str) -> Answer {
    let request = auth.request(Method::POST, "password").bearer_auth(&session.access);
    Answer::of(request.json(&json!({"current_password": current, "new_password": new}))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_password_ends_the_other_sessions() {
    let auth = Auth::start().await;
    let email = auth.account().await;
    let (mine, other, stranger) = (auth.login(&email).await, auth.login(&email).await, auth.session().await);
    change(&auth, &mine, PASSWORD, NEW).await.expect(204);
    auth.refresh(&other.refresh).await.problem(401, "invalid_refresh_token");
    auth.refresh(&mine.refresh).await.expect(200);
    auth.refresh(&stranger.refresh).await.expect(200);
    auth.try_login(&email, PASSWORD)
        .await
        .problem(401, "invalid_credentials");
    auth.try_login(&email, NEW).await.expect(200);
    assert!(auth.audit().await.contains(&"password_change/ok".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_present_password_is_asked_for() {
    let auth = Auth::start().await;
    let email = auth.account().await;
    let session = auth.login(&email).await;
    change(&auth, &session, "a wrong password", NEW)
        .await
        .problem(401, "invalid_credentials");
    auth.try_login(&email, PASSWORD).await.expect(200);
    assert!(auth.audit().await.contains(&"password_change/failed".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_new_password_must_be_acceptable() {
    let auth = Auth::start().await;
    let session = auth.session().await;
    for new in ["short", "password123", &"x".repeat(200)] {
        let answer = change(&auth, &session, PASSWORD, new).await;
        answer.problem(422, "validation_failed");
        assert_eq!(answer.field(), "new_password");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn guessing_the_present_password_is_throttled() {
    let auth = Auth::start_with(|config| config.pair_limit.burst = 2).await;
    let session = auth.session().await;
    for _ in 0..3 {
        change(&auth, &session, "a wrong password", NEW)
            .await
            .problem(401, "invalid_credentials");
    }
    let answer = change(&auth, &session, PASSWORD, NEW).await;
    answer.problem(429, "too_many_requests");
    assert!(!answer.header("retry-after").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn guessing_from_many_addresses_is_throttled_by_account() {
    let auth = Auth::start_with(|config| config.password_limit.burst = 3).await;
    let (session, other) = (auth.session().await, auth.session().await);
    let guess = async |session: &Session, number: u8| {
        let url = auth.service.url("/api/v1/auth/password");
        let request = auth.service.client.post(url).bearer_auth(&session.access);
        let request = request.header("x-forwarded-for", format!("198.51.100.{number}"));
        Answer::of(request.json(&json!({"current_password": "a wrong password", "new_password": NEW}))).await
    };
    for number in 1..=4 {
        guess(&session, number).await.problem(401, "invalid_credentials");
    }
    guess(&session, 9).await.problem(429, "too_many_requests");
    guess(&other, 9).await.problem(401, "invalid_credentials");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_new_password_is_not_the_address_and_the_same_in_both_forms() {
    let auth = Auth::start().await;
    let email = auth.account().await;
    let session = auth.login(&email).await;
    let answer = change(&auth, &session, PASSWORD, &email.to_uppercase()).await;
    answer.problem(422, "validation_failed");
    assert_eq!(answer.field(), "new_password");
    change(&auth, &session, PASSWORD, "p\u{e4}sswort lang genug")
        .await
        .expect(204);
    for typed in ["p\u{e4}sswort lang genug", "pa\u{308}sswort lang genug"] {
        auth.try_login(&email, typed).await.expect(200);
    }
    auth.try_login(&email, "passwort lang genug").await.expect(401);
    change(&auth, &session, "pa\u{308}sswort lang genug", PASSWORD)
        .await
        .expect(204);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ended_session_cannot_change_the_password() {
    let auth = Auth::start().await;
    let session = auth.session().await;
    auth.post("logout", &json!({"refresh_token": session.refresh}))
        .await
        .expect(204);
    change(&auth, &session, PASSWORD, NEW)
        .await
        .problem(401, "invalid_token");
}
