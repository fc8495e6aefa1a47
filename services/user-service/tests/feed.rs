//! The home feed: whose posts, in which order, page by page while people post.

use std::collections::HashSet;

use sqlx::PgPool;
use uuid::Uuid;

use crate::support::World;

#[tokio::test(flavor = "multi_thread")]
async fn own_posts_and_those_of_followed_accounts_newest_first() {
    let world = World::start().await;
    let [ada, bob, cleo, dora] = world.users(["ada", "bob", "cleo", "dora"]).await;
    assert!(world.feed(&ada).await.is_empty());
    world.follow(&ada, &bob).await;
    world.follow(&ada, &cleo).await;
    for (author, text) in [
        (&bob, "b1"),
        (&dora, "d1"),
        (&cleo, "c1"),
        (&ada, "a1"),
        (&bob, "b2"),
        (&dora, "d2"),
    ] {
        world.publish(author, text).await;
    }
    for limit in [1, 2, 3, 4, 100] {
        assert_eq!(
            world.all(&ada, "/feed", limit, "/text").await,
            ["b2", "a1", "c1", "b1"],
            "limit {limit}"
        );
    }
    assert_eq!(world.feed(&dora).await, ["d2", "d1"]);
    world.delete(&ada, "/users/bob/follow").await.expect(204);
    assert_eq!(world.feed(&ada).await, ["a1", "c1"]);
    let post = world.get(&ada, "/feed").await.text("/items/1/id").to_owned();
    world.delete(&cleo, &format!("/posts/{post}")).await.expect(204);
    assert_eq!(world.feed(&ada).await, ["a1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn blocked_people_are_not_in_it_in_either_direction() {
    let world = World::start().await;
    let [ada, bob, cleo] = world.users(["ada", "bob", "cleo"]).await;
    for (one, other) in [(&ada, &bob), (&bob, &ada), (&ada, &cleo), (&cleo, &ada)] {
        world.follow(one, other).await;
    }
    for (author, text) in [(&ada, "a"), (&bob, "b"), (&cleo, "c")] {
        world.publish(author, text).await;
    }
    world.block(&ada, &bob).await;
    assert_eq!(world.feed(&ada).await, ["c", "a"]);
    assert_eq!(world.feed(&bob).await, ["b"]);
    assert_eq!(world.feed(&cleo).await, ["c", "a"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_repeat_and_skip_nothing_while_people_post() {
    let world = World::start().await;
    let [ada, bob] = world.users(["ada", "bob"]).await;
    world.follow(&ada, &bob).await;
    for number in 0..12 {
        world.publish(&bob, &format!("old {number}")).await;
    }
    let mut seen = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = world.get(&ada, &format!("/feed?limit=3{cursor}")).await.expect(200);
        seen.extend(
            page.items()
                .iter()
                .map(|post| post["text"].as_str().unwrap().to_owned()),
        );
        world.publish(&bob, "new").await;
        world.publish(&ada, "new").await;
        match page.body["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    let expected: Vec<_> = (0..12).rev().map(|number| format!("old {number}")).collect();
    assert_eq!(seen, expected);
}

/// More posts of others than the first attempt looks at, so that both attempts take part, at every position.
#[tokio::test(flavor = "multi_thread")]
async fn a_quiet_feed_in_a_loud_world_is_exact() {
    let world = World::start().await;
    let viewer = world.user("viewer").await;
    let pool = world.database();
    let followed = seed_authors(&pool, 30).await;
    let others = seed_authors(&pool, 5).await;
    sqlx::query("insert into follows (id, follower_id, followee_id) select gen_random_uuid(), $1, id from unnest($2::uuid[]) id")
        .bind(viewer.id)
        .bind(&followed)
        .execute(&pool)
        .await
        .unwrap();
    // Uneven: author n writes n posts, some in old times, some in the midst of 3,000 posts of others, none at the end.
    let mut expected = Vec::new();
    for (number, author) in followed.iter().enumerate() {
        for post in 0..number {
            let time = if post % 2 == 0 {
                1_000 + post * 40
            } else {
                5_000 + number * 70 + post
            };
            expected.push((at(time), *author));
        }
    }
    let loud = (0..3_000).map(|number| (at(4_000 + number * 2), others[number % others.len()]));
    let all: Vec<_> = expected.iter().copied().chain(loud).collect();
    seed_posts(&pool, &all).await;

    expected.sort();
    let expected: Vec<_> = expected.iter().rev().map(|(id, _)| id.to_string()).collect();
    assert_eq!(expected.len(), 435);
    for limit in [7, 20, 29, 30, 31, 100] {
        let ids = world.all(&viewer, "/feed", limit, "/id").await;
        assert_eq!(
            ids.iter().collect::<HashSet<_>>().len(),
            ids.len(),
            "limit {limit}: repeated"
        );
        assert_eq!(ids, expected, "limit {limit}");
    }
}

/// An id of that millisecond; different for each call.
fn at(milliseconds: usize) -> Uuid {
    let low = Uuid::new_v4().as_u128() & ((1 << 76) - 1);
    Uuid::from_u128(((1_700_000_000_000 + milliseconds as u128) << 80) | (7 << 76) | low)
}

async fn seed_authors(pool: &PgPool, count: usize) -> Vec<Uuid> {
    let ids: Vec<_> = (0..count).map(|_| Uuid::now_v7()).collect();
    sqlx::query("insert into profiles (id) select unnest($1::uuid[])")
        .bind(&ids)
        .execute(pool)
        .await
        .unwrap();
    ids
}

async fn seed_posts(pool: &PgPool, posts: &[(Uuid, Uuid)]) {
    let (ids, authors): (Vec<_>, Vec<_>) = posts.iter().copied().unzip();
    sqlx::query("insert into posts (id, author_id, body) select id, author, 'seeded' from unnest($1::uuid[], $2::uuid[]) as p (id, author)")
        .bind(&ids)
        .bind(&authors)
        .execute(pool)
        .await
        .unwrap();
    sqlx::query("insert into post_counters (post_id) select id from posts")
        .execute(pool)
        .await
        .unwrap();
    sqlx::query(
        "insert into author_activity (author_id, posts_count, last_post_id)
         select author_id, count(*), (array_agg(id order by id desc))[1] from posts group by author_id",
    )
    .execute(pool)
    .await
    .unwrap();
}
