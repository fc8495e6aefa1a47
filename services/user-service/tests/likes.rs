//! Likes.

use crate::support::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_like_counts_once() {
    let world = World::start().await;
    let [ada, bob, cleo] = world.users(["ada", "bob", "cleo"]).await;
    let post = format!("/posts/{}", world.publish(&ada, "like me").await);
    let like = format!("{post}/like");
    for _ in 0..2 {
        world.put(&bob, &like).await.expect(204);
    }
    world.put(&cleo, &like).await.expect(204);
    let seen = world.get(&bob, &post).await;
    assert_eq!((seen.number("/likes_count"), seen.flag("/liked")), (2, true));
    assert!(!world.get(&ada, &post).await.flag("/liked"));
    assert_eq!(
        world.all(&ada, &format!("{post}/likes"), 1, "/user/username").await,
        ["cleo", "bob"]
    );
    for _ in 0..2 {
        world.delete(&bob, &like).await.expect(204);
    }
    let seen = world.get(&bob, &post).await;
    assert_eq!((seen.number("/likes_count"), seen.flag("/liked")), (1, false));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_viewers_likes_are_shown_in_lists() {
    let world = World::start().await;
    let [ada, bob] = world.users(["ada", "bob"]).await;
    world.publish(&ada, "not liked").await;
    let liked = world.publish(&ada, "liked").await;
    world.put(&bob, &format!("/posts/{liked}/like")).await.expect(204);
    world.follow(&bob, &ada).await;
    for list in ["/users/ada/posts", "/feed"] {
        let page = world.get(&bob, list).await.expect(200);
        let flags: Vec<_> = page
            .items()
            .iter()
            .map(|post| (post["liked"].as_bool(), post["likes_count"].as_i64()))
            .collect();
        assert_eq!(flags, [(Some(true), Some(1)), (Some(false), Some(0))], "{list}");
        let page = world.get(&ada, list).await.expect(200);
        assert!(!page.flag("/items/0/liked"));
    }
}
