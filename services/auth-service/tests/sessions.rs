//! Listing and ending sessions.

use reqwest::Method;
use serde_json::Value;
use uuid::Uuid;

use crate::support::{Answer, Auth, PASSWORD, Session};

#[tokio::test(flavor = "multi_thread")]
async fn the_list_shows_where_one_is_logged_in() {
    let auth = Auth::start().await;
    let email = auth.account().await;
    auth.session().await;
    let first = auth.login(&email).await;
    let url = auth.service.url("/api/v1/auth/login");
    let request = auth
        .service
        .client
        .post(url)
        .header("x-forwarded-for", "203.0.113.9, 2001:db8::7");
    let request = request
        .header("user-agent", "a phone")
        .json(&serde_json::json!({"email": email, "password": PASSWORD}));
    let second = Session::from(Answer::of(request).await.expect(200));

    let answer = auth.get("sessions", &first.access).await.expect(200);
    let items = answer.body["items"].as_array().unwrap();
    assert_eq!(ids(&answer), [second.id.as_str(), first.id.as_str()]);
    assert_eq!(
        (&items[0]["current"], &items[1]["current"]),
        (&Value::Bool(false), &Value::Bool(true))
    );
    assert_eq!(
        (&items[0]["address"], &items[0]["user_agent"]),
        (&"2001:db8::7".into(), &"a phone".into())
    );
    assert_eq!(items[1]["address"], "192.0.2.1");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_has_pages() {
    let auth = Auth::start().await;
    let email = auth.account().await;
    let mut sessions = Vec::new();
    for _ in 0..5 {
        sessions.push(auth.login(&email).await);
    }
    let access = &sessions[0].access;
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    for expected in [2, 2, 1] {
        let answer = auth.get(&format!("sessions?limit=2{cursor}"), access).await.expect(200);
        assert_eq!(ids(&answer).len(), expected);
        seen.extend(ids(&answer).into_iter().map(str::to_owned));
        cursor = answer.body["next_cursor"]
            .as_str()
            .map(|text| format!("&cursor={text}"))
            .unwrap_or_default();
    }
    assert!(cursor.is_empty());
    let newest_first: Vec<_> = sessions.iter().rev().map(|session| session.id.clone()).collect();
    assert_eq!(seen, newest_first);
    for (query, code) in [
        ("cursor=x", "invalid_cursor"),
        ("limit=0", "invalid_parameter"),
        ("limit=x", "invalid_parameter"),
    ] {
        auth.get(&format!("sessions?{query}"), access).await.problem(400, code);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_can_be_ended_from_another() {
    let auth = Auth::start().await;
    let email = auth.account().await;
    let (mine, lost) = (auth.login(&email).await, auth.login(&email).await);
    auth.delete(&format!("sessions/{}", lost.id), &mine.access)
        .await
        .expect(204);
    auth.refresh(&lost.refresh).await.problem(401, "invalid_refresh_token");
    auth.delete(&format!("sessions/{}", lost.id), &mine.access)
        .await
        .problem(404, "not_found");
    auth.refresh(&mine.refresh).await.expect(200);
    assert!(auth.audit().await.contains(&"session_revoke/ok".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_thrown_out_cannot_throw_out_the_owner() {
    let auth = Auth::start().await;
    let email = auth.account().await;
    let (mine, thief) = (auth.login(&email).await, auth.login(&email).await);
    auth.delete("sessions", &mine.access).await.expect(204);
    for (method, path) in [(Method::GET, "sessions"), (Method::DELETE, "sessions")] {
        let answer = Answer::of(auth.request(method, path).bearer_auth(&thief.access)).await;
        answer.problem(401, "invalid_token");
    }
    auth.delete(&format!("sessions/{}", mine.id), &thief.access)
        .await
        .problem(401, "invalid_token");
    assert_eq!(
        ids(&auth.get("sessions", &mine.access).await.expect(200)),
        [mine.id.as_str()]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_ends_a_strangers_session() {
    let auth = Auth::start().await;
    let (mine, strangers) = (auth.session().await, auth.session().await);
    auth.delete(&format!("sessions/{}", strangers.id), &mine.access)
        .await
        .problem(404, "not_found");
    auth.delete("sessions", &mine.access).await.expect(204);
    auth.refresh(&strangers.refresh).await.expect(200);
    for id in [
        Uuid::now_v7().to_string(),
        "x".to_owned(),
        "%00".to_owned(),
        "'%20or%201=1".to_owned(),
    ] {
        auth.delete(&format!("sessions/{id}"), &mine.access)
            .await
            .problem(404, "not_found");
    }
}

fn ids(answer: &Answer) -> Vec<&str> {
    answer.body["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["id"].as_str().unwrap())
        .collect()
}
