//! Many at one thing, and one account at many: nobody waits for another one's commit.

use std::time::Duration;

use futures::future::join_all;
use reqwest::Method;
use serde_json::json;
use sqlx::{Connection, PgConnection};
use user_service::UsersConfig;
use uuid::Uuid;

use crate::support::{Answer, World};

/// A counter's row that a transaction holds, as one does that waits for its commit.
async fn held(world: &World, lock: &'static str, id: Uuid) -> PgConnection {
    let mut connection = world.database().acquire().await.unwrap().detach();
    sqlx::raw_sql("begin").execute(&mut connection).await.unwrap();
    let locked = sqlx::query(lock).bind(id).fetch_all(&mut connection).await.unwrap();
    assert_eq!(locked.len(), 1);
    connection
}

async fn until_folded(world: &World) {
    let pool = world.database();
    let folding = async {
        let left = "select (select count(*) from post_deltas) + (select count(*) from author_deltas)";
        while sqlx::query_scalar::<_, i64>(left).fetch_one(&pool).await.unwrap() > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let done = tokio::time::timeout(Duration::from_secs(30), folding).await;
    assert!(done.is_ok(), "the deltas are never folded");
}

#[tokio::test(flavor = "multi_thread")]
async fn likes_and_comments_do_not_wait_for_whoever_counts() {
    let world = World::start().await;
    let [ada, bob, cleo] = world.users(["ada", "bob", "cleo"]).await;
    let id = world.publish(&ada, "hot").await;
    let post = format!("/posts/{id}");
    let lock = "select from post_counters where post_id = $1 for no key update";
    let holder = held(&world, lock, id.parse().unwrap()).await;
    for user in [&ada, &bob, &cleo] {
        world.put(user, &format!("{post}/like")).await.expect(204);
        world
            .post(user, &format!("{post}/comments"), &json!({ "text": "hot indeed" }))
            .await
            .expect(201);
    }
    world.delete(&cleo, &format!("{post}/like")).await.expect(204);
    // Exact at once, wherever it is kept.
    let seen = world.get(&bob, &post).await.expect(200);
    assert_eq!([seen.number("/likes_count"), seen.number("/comments_count")], [2, 3]);
    holder.close().await.unwrap();
    until_folded(&world).await;
    let seen = world.get(&bob, &post).await.expect(200);
    assert_eq!([seen.number("/likes_count"), seen.number("/comments_count")], [2, 3]);
    let kept: (i64, i64) = sqlx::query_as("select likes_count, comments_count from post_counters")
        .fetch_one(&world.database())
        .await
        .unwrap();
    assert_eq!(kept, (2, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_post_as_one_account_do_not_wait_for_each_other() {
    let world = World::start().await;
    let [ada, bob] = world.users(["ada", "bob"]).await;
    world.follow(&bob, &ada).await;
    world.publish(&ada, "first").await;
    let lock = "select from author_activity where author_id = $1 for no key update";
    let holder = held(&world, lock, ada.id).await;
    let ids = join_all((0..5).map(|_| world.publish(&ada, "more"))).await;
    // The feed and the counts know of all of them before they are folded.
    assert_eq!(world.feed(&bob).await.len(), 6);
    assert_eq!(world.counts(&ada).await, [1, 0, 6]);
    holder.close().await.unwrap();
    world.delete(&ada, &format!("/posts/{}", ids[4])).await.expect(204);
    assert_eq!(world.counts(&ada).await, [1, 0, 5]);
    until_folded(&world).await;
    assert_eq!(world.counts(&ada).await, [1, 0, 5]);
    let kept: (i64, Option<Uuid>, Option<Uuid>) = sqlx::query_as(
        "select posts_count, last_post_id, (select id from posts order by id desc limit 1) from author_activity",
    )
    .fetch_one(&world.database())
    .await
    .unwrap();
    assert_eq!((kept.0, kept.1), (5, kept.2));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_account_has_its_share_of_a_member_and_no_more() {
    let world = World::start_with(UsersConfig {
        reads_per_second: 1,
        writes_per_second: 1,
        ..UsersConfig::default()
    })
    .await;
    let [ada, bob] = world.users(["ada", "bob"]).await;
    let send = |method: Method, path: &'static str| {
        let request = world.request(method, path).bearer_auth(&ada.token);
        Answer::of(request.json(&json!({ "text": "again" })))
    };
    for (method, path) in [(Method::POST, "/posts"), (Method::GET, "/feed")] {
        let answers = join_all((0..40).map(|_| send(method.clone(), path))).await;
        let refused: Vec<_> = answers.iter().filter(|answer| answer.status == 429).collect();
        assert!((10..40).contains(&refused.len()), "{method}: {}", refused.len());
        for answer in refused {
            answer.problem(429, "too_many_requests");
            assert!(answer.header("retry-after").parse::<u32>().unwrap() > 0);
        }
    }
    // Nobody else has less for it.
    world.get(&bob, "/feed").await.expect(200);
}
