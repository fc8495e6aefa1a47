//! Blocking ends follows and hides both from each other.

use serde_json::json;

use crate::support::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_block_ends_follows_in_both_directions() {
    let world = World::start().await;
    let [ada, bob] = world.users(["ada", "bob"]).await;
    world.follow(&ada, &bob).await;
    world.follow(&bob, &ada).await;
    for _ in 0..2 {
        world.block(&ada, &bob).await;
        assert_eq!(world.counts(&ada).await, [0, 0, 0]);
        assert_eq!(world.counts(&bob).await, [0, 0, 0]);
    }
    assert_eq!(world.all(&ada, "/blocks", 20, "/user/username").await, ["bob"]);
    assert!(world.all(&bob, "/blocks", 20, "/user/username").await.is_empty());

    world.delete(&ada, "/users/bob/block").await.expect(204);
    world.delete(&ada, "/users/bob/block").await.expect(204);
    assert!(world.all(&ada, "/blocks", 20, "/user/username").await.is_empty());
    assert_eq!(world.counts(&ada).await, [0, 0, 0], "follows do not come back");
    assert_eq!(world.follow(&bob, &ada).await, "following");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_block_ends_requests_in_both_directions() {
    let world = World::start().await;
    let [ada, bob] = world.users(["ada", "bob"]).await;
    world.make_private(&ada).await;
    world.make_private(&bob).await;
    world.follow(&ada, &bob).await;
    world.follow(&bob, &ada).await;
    world.block(&ada, &bob).await;
    world.delete(&ada, "/users/bob/block").await.expect(204);
    for user in [&ada, &bob] {
        assert!(
            world
                .all(user, "/follow-requests", 20, "/user/username")
                .await
                .is_empty()
        );
    }
    world.put(&ada, "/follow-requests/bob").await.problem(404, "not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_can_do_anything_to_the_other() {
    let world = World::start().await;
    let [ada, bob] = world.users(["ada", "bob"]).await;
    let posts = [world.publish(&ada, "ada's").await, world.publish(&bob, "bob's").await];
    world.block(&ada, &bob).await;
    for (viewer, other, post) in [(&ada, "bob", &posts[1]), (&bob, "ada", &posts[0])] {
        for path in ["", "/posts", "/followers", "/following"] {
            world
                .get(viewer, &format!("/users/{other}{path}"))
                .await
                .problem(404, "not_found");
        }
        world
            .put(viewer, &format!("/users/{other}/follow"))
            .await
            .problem(404, "not_found");
        world
            .delete(viewer, &format!("/users/{other}/follow"))
            .await
            .problem(404, "not_found");
        world
            .get(viewer, &format!("/posts/{post}"))
            .await
            .problem(404, "not_found");
        world
            .delete(viewer, &format!("/posts/{post}"))
            .await
            .problem(404, "not_found");
        world
            .put(viewer, &format!("/posts/{post}/like"))
            .await
            .problem(404, "not_found");
        world
            .delete(viewer, &format!("/posts/{post}/like"))
            .await
            .problem(404, "not_found");
        world
            .delete(viewer, &format!("/follow-requests/{other}"))
            .await
            .problem(404, "not_found");
        for path in ["likes", "comments"] {
            world
                .get(viewer, &format!("/posts/{post}/{path}"))
                .await
                .problem(404, "not_found");
        }
        let comment = world
            .post(viewer, &format!("/posts/{post}/comments"), &json!({ "text": "x" }))
            .await;
        comment.problem(404, "not_found");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn comments_likes_and_lists_of_third_parties_hide_the_other() {
    let world = World::start().await;
    let [ada, bob, cleo] = world.users(["ada", "bob", "cleo"]).await;
    let post = world.publish(&cleo, "for both").await;
    let mut comments = Vec::new();
    for user in [&ada, &bob] {
        let comment = world
            .post(user, &format!("/posts/{post}/comments"), &json!({ "text": "hi" }))
            .await;
        comments.push(comment.expect(201).id());
        world.put(user, &format!("/posts/{post}/like")).await.expect(204);
        world.follow(user, &cleo).await;
        world.follow(&cleo, user).await;
    }
    world.block(&ada, &bob).await;
    for (viewer, expected) in [(&ada, "ada"), (&bob, "bob")] {
        let seen = world
            .all(viewer, &format!("/posts/{post}/comments"), 20, "/author/username")
            .await;
        assert_eq!(seen, [expected]);
        for list in [
            format!("/posts/{post}/likes"),
            "/users/cleo/followers".into(),
            "/users/cleo/following".into(),
        ] {
            assert_eq!(
                world.all(viewer, &list, 20, "/user/username").await,
                [expected],
                "{list}"
            );
        }
    }
    world
        .delete(&ada, &format!("/comments/{}", comments[1]))
        .await
        .problem(404, "not_found");
    assert_eq!(
        world
            .all(&cleo, &format!("/posts/{post}/comments"), 20, "/id")
            .await
            .len(),
        2
    );
    assert_eq!(
        world
            .get(&ada, &format!("/posts/{post}"))
            .await
            .number("/comments_count"),
        2
    );
}
