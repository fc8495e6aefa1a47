//! Counters are exact whatever happens at the same time.

use std::time::Duration;

use futures::future::join_all;
use reqwest::StatusCode;
use serde_json::json;

use crate::support::{User, World};

async fn crowd(world: &World, size: usize) -> Vec<User> {
    join_all((0..size).map(|number| async move { world.user(&format!("user_{number}")).await })).await
}

#[tokio::test(flavor = "multi_thread")]
async fn many_follow_and_unfollow_one() {
    let world = World::start().await;
    let star = world.user("star").await;
    let fans = crowd(&world, 20).await;
    join_all(
        fans.iter()
            .flat_map(|fan| [world.follow(fan, &star), world.follow(fan, &star)]),
    )
    .await;
    assert_eq!(world.counts(&star).await, [20, 0, 0]);
    join_all(fans.iter().take(15).map(|fan| world.delete(fan, "/users/star/follow"))).await;
    assert_eq!(world.counts(&star).await, [5, 0, 0]);
    assert_eq!(
        world.all(&star, "/users/star/followers", 100, "/user/id").await.len(),
        5
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn everyone_follows_everyone_without_a_deadlock() {
    let world = World::start().await;
    let users = crowd(&world, 6).await;
    let pairs = users.iter().flat_map(|one| users.iter().map(move |other| (one, other)));
    let follows = pairs
        .filter(|(one, other)| one.id != other.id)
        .map(|(one, other)| world.follow(one, other));
    assert!(join_all(follows).await.iter().all(|state| state == "following"));
    for user in &users {
        assert_eq!(world.counts(user).await, [5, 5, 0]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follow_and_a_block_never_pass_each_other() {
    let world = World::start().await;
    let [ada, bob] = world.users(["ada", "bob"]).await;
    for _ in 0..20 {
        let block = world.block(&ada, &bob);
        let follow = world.put(&bob, "/users/ada/follow");
        let back = world.put(&ada, "/users/bob/follow");
        let (follow, back, ()) = futures::join!(follow, back, block);
        for answer in [follow, back] {
            assert!(
                matches!(answer.status, StatusCode::OK | StatusCode::NOT_FOUND),
                "{answer:?}"
            );
        }
        assert_eq!(world.counts(&ada).await, [0, 0, 0]);
        assert_eq!(world.counts(&bob).await, [0, 0, 0]);
        world.delete(&ada, "/users/bob/block").await.expect(204);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_like_unlike_and_comment_at_once() {
    let world = World::start().await;
    let ada = world.user("ada").await;
    let post = format!("/posts/{}", world.publish(&ada, "popular").await);
    let (like, comments) = (format!("{post}/like"), format!("{post}/comments"));
    let fans = crowd(&world, 20).await;
    let text = json!({ "text": "me too" });
    let likes = join_all(
        fans.iter()
            .flat_map(|fan| [world.put(fan, &like), world.put(fan, &like)]),
    );
    let said = join_all(fans.iter().map(|fan| world.post(fan, &comments, &text)));
    let (likes, said) = futures::join!(likes, said);
    assert!(likes.iter().all(|answer| answer.status == StatusCode::NO_CONTENT));
    assert!(said.iter().all(|answer| answer.status == StatusCode::CREATED));
    join_all(
        fans.iter()
            .take(7)
            .flat_map(|fan| [world.delete(fan, &like), world.delete(fan, &like)]),
    )
    .await;
    let seen = world.get(&ada, &post).await;
    assert_eq!([seen.number("/likes_count"), seen.number("/comments_count")], [13, 20]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_post_is_deleted_while_it_is_liked_and_commented() {
    let world = World::start().await;
    let ada = world.user("ada").await;
    let fans = crowd(&world, 6).await;
    let text = json!({ "text": "x" });
    for _ in 0..5 {
        let post = format!("/posts/{}", world.publish(&ada, "short-lived").await);
        let (like, comments) = (format!("{post}/like"), format!("{post}/comments"));
        let likes = join_all(fans.iter().map(|fan| world.put(fan, &like)));
        let said = join_all(fans.iter().map(|fan| world.post(fan, &comments, &text)));
        let (likes, said, gone) = futures::join!(likes, said, world.delete(&ada, &post));
        gone.expect(204);
        for answer in likes.into_iter().chain(said) {
            let expected = [StatusCode::NO_CONTENT, StatusCode::CREATED, StatusCode::NOT_FOUND];
            assert!(expected.contains(&answer.status), "{answer:?}");
        }
    }
    assert_eq!(world.counts(&ada).await, [0, 0, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn posts_are_counted_while_others_are_deleted() {
    let world = World::start().await;
    let ada = world.user("ada").await;
    let posts = join_all((0..10).map(|_| world.publish(&ada, "first"))).await;
    let gone = join_all(posts.iter().map(|post| {
        let (world, ada) = (&world, &ada);
        async move { world.delete(ada, &format!("/posts/{post}")).await.expect(204) }
    }));
    let new = join_all((0..10).map(|_| world.publish(&ada, "second")));
    futures::join!(gone, new);
    assert_eq!(world.counts(&ada).await, [0, 0, 10]);
    assert_eq!(world.all(&ada, "/users/me/posts", 3, "/text").await, ["second"; 10]);
    let stale: i64 = sqlx::query_scalar(
        "select count(*) from author_activity a
         where greatest(last_post_id, (select last_post_id from author_deltas where author_id = a.author_id
                                       order by last_post_id desc limit 1)) is distinct from (select id from posts where author_id = a.author_id order by id desc limit 1)",
    )
    .fetch_one(&world.database())
    .await
    .unwrap();
    assert_eq!(stale, 0, "the newest post is not the one that is noted");
}

#[tokio::test(flavor = "multi_thread")]
async fn turning_public_meets_new_requests() {
    let world = World::start().await;
    let ada = world.user("ada").await;
    world.make_private(&ada).await;
    let fans = crowd(&world, 10).await;
    join_all(fans.iter().take(5).map(|fan| world.follow(fan, &ada))).await;
    let public = json!({ "private": false });
    let late = join_all(fans.iter().skip(5).map(|fan| world.follow(fan, &ada)));
    let (_, public) = futures::join!(late, world.patch(&ada, "/users/me", &public));
    public.expect(200);
    // Whoever asked before is accepted, whoever came after follows at once, and whoever asked meanwhile is accepted soon.
    let accepting = async {
        while world.counts(&ada).await != [10, 0, 0] {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let accepted = tokio::time::timeout(Duration::from_secs(30), accepting).await;
    assert!(accepted.is_ok(), "{:?}", world.counts(&ada).await);
    assert!(world.all(&ada, "/follow-requests", 20, "/user/id").await.is_empty());
}
