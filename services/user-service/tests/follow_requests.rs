//! Private accounts: asking, accepting, rejecting.

use serde_json::json;

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
