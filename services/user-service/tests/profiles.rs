//! Profiles: how they appear, and how they change.

use serde_json::json;
use uuid::Uuid;

use crate::support::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_appears_with_the_first_request_whatever_it_is() {
    let world = World::start().await;
    let [reader, writer, follower] = [(); 3].map(|()| world.stranger());
    world.get(&reader, "/feed").await.expect(200);
    world.publish(&writer, "hello").await;
    assert_eq!(world.follow(&follower, &reader).await, "following");

    for user in [&reader, &writer, &follower] {
        let me = world.get(user, "/users/me").await.expect(200);
        assert_eq!(me.id(), user.id.to_string());
        assert!(me.body["username"].is_null() && me.body["relationship"].is_null());
    }
    let stranger = format!("/users/{}", world.stranger().id);
    world.get(&reader, &stranger).await.problem(404, "not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn simultaneous_first_requests_make_one_profile() {
    let world = World::start().await;
    let new = world.stranger();
    let answers = futures::future::join_all((0..20).map(|_| world.get(&new, "/users/me"))).await;
    for answer in answers {
        answer.expect(200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_changes_only_what_it_names() {
    let world = World::start().await;
    let ada = world.user("ada").await;
    let change = json!({ "display_name": "Ada Lovelace", "bio": "first\nsecond", "private": true });
    world.patch(&ada, "/users/me", &change).await.expect(200);
    let me = world
        .patch(&ada, "/users/me", &json!({ "username": "Countess" }))
        .await
        .expect(200);
    assert_eq!(me.text("/username"), "countess");
    assert_eq!(me.text("/display_name"), "Ada Lovelace");
    assert_eq!(me.text("/bio"), "first\nsecond");
    assert!(me.flag("/private"));
    let seen = world.get(&ada, "/users/me").await;
    for (name, value) in me.body.as_object().unwrap() {
        assert_eq!(&seen.body[name], value, "{name}");
    }
    assert_eq!(
        world.patch(&ada, "/users/me", &json!({})).await.expect(200).body,
        me.body
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_username_has_one_owner_without_regard_to_case() {
    let world = World::start().await;
    let [ada, _bob] = world.users(["ada", "bob"]).await;
    let taken = world
        .patch(&ada, "/users/me", &json!({ "username": "BOB", "bio": "x" }))
        .await;
    taken.problem(409, "username_taken");
    assert_eq!(
        world.get(&ada, "/users/me").await.text("/bio"),
        "",
        "half of a change was done"
    );
    world
        .patch(&ada, "/users/me", &json!({ "username": "ADA" }))
        .await
        .expect(200);
    // A name that was given up is free.
    world
        .patch(&ada, "/users/me", &json!({ "username": "ada_l" }))
        .await
        .expect(200);
    world.user("ada").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_is_found_by_id_and_by_name() {
    let world = World::start().await;
    let [ada, bob] = world.users(["ada", "bob"]).await;
    for name in [
        bob.id.to_string(),
        bob.id.simple().to_string(),
        "bob".to_owned(),
        "BoB".to_owned(),
    ] {
        let profile = world.get(&ada, &format!("/users/{name}")).await.expect(200);
        assert_eq!(profile.id(), bob.id.to_string());
        assert!(!profile.flag("/relationship/following"));
    }
    for unknown in [
        Uuid::now_v7().to_string(),
        "nobody".to_owned(),
        "x".to_owned(),
        "no-name".to_owned(),
    ] {
        world
            .get(&ada, &format!("/users/{unknown}"))
            .await
            .problem(404, "not_found");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_a_profile_is_refused_field_by_field() {
    let world = World::start().await;
    let ada = world.user("ada").await;
    let wrong = [
        ("username", json!("ab")),
        ("username", json!("a".repeat(31))),
        ("username", json!("'; drop table profiles; --")),
        ("display_name", json!("x".repeat(51))),
        ("display_name", json!("two\nlines")),
        ("bio", json!("x".repeat(501))),
        ("bio", json!("a\u{0}b")),
    ];
    for (field, value) in wrong {
        let answer = world.patch(&ada, "/users/me", &json!({ field: value })).await;
        answer.problem(422, "validation_failed");
        assert_eq!(answer.field(), field);
    }
    let both = world
        .patch(&ada, "/users/me", &json!({ "username": "-", "bio": "\u{7}" }))
        .await;
    assert_eq!(both.body["errors"].as_array().unwrap().len(), 2, "{both:?}");
    let unknown = world
        .patch(&ada, "/users/me", &json!({ "followers_count": 1000 }))
        .await;
    unknown.problem(422, "validation_failed");
}
