//! Publishing and deleting posts.

use std::time::Duration;

use serde_json::json;
use uuid::Uuid;

use crate::support::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_post_is_read_as_it_was_written() {
    let world = World::start().await;
    let [ada, bob] = world.users(["ada", "bob"]).await;
    let text = "諾瓦 🚀\n'; drop table posts; -- \\u0000 <b>%s</b> $1";
    let written = world.post(&ada, "/posts", &json!({ "text": text })).await.expect(201);
    let path = format!("/posts/{}", written.id());
    let read = world.get(&bob, &path).await.expect(200);
    assert_eq!(read.body, written.body);
    assert_eq!(read.text("/text"), text);
    assert_eq!(read.text("/author/username"), "ada");
    assert!(read.text("/created_at").ends_with('Z'), "{read:?}");
    assert_eq!([read.number("/likes_count"), read.number("/comments_count")], [0, 0]);
    assert!(!read.flag("/liked"));
    assert_eq!(world.counts(&ada).await, [0, 0, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_has_1_to_2000_characters() {
    let world = World::start().await;
    let ada = world.user("ada").await;
    world.publish(&ada, &"諾".repeat(2_000)).await;
    world.publish(&ada, "x").await;
    for wrong in [&"x".repeat(2_001), "", " \n\t", "a\u{0}b", "\u{1b}[2J"] {
        let answer = world.post(&ada, "/posts", &json!({ "text": wrong })).await;
        answer.problem(422, "validation_failed");
        assert_eq!(answer.field(), "text");
    }
    for wrong in [
        json!({}),
        json!({ "text": 1 }),
        json!({ "text": null }),
        json!({ "text": "x", "id": "y" }),
        json!([]),
    ] {
        world
            .post(&ada, "/posts", &wrong)
            .await
            .problem(422, "validation_failed");
    }
    assert_eq!(world.counts(&ada).await, [0, 0, 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_its_author_deletes_a_post() {
    let world = World::start().await;
    let [ada, bob] = world.users(["ada", "bob"]).await;
    let path = format!("/posts/{}", world.publish(&ada, "mine").await);
    world.delete(&bob, &path).await.problem(403, "forbidden");
    world.delete(&ada, &path).await.expect(204);
    world.get(&ada, &path).await.problem(404, "not_found");
    world.delete(&ada, &path).await.problem(404, "not_found");
    assert_eq!(world.counts(&ada).await, [0, 0, 0]);
    for unknown in [&Uuid::now_v7().to_string(), "x", "1%27%20or%20%271%27=%271"] {
        world
            .get(&ada, &format!("/posts/{unknown}"))
            .await
            .problem(404, "not_found");
        world
            .delete(&ada, &format!("/posts/{unknown}"))
            .await
            .problem(404, "not_found");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_post_takes_everything_with_it() {
    let world = World::start().await;
    let [ada, bob] = world.users(["ada", "bob"]).await;
    let [gone, kept] = [world.publish(&ada, "gone").await, world.publish(&ada, "kept").await];
    for post in [&gone, &kept] {
        world.put(&bob, &format!("/posts/{post}/like")).await.expect(204);
        world
            .post(&bob, &format!("/posts/{post}/comments"), &json!({ "text": "x" }))
            .await
            .expect(201);
    }
    world.delete(&ada, &format!("/posts/{gone}")).await.expect(204);
    for path in ["likes", "comments"] {
        world
            .get(&bob, &format!("/posts/{gone}/{path}"))
            .await
            .problem(404, "not_found");
    }
    // What the answer did not wait for goes in the background.
    let pool = world.database();
    let only_the_other_is_left = async {
        loop {
            let rows: (i64, i64, i64, i64) = sqlx::query_as(
                "select (select count(*) from posts), (select count(*) from likes), (select count(*) from comments),
                        (select count(*) from post_counters)",
            )
            .fetch_one(&pool)
            .await
            .unwrap();
            if rows == (1, 1, 1, 1) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let done = tokio::time::timeout(Duration::from_secs(60), only_the_other_is_left).await;
    assert!(done.is_ok(), "something of the deleted post stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authors_posts_are_listed_newest_first() {
    let world = World::start().await;
    let [ada, bob] = world.users(["ada", "bob"]).await;
    for number in 0..7 {
        world.publish(&ada, &number.to_string()).await;
        world.publish(&bob, "other").await;
    }
    for limit in [1, 3, 7, 100] {
        let texts = world.all(&bob, "/users/ada/posts", limit, "/text").await;
        assert_eq!(texts, ["6", "5", "4", "3", "2", "1", "0"]);
    }
    let page = world.get(&bob, "/users/ada/posts").await.expect(200);
    assert_eq!(page.text("/items/0/author/username"), "ada");
    assert!(page.body["next_cursor"].is_null());
}
