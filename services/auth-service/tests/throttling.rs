//! Slowing down whoever guesses, with Redis and without.

use std::time::Duration;

use auth_service::config::{AuthConfig, Rate};
use futures::StreamExt;
use nova_testkit::{Redis, TestService};
use serde_json::json;

use crate::support::{Answer, Auth, PASSWORD, eventually};

const WRONG: &str = "a wrong password";
const HOUR: Duration = Duration::from_secs(3600);

fn tight_pair(config: &mut AuthConfig) {
    config.pair_limit = Rate { burst: 3, forget: HOUR };
}

/// The pair's limit: its address waits, no other does, and a success clears it.
async fn the_pair_is_limited(auth: &Auth) {
    let email = auth.account().await;
    for _ in 0..2 {
        auth.try_login(&email, WRONG).await.problem(401, "invalid_credentials");
    }
    auth.try_login(&email, PASSWORD).await.expect(200);
    for _ in 0..4 {
        auth.try_login(&email, WRONG).await.problem(401, "invalid_credentials");
    }
    let before = auth.app.hasher.completed();
    let answer = auth.try_login(&email, PASSWORD).await;
    answer.problem(429, "too_many_requests");
    assert!(answer.header("retry-after").parse::<u64>().unwrap() >= 1);
    assert_eq!(auth.app.hasher.completed(), before, "what is throttled costs no hash");
    auth.try_login_from("198.51.100.1", &email, PASSWORD).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guessing_address_waits_and_the_owner_elsewhere_does_not() {
    let redis = Redis::start().await;
    let auth = Auth::start_on(redis.config(), tight_pair).await;
    wait_for_redis(&auth).await;
    the_pair_is_limited(&auth).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_each_member_limits_by_itself() {
    the_pair_is_limited(&Auth::start_with(tight_pair).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_names_are_throttled_like_known_ones() {
    let auth = Auth::start_with(tight_pair).await;
    for _ in 0..4 {
        auth.try_login("nobody@example.com", WRONG)
            .await
            .problem(401, "invalid_credentials");
    }
    auth.try_login("nobody@example.com", WRONG)
        .await
        .problem(429, "too_many_requests");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_tries_many_accounts_waits() {
    let auth = Auth::start_with(|config| config.address_limit = Rate { burst: 3, forget: HOUR }).await;
    for number in 0..4 {
        let email = format!("nobody{number}@example.com");
        auth.try_login_from("2001:db8:1:2::1", &email, WRONG)
            .await
            .problem(401, "invalid_credentials");
    }
    // Another address of the same subscriber.
    auth.try_login_from("2001:db8:1:2:ff::9", "nobody9@example.com", WRONG)
        .await
        .problem(429, "too_many_requests");
    auth.try_login_from("2001:db8:1:3::1", "nobody9@example.com", WRONG)
        .await
        .problem(401, "invalid_credentials");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attack_from_many_addresses_does_not_keep_the_owner_out() {
    let redis = Redis::start().await;
    let limit = |config: &mut AuthConfig| config.account_limit = Rate { burst: 3, forget: HOUR };
    let auth = Auth::start_on(redis.config(), limit).await;
    wait_for_redis(&auth).await;
    let email = auth.account().await;
    // The owner's address is known since the registration: its logins are not counted against the account.
    auth.login(&email).await;
    for number in 1..=4 {
        auth.try_login_from(&format!("198.51.100.{number}"), &email, WRONG)
            .await
            .problem(401, "invalid_credentials");
    }
    auth.try_login_from("198.51.100.9", &email, WRONG)
        .await
        .problem(429, "too_many_requests");
    auth.try_login(&email, PASSWORD).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn registrations_from_one_address_are_limited() {
    let auth = Auth::start_with(|config| config.registration_limit = Rate { burst: 2, forget: HOUR }).await;
    for _ in 0..3 {
        auth.account().await;
    }
    let body = json!({"email": "one.more@example.com", "password": PASSWORD});
    auth.post("register", &body).await.problem(429, "too_many_requests");
}

#[tokio::test(flavor = "multi_thread")]
async fn members_count_together_and_go_on_alone_when_redis_is_lost() {
    let mut redis = Redis::start().await;
    let auth = Auth::start_on(redis.config(), tight_pair).await;
    let other = auth.another_member().await;
    wait_for_redis(&auth).await;
    until_whole(&other).await;
    let email = auth.account().await;
    for _ in 0..4 {
        auth.try_login(&email, WRONG).await.problem(401, "invalid_credentials");
    }
    let request = other
        .client
        .post(other.url("/api/v1/auth/login"))
        .header("x-forwarded-for", "192.0.2.1");
    let answer = Answer::of(request.json(&json!({"email": email, "password": PASSWORD}))).await;
    answer.problem(429, "too_many_requests");

    redis.stop().await;
    // Nothing fails; the counting starts anew in this member.
    auth.try_login(&email, PASSWORD).await.expect(200);
    for _ in 0..4 {
        auth.try_login(&email, WRONG).await.problem(401, "invalid_credentials");
    }
    auth.try_login(&email, PASSWORD).await.problem(429, "too_many_requests");
    other.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn throttled_attempts_are_recorded_together() {
    let auth = Auth::start_with(|config| config.pair_limit = Rate { burst: 1, forget: HOUR }).await;
    for _ in 0..2 {
        auth.try_login("nobody@example.com", WRONG)
            .await
            .problem(401, "invalid_credentials");
    }
    for _ in 0..5 {
        auth.try_login("nobody@example.com", WRONG).await;
    }
    eventually("they are written", async || {
        let counted = "select coalesce(sum(attempts), 0)::bigint from audit
            where outcome = 'throttled' and event = 'login' and address = '192.0.2.1' and subject is not null";
        auth.count(counted).await >= 4
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_made_up_names_and_addresses_is_a_bounded_number_of_rows() {
    let auth = Auth::start_with(|config| {
        config.address_limit = Rate { burst: 1, forget: HOUR };
        config.audit_window = HOUR;
    })
    .await;
    const FLOOD: usize = 1000;
    let tries = (0..FLOOD).map(|number| {
        // One network, so that all but the first two are throttled, and addresses and names that are never the same.
        let (address, email) = (format!("2001:db8::{number:x}"), format!("nobody{number}@example.com"));
        let auth = &auth;
        async move { auth.try_login_from(&address, &email, WRONG).await }
    });
    let answers: Vec<_> = futures::stream::iter(tries).buffer_unordered(32).collect().await;
    let throttled = answers.iter().filter(|answer| answer.status == 429).count();
    assert!(throttled >= FLOOD - 40, "{throttled}");
    let database = auth.database();
    auth.service.stop().await;
    let (rows, attempts): (i64, i64) =
        sqlx::query_as("select count(*), coalesce(sum(attempts), 0)::bigint from audit where outcome = 'throttled'")
            .fetch_one(&database)
            .await
            .unwrap();
    assert_eq!(usize::try_from(attempts).unwrap(), throttled);
    assert!(rows <= 210, "{rows} rows for {attempts} attempts");
}

async fn wait_for_redis(auth: &Auth) {
    until_whole(&auth.service).await;
}

async fn until_whole(service: &TestService) {
    service
        .until("/health/ready", |status, text| {
            status == 200 && text.contains("\"status\":\"ready\"")
        })
        .await;
}
