//! Comments.

use serde_json::json;
use uuid::Uuid;

use crate::support::World;

#[tokio::test(flavor = "multi_thread")]
async fn comments_are_listed_newest_first_and_counted() {
    let world = World::start().await;
    let [ada, bob] = world.users(["ada", "bob"]).await;
    let post = world.publish(&ada, "discuss").await;
    let comments = format!("/posts/{post}/comments");
    for text in ["one", "two", "three"] {
        let comment = world.post(&bob, &comments, &json!({ "text": text })).await.expect(201);
        assert_eq!(comment.text("/post_id"), post);
        assert_eq!(comment.text("/author/username"), "bob");
    }
    for limit in [1, 2, 3, 100] {
        assert_eq!(
            world.all(&ada, &comments, limit, "/text").await,
            ["three", "two", "one"]
        );
    }
    assert_eq!(
        world
            .get(&ada, &format!("/posts/{post}"))
            .await
            .number("/comments_count"),
        3
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_comment_is_deleted_by_its_author_or_the_posts() {
    let world = World::start().await;
    let [ada, bob, cleo] = world.users(["ada", "bob", "cleo"]).await;
    let post = world.publish(&ada, "discuss").await;
    let mut paths = Vec::new();
    for text in ["one", "two", "three"] {
        let comment = world
            .post(&bob, &format!("/posts/{post}/comments"), &json!({ "text": text }))
            .await;
        paths.push(format!("/comments/{}", comment.expect(201).id()));
    }
    world.delete(&cleo, &paths[0]).await.problem(403, "forbidden");
    world.delete(&bob, &paths[0]).await.expect(204);
    world.delete(&bob, &paths[0]).await.problem(404, "not_found");
    world.delete(&ada, &paths[1]).await.expect(204);
    // Also when the two cannot see each other any more.
    world.block(&ada, &bob).await;
    world.delete(&ada, &paths[2]).await.expect(204);
    assert_eq!(
        world
            .get(&cleo, &format!("/posts/{post}"))
            .await
            .number("/comments_count"),
        0
    );
    world
        .delete(&ada, &format!("/comments/{}", Uuid::now_v7()))
        .await
        .problem(404, "not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_comment_has_1_to_1000_characters_and_a_post() {
    let world = World::start().await;
    let ada = world.user("ada").await;
    let comments = format!("/posts/{}/comments", world.publish(&ada, "discuss").await);
    world
        .post(&ada, &comments, &json!({ "text": "諾".repeat(1_000) }))
        .await
        .expect(201);
    for wrong in [&"x".repeat(1_001), "", " ", "\u{0}"] {
        let answer = world.post(&ada, &comments, &json!({ "text": wrong })).await;
        answer.problem(422, "validation_failed");
        assert_eq!(answer.field(), "text");
    }
    let nowhere = format!("/posts/{}/comments", Uuid::now_v7());
    world
        .post(&ada, &nowhere, &json!({ "text": "x" }))
        .await
        .problem(404, "not_found");
    world.get(&ada, &nowhere).await.problem(404, "not_found");
}
