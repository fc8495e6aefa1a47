//! `Idempotency-Key`: a repeated write is done once.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, User, World};

async fn post(world: &World, user: &User, path: &str, key: &str, body: &Value) -> Answer {
    let request = world.request(Method::POST, path).bearer_auth(&user.token);
    Answer::of(request.header("idempotency-key", key).json(body)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_post_is_published_once() {
    let world = World::start().await;
    let [ada, bob] = world.users(["ada", "bob"]).await;
    let body = json!({ "text": "once" });
    let first = post(&world, &ada, "/posts", "key-1", &body).await.expect(201);
    assert_eq!(first.header("idempotent-replayed"), "");
    let again = post(&world, &ada, "/posts", "key-1", &body).await.expect(201);
    assert_eq!(
        (again.body, again.headers.get("idempotent-replayed").is_some()),
        (first.body, true)
    );
    assert_eq!(world.counts(&ada).await, [0, 0, 1]);

    let other = post(&world, &ada, "/posts", "key-1", &json!({ "text": "other" })).await;
    other.problem(422, "idempotency_key_reused");
    post(&world, &ada, "/posts", "key-2", &body).await.expect(201);
    post(&world, &bob, "/posts", "key-1", &body).await.expect(201);
    assert_eq!(world.counts(&ada).await, [0, 0, 2]);
    assert_eq!(world.counts(&bob).await, [0, 0, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn simultaneous_repetitions_publish_once() {
    let world = World::start().await;
    let ada = world.user("ada").await;
    let body = json!({ "text": "once" });
    let attempts = (0..10).map(|_| post(&world, &ada, "/posts", "same", &body));
    let answers = futures::future::join_all(attempts).await;
    let id = answers[0].id();
    for answer in answers {
        assert_eq!(answer.expect(201).id(), id);
    }
    assert_eq!(world.counts(&ada).await, [0, 0, 1]);
    assert_eq!(world.feed(&ada).await, ["once"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_comment_is_made_once_on_each_post() {
    let world = World::start().await;
    let ada = world.user("ada").await;
    let [one, two] = [world.publish(&ada, "one").await, world.publish(&ada, "two").await];
    let body = json!({ "text": "hi" });
    let path = format!("/posts/{one}/comments");
    let first = post(&world, &ada, &path, "key", &body).await.expect(201);
    assert_eq!(
        post(&world, &ada, &path, "key", &body).await.expect(201).body,
        first.body
    );
    assert_eq!(
        world
            .get(&ada, &format!("/posts/{one}"))
            .await
            .number("/comments_count"),
        1
    );
    let elsewhere = post(&world, &ada, &format!("/posts/{two}/comments"), "key", &body).await;
    elsewhere.problem(422, "idempotency_key_reused");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_attempt_leaves_the_key_free() {
    let world = World::start().await;
    let [ada, bob] = world.users(["ada", "bob"]).await;
    let target = world.publish(&bob, "later").await;
    world.block(&bob, &ada).await;
    let path = format!("/posts/{target}/comments");
    let body = json!({ "text": "hi" });
    post(&world, &ada, &path, "key", &body).await.problem(404, "not_found");
    world.delete(&bob, "/users/ada/block").await.expect(204);
    post(&world, &ada, &path, "key", &body).await.expect(201);
    for wrong in ["", "two words", &"x".repeat(129)] {
        let answer = post(&world, &ada, "/posts", wrong, &body).await;
        answer.problem(400, "invalid_idempotency_key");
    }
}
