//! Refreshing: rotation, lost answers, replays.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use futures::future::join_all;
use serde_json::json;

use crate::support::{Auth, Session};

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_gives_a_new_token_and_uses_the_old_one_up() {
    let auth = Auth::start().await;
    let session = auth.session().await;
    let answer = auth.refresh(&session.refresh).await.expect(200);
    assert_eq!(answer.header("cache-control"), "no-store");
    let next = Session::from(answer);
    assert_eq!(next.id, session.id);
    assert_ne!(next.refresh, session.refresh);
    auth.get("sessions", &next.access).await.expect(200);
    auth.refresh(&next.refresh).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_can_be_asked_for_again() {
    let auth = Auth::start().await;
    let session = auth.session().await;
    let first = Session::from(auth.refresh(&session.refresh).await.expect(200));
    let again = Session::from(auth.refresh(&session.refresh).await.expect(200));
    assert_eq!(first.refresh, again.refresh);
    auth.refresh(&again.refresh).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn simultaneous_refreshes_get_the_same_successor() {
    let auth = Auth::start().await;
    let session = auth.session().await;
    let answers = join_all((0..16).map(|_| auth.refresh(&session.refresh))).await;
    let sessions: Vec<_> = answers
        .into_iter()
        .map(|answer| Session::from(answer.expect(200)))
        .collect();
    assert!(
        sessions.iter().all(|other| other.refresh == sessions[0].refresh),
        "{sessions:?}"
    );
    auth.refresh(&sessions[0].refresh).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_used_again_after_its_successor_ends_the_session() {
    let auth = Auth::start().await;
    let session = auth.session().await;
    let second = Session::from(auth.refresh(&session.refresh).await.expect(200));
    let third = Session::from(auth.refresh(&second.refresh).await.expect(200));
    auth.refresh(&session.refresh)
        .await
        .problem(401, "invalid_refresh_token");
    auth.refresh(&third.refresh).await.problem(401, "invalid_refresh_token");
    assert_eq!(auth.count("select count(*) from sessions").await, 0);
    assert!(auth.audit().await.contains(&"refresh/reuse".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_used_again_later_ends_the_session() {
    let auth = Auth::start().await;
    let (session, other) = (auth.session().await, auth.session().await);
    let second = Session::from(auth.refresh(&session.refresh).await.expect(200));
    auth.execute("update sessions set last_used_at = now() - interval '9 seconds'")
        .await;
    auth.refresh(&session.refresh).await.expect(200);
    auth.execute("update sessions set last_used_at = now() - interval '11 seconds'")
        .await;
    auth.refresh(&session.refresh)
        .await
        .problem(401, "invalid_refresh_token");
    auth.refresh(&second.refresh)
        .await
        .problem(401, "invalid_refresh_token");
    auth.refresh(&other.refresh).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn asking_again_does_not_prolong_the_grace() {
    let auth = Auth::start().await;
    let session = auth.session().await;
    auth.refresh(&session.refresh).await.expect(200);
    auth.execute("update sessions set last_used_at = now() - interval '9 seconds'")
        .await;
    auth.refresh(&session.refresh).await.expect(200);
    assert_eq!(
        auth.count("select count(*) from sessions where last_used_at < now() - interval '9 seconds'")
            .await,
        1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_made_up_token_of_a_session_does_not_end_it() {
    let auth = Auth::start().await;
    let session = auth.session().await;
    let mut bytes = URL_SAFE_NO_PAD.decode(&session.refresh).unwrap();
    for index in [20, 60] {
        bytes[index] ^= 1;
        auth.refresh(&URL_SAFE_NO_PAD.encode(&bytes))
            .await
            .problem(401, "invalid_refresh_token");
        auth.post("logout", &json!({"refresh_token": URL_SAFE_NO_PAD.encode(&bytes)}))
            .await
            .expect(204);
    }
    auth.refresh(&session.refresh).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_when_idle_and_when_old() {
    let auth = Auth::start().await;
    let session = auth.session().await;
    auth.execute("update sessions set last_used_at = now() - interval '7 days'")
        .await;
    auth.refresh(&session.refresh)
        .await
        .problem(401, "invalid_refresh_token");
    auth.execute("update sessions set last_used_at = now(), expires_at = now()")
        .await;
    auth.refresh(&session.refresh)
        .await
        .problem(401, "invalid_refresh_token");
    auth.execute("update sessions set expires_at = now() + interval '100 seconds'")
        .await;
    let answer = auth.refresh(&session.refresh).await.expect(200);
    let left = answer.body["refresh_expires_in"].as_u64().unwrap();
    assert!(
        (1..=100).contains(&left),
        "a refresh does not prolong the session's life: {left}"
    );
    assert!(
        !auth.audit().await.contains(&"refresh/reuse".to_owned()),
        "an expired token is not a stolen one"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn no_token_is_stored() {
    let auth = Auth::start().await;
    let session = auth.session().await;
    let next = Session::from(auth.refresh(&session.refresh).await.expect(200));
    for token in [session.refresh, next.refresh] {
        let secret = URL_SAFE_NO_PAD.decode(token).unwrap()[16..48].to_vec();
        let found: i64 =
            sqlx::query_scalar("select count(*) from sessions where strpos(sessions::text, encode($1, 'hex')) > 0")
                .bind(secret)
                .fetch_one(&auth.database())
                .await
                .unwrap();
        assert_eq!(found, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn logging_out_ends_the_session_for_good() {
    let auth = Auth::start().await;
    let session = auth.session().await;
    auth.post("logout", &json!({"refresh_token": session.refresh}))
        .await
        .expect(204);
    auth.refresh(&session.refresh)
        .await
        .problem(401, "invalid_refresh_token");
    auth.post("logout", &json!({"refresh_token": session.refresh}))
        .await
        .expect(204);
    auth.post("logout", &json!({"refresh_token": "nonsense"}))
        .await
        .expect(204);
    assert!(auth.audit().await.contains(&"logout/ok".to_owned()));
}
