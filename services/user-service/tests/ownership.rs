//! What is one's own can be taken back, whether one still sees what it hangs on or not.

use serde_json::json;

use crate::support::{User, World};

/// How the post's author went out of sight.
#[derive(Clone, Copy, Debug)]
enum Hidden {
    BlockedByAuthor,
    BlockedAuthor,
    TurnedPrivate,
    BeingDeleted,
}

const HIDDEN: [Hidden; 4] = [
    Hidden::BlockedByAuthor,
    Hidden::BlockedAuthor,
    Hidden::TurnedPrivate,
    Hidden::BeingDeleted,
];

/// A like and a comment of `fan` on a post of `author`, who then goes out of sight.
async fn hidden_post(world: &World, author: &User, fan: &User, how: Hidden) -> (String, String) {
    let post = format!("/posts/{}", world.publish(author, "see it while you can").await);
    world.put(fan, &format!("{post}/like")).await.expect(204);
    let said = world
        .post(fan, &format!("{post}/comments"), &json!({ "text": "regrettable" }))
        .await
        .expect(201);
    match how {
        Hidden::BlockedByAuthor => world.block(author, fan).await,
        Hidden::BlockedAuthor => world.block(fan, author).await,
        Hidden::TurnedPrivate => world.make_private(author).await,
        Hidden::BeingDeleted => {
            // As a deletion leaves it between its first transaction and the next.
            sqlx::query("update profiles set username = null, private = true where id = $1")
                .bind(author.id)
                .execute(&world.database())
                .await
                .unwrap();
        }
    }
    world.get(fan, &post).await.problem(404, "not_found");
    (post, format!("/comments/{}", said.id()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_like_and_a_comment_are_taken_back_from_a_post_out_of_sight() {
    let world = World::start().await;
    for (number, how) in HIDDEN.into_iter().enumerate() {
        let author = world.user(&format!("author_{number}")).await;
        let [fan, other] = [
            world.user(&format!("fan_{number}")).await,
            world.user(&format!("other_{number}")).await,
        ];
        let (post, comment) = hidden_post(&world, &author, &fan, how).await;
        let like = format!("{post}/like");
        // What is not one's own stays as if it were not there.
        if matches!(how, Hidden::TurnedPrivate | Hidden::BeingDeleted) {
            world.delete(&other, &comment).await.problem(404, "not_found");
            world.delete(&other, &like).await.problem(404, "not_found");
        }
        assert_eq!(world.delete(&fan, &comment).await.status, 204, "{how:?} comment");
        assert_eq!(world.delete(&fan, &like).await.status, 204, "{how:?} like");
        // Nothing of one's own is left to take back.
        world.delete(&fan, &comment).await.problem(404, "not_found");
        world.delete(&fan, &like).await.problem(404, "not_found");
        let seen = world.get(&author, &post).await.expect(200);
        assert_eq!([seen.number("/likes_count"), seen.number("/comments_count")], [0, 0]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_blocked_blocks_back_and_stays_safe() {
    let world = World::start().await;
    let [ada, bob] = world.users(["ada", "bob"]).await;
    world.block(&ada, &bob).await;
    for _ in 0..2 {
        world.put(&bob, "/users/ada/block").await.expect(204);
    }
    assert_eq!(world.all(&bob, "/blocks", 20, "/user/username").await, ["ada"]);
    // One block ends; the other one goes on.
    world.delete(&ada, "/users/bob/block").await.expect(204);
    world.get(&ada, "/users/bob").await.problem(404, "not_found");
    world.get(&bob, "/users/ada").await.problem(404, "not_found");
    // Ending a block is answered alike, however often and whoever else blocks.
    world.block(&ada, &bob).await;
    for _ in 0..2 {
        world.delete(&bob, "/users/ada/block").await.expect(204);
    }
    world.get(&bob, "/users/ada").await.problem(404, "not_found");
    world.put(&bob, "/users/nobody/block").await.problem(404, "not_found");
}
