//! Following public accounts, and the lists.

use user_service::UsersConfig;
use uuid::Uuid;

use crate::support::World;

#[tokio::test(flavor = "multi_thread")]
async fn following_and_unfollowing_is_counted_once() {
    let world = World::start().await;
    let [ada, bob] = world.users(["ada", "bob"]).await;
    for _ in 0..2 {
        assert_eq!(world.follow(&ada, &bob).await, "following");
        assert_eq!(world.counts(&ada).await, [0, 1, 0]);
        assert_eq!(world.counts(&bob).await, [1, 0, 0]);
    }
    let seen = world.get(&ada, "/users/bob").await;
    assert!(seen.flag("/relationship/following") && !seen.flag("/relationship/followed_by"));
    let seen = world.get(&bob, "/users/ada").await;
    assert!(!seen.flag("/relationship/following") && seen.flag("/relationship/followed_by"));
    for _ in 0..2 {
        world.delete(&ada, "/users/bob/follow").await.expect(204);
        assert_eq!(world.counts(&ada).await, [0, 0, 0]);
        assert_eq!(world.counts(&bob).await, [0, 0, 0]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_newest_first_page_by_page() {
    let world = World::start().await;
    let [ada, bob, cleo, dora, emil] = world.users(["ada", "bob", "cleo", "dora", "emil"]).await;
    for follower in [&bob, &cleo, &dora, &emil] {
        world.follow(follower, &ada).await;
    }
    for followee in [&cleo, &emil] {
        world.follow(&ada, followee).await;
    }
    for limit in [1, 2, 3, 4, 100] {
        let followers = world.all(&bob, "/users/ada/followers", limit, "/user/username").await;
        assert_eq!(followers, ["emil", "dora", "cleo", "bob"]);
        let following = world.all(&bob, "/users/ada/following", limit, "/user/username").await;
        assert_eq!(following, ["emil", "cleo"]);
    }
    assert_eq!(
        world
            .all(&ada, "/users/me/followers", 100, "/user/username")
            .await
            .len(),
        4
    );
    let since = world.get(&bob, "/users/ada/followers").await.expect(200);
    assert!(since.text("/items/0/since").starts_with("20"), "{since:?}");
    let nobody = world.get(&bob, "/users/bob/followers").await.expect(200);
    assert!(nobody.items().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_follows_themselves_or_nobody() {
    let world = World::start().await;
    let ada = world.user("ada").await;
    for me in ["me", "ada", "ADA", &ada.id.to_string()] {
        let path = format!("/users/{me}/follow");
        world.put(&ada, &path).await.problem(422, "cannot_target_self");
        world.delete(&ada, &path).await.problem(422, "cannot_target_self");
    }
    for unknown in [&Uuid::now_v7().to_string(), "nobody", "%27%20or%201=1--", "a%00b"] {
        let path = format!("/users/{unknown}/follow");
        world.put(&ada, &path).await.problem(404, "not_found");
        world.delete(&ada, &path).await.problem(404, "not_found");
    }
    assert_eq!(world.counts(&ada).await, [0, 0, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_follows_only_so_many() {
    let few = UsersConfig {
        max_following: 2,
        ..UsersConfig::default()
    };
    let world = World::start_with(few).await;
    let [ada, bob, cleo, dora] = world.users(["ada", "bob", "cleo", "dora"]).await;
    world.follow(&ada, &bob).await;
    world.follow(&ada, &cleo).await;
    let full = world.put(&ada, "/users/dora/follow").await;
    full.problem(409, "following_limit_reached");
    assert_eq!(world.follow(&ada, &cleo).await, "following", "whom one follows already");
    world.delete(&ada, "/users/bob/follow").await.expect(204);
    world.follow(&ada, &dora).await;
}
