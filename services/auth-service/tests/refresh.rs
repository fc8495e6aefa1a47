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
async fn an_answer_that_was_lost_can_be_asked_for_until_its_token_was_used() {
    let auth = Auth::start().await;
    let session = auth.session().await;
    let second = Session::from(auth.refresh(&session.refresh).await.expect(200));
    // Longer than any failover, and longer than a night without a network.
    for age in ["12 seconds", "25 seconds", "9 hours"] {
        age_of_the_refresh(&auth, age).await;
        let again = Session::from(auth.refresh(&session.refresh).await.expect(200));
        assert_eq!(again.refresh, second.refresh, "after {age}");
    }
    assert_eq!(audited(&auth, "refresh/repeated").await, 3);
    let third = Session::from(auth.refresh(&second.refresh).await.expect(200));
    // Now it is used: whoever still has the first one is not its owner, or the owner is not alone.
    auth.refresh(&session.refresh)
        .await
        .problem(401, "invalid_refresh_token");
    auth.refresh(&third.refresh).await.problem(401, "invalid_refresh_token");
    assert_eq!(audited(&auth, "refresh/reuse").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thief_who_is_a_step_ahead_or_behind_is_found() {
    let auth = Auth::start().await;
    let (ahead, behind) = (auth.session().await, auth.session().await);
    // The thief rotates twice, then the owner comes with what it has.
    let thief = Session::from(auth.refresh(&ahead.refresh).await.expect(200));
    let thief = Session::from(auth.refresh(&thief.refresh).await.expect(200));
    auth.refresh(&ahead.refresh).await.problem(401, "invalid_refresh_token");
    auth.refresh(&thief.refresh).await.problem(401, "invalid_refresh_token");
    // The owner goes on, then the thief comes with an old one, hours later.
    let owner = Session::from(auth.refresh(&behind.refresh).await.expect(200));
    let owner = Session::from(auth.refresh(&owner.refresh).await.expect(200));
    age_of_the_refresh(&auth, "3 hours").await;
    auth.refresh(&behind.refresh)
        .await
        .problem(401, "invalid_refresh_token");
    auth.refresh(&owner.refresh).await.problem(401, "invalid_refresh_token");
    assert_eq!(audited(&auth, "refresh/reuse").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn asking_again_after_the_grace_is_bounded_and_starts_anew_with_each_refresh() {
    let auth = Auth::start_with(|config| config.refresh_repeats = 2).await;
    let session = auth.session().await;
    let second = Session::from(auth.refresh(&session.refresh).await.expect(200));
    // Within the grace it does not count: an application with several tabs open.
    for _ in 0..5 {
        auth.refresh(&session.refresh).await.expect(200);
    }
    age_of_the_refresh(&auth, "11 seconds").await;
    for _ in 0..2 {
        auth.refresh(&session.refresh).await.expect(200);
    }
    let third = Session::from(auth.refresh(&second.refresh).await.expect(200));
    age_of_the_refresh(&auth, "11 seconds").await;
    for _ in 0..2 {
        auth.refresh(&second.refresh).await.expect(200);
    }
    auth.refresh(&second.refresh)
        .await
        .problem(401, "invalid_refresh_token");
    auth.refresh(&third.refresh).await.problem(401, "invalid_refresh_token");
}

#[tokio::test(flavor = "multi_thread")]
async fn asking_again_prolongs_nothing() {
    let auth = Auth::start().await;
    let session = auth.session().await;
    auth.refresh(&session.refresh).await.expect(200);
    for age in ["9 seconds", "1 day", "6 days 23 hours"] {
        age_of_the_refresh(&auth, age).await;
        auth.refresh(&session.refresh).await.expect(200);
    }
    age_of_the_refresh(&auth, "7 days").await;
    auth.refresh(&session.refresh)
        .await
        .problem(401, "invalid_refresh_token");
}

/// Makes the last refresh of every session this long ago.
async fn age_of_the_refresh(auth: &Auth, age: &str) {
    sqlx::query("update sessions set last_used_at = now() - $1::text::interval")
        .bind(age)
        .execute(&auth.database())
        .await
        .unwrap();
}

async fn audited(auth: &Auth, what: &str) -> usize {
    auth.audit().await.iter().filter(|row| *row == what).count()
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
