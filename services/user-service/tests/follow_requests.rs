//! Private accounts: asking, accepting, rejecting.

use serde_json::json;

use user_service::UsersConfig;

use crate::support::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_private_account_is_asked_first() {
    let world = World::start().await;
    let [ada, bob, cleo] = world.users(["ada", "bob", "cleo"]).await;
    world.make_private(&ada).await;
    for _ in 0..2 {
        assert_eq!(world.follow(&bob, &ada).await, "requested");
    }
    world.follow(&cleo, &ada).await;
    assert_eq!(world.counts(&ada).await, [0, 0, 0]);
    assert!(world.get(&bob, "/users/ada").await.flag("/relationship/requested"));
    let asked = world.all(&ada, "/follow-requests", 1, "/user/username").await;
    assert_eq!(asked, ["cleo", "bob"]);

    for _ in 0..2 {
        world.put(&ada, "/follow-requests/bob").await.expect(204);
        world.delete(&ada, "/follow-requests/cleo").await.expect(204);
    }
    assert_eq!(world.counts(&ada).await, [1, 0, 0]);
    assert_eq!(world.counts(&bob).await, [0, 1, 0]);
    assert_eq!(world.counts(&cleo).await, [0, 0, 0]);
    let bob_sees = world.get(&bob, "/users/ada").await;
    assert!(bob_sees.flag("/relationship/following") && !bob_sees.flag("/relationship/requested"));
    assert!(!world.get(&cleo, "/users/ada").await.flag("/relationship/requested"));
    assert!(
        world
            .all(&ada, "/follow-requests", 20, "/user/username")
            .await
            .is_empty()
    );
    assert_eq!(world.follow(&cleo, &ada).await, "requested", "one may ask again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_can_be_withdrawn() {
    let world = World::start().await;
    let [ada, bob] = world.users(["ada", "bob"]).await;
    world.make_private(&ada).await;
    world.follow(&bob, &ada).await;
    world.delete(&bob, "/users/ada/follow").await.expect(204);
    assert!(
        world
            .all(&ada, "/follow-requests", 20, "/user/username")
            .await
            .is_empty()
    );
    world.put(&ada, "/follow-requests/bob").await.problem(404, "not_found");
    world
        .delete(&ada, "/follow-requests/nobody")
        .await
        .problem(404, "not_found");
    assert_eq!(world.counts(&ada).await, [0, 0, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn turning_public_accepts_everyone_who_asked() {
    let world = World::start().await;
    let [ada, bob, cleo, dora] = world.users(["ada", "bob", "cleo", "dora"]).await;
    world.follow(&dora, &ada).await;
    world.make_private(&ada).await;
    world.follow(&bob, &ada).await;
    world.follow(&cleo, &ada).await;
    // Something else changes: nobody is accepted by it.
    world.patch(&ada, "/users/me", &json!({ "bio": "x" })).await.expect(200);
    assert_eq!(world.counts(&ada).await, [1, 0, 0]);

    let public = world
        .patch(&ada, "/users/me", &json!({ "private": false }))
        .await
        .expect(200);
    assert_eq!(public.number("/followers_count"), 3);
    assert_eq!(
        world
            .all(&ada, "/users/me/followers", 100, "/user/username")
            .await
            .len(),
        3
    );
    for follower in [&bob, &cleo, &dora] {
        assert_eq!(world.counts(follower).await, [0, 1, 0]);
    }
    assert!(
        world
            .all(&ada, "/follow-requests", 20, "/user/username")
            .await
            .is_empty()
    );
    world
        .patch(&ada, "/users/me", &json!({ "private": false }))
        .await
        .expect(200);
    assert_eq!(world.counts(&ada).await, [3, 0, 0]);
}

/// An account that follows as many as it may, and asked someone while it did not.
async fn at_the_limit() -> World {
    World::start_with(UsersConfig {
        max_following: 2,
        ..UsersConfig::default()
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_count_towards_the_following_limit() {
    let world = at_the_limit().await;
    let [fan, one, two, three] = world.users(["fan", "one", "two", "three"]).await;
    for private in [&one, &two, &three] {
        world.make_private(private).await;
    }
    assert_eq!(world.follow(&fan, &one).await, "requested");
    assert_eq!(world.follow(&fan, &two).await, "requested");
    world
        .put(&fan, "/users/three/follow")
        .await
        .problem(409, "following_limit_reached");
    assert_eq!(world.follow(&fan, &two).await, "requested", "asking again is no more");
    world.delete(&fan, "/users/one/follow").await.expect(204);
    assert_eq!(world.follow(&fan, &three).await, "requested");
}

#[tokio::test(flavor = "multi_thread")]
async fn accepting_keeps_to_the_limit_of_who_asked() {
    let world = at_the_limit().await;
    let [fan, one, two, three, four] = world.users(["fan", "one", "two", "three", "four"]).await;
    world.follow(&fan, &one).await;
    world.follow(&fan, &two).await;
    // Left by a version that did not count requests.
    for private in [&three, &four] {
        world.make_private(private).await;
        sqlx::query("insert into follow_requests (id, requester_id, target_id) values (gen_random_uuid(), $1, $2)")
            .bind(fan.id)
            .bind(private.id)
            .execute(&world.database())
            .await
            .unwrap();
    }
    world
        .put(&three, "/follow-requests/fan")
        .await
        .problem(409, "following_limit_reached");
    world
        .patch(&four, "/users/me", &json!({ "private": false }))
        .await
        .expect(200);
    assert_eq!(world.counts(&fan).await, [0, 2, 0]);
    assert_eq!(world.counts(&four).await, [0, 0, 0]);
    // The request stays where its owner decides, and can be accepted when there is room.
    world.delete(&fan, "/users/one/follow").await.expect(204);
    world.put(&three, "/follow-requests/fan").await.expect(204);
    assert_eq!(world.counts(&fan).await, [0, 2, 0]);
}
