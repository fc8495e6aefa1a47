//! What is told of profiles, posts and relations: with the change, and what it came to.

use serde_json::{Value, json};

use crate::support::World;

/// Types and bodies, the latter with what a test cannot know taken out.
fn plain(events: Vec<(String, Value)>) -> Vec<(String, Value)> {
    let without = |(kind, mut body): (String, Value)| {
        if let Some(fields) = body.as_object_mut() {
            fields.remove("created_at");
        }
        (kind, body)
    };
    events.into_iter().map(without).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_change_is_told_with_what_it_came_to() {
    let world = World::start().await;
    let told = world.told().await;
    let [ada, bob] = [world.user("ada").await, world.user("bob").await];
    let profile = |id, username: Option<&str>, private| {
        let body = json!({"account_id": id, "username": username, "display_name": "", "bio": "", "private": private});
        ("nova.profiles.changed.v1".to_owned(), body)
    };
    assert_eq!(
        plain(told.events().await),
        [
            profile(ada.id, None, false),
            profile(ada.id, Some("ada"), false),
            profile(bob.id, None, false),
            profile(bob.id, Some("bob"), false),
        ]
    );

    let relation = |from, to, follows, requested, blocks| {
        let body = json!({"from": from, "to": to, "follows": follows, "requested": requested, "blocks": blocks, "mutes": false});
        ("nova.graph.relation.v1".to_owned(), body)
    };
    world.make_private(&bob).await;
    world.follow(&ada, &bob).await;
    world
        .patch(&bob, "/users/me", &json!({"private": false}))
        .await
        .expect(200);
    assert_eq!(
        plain(told.events().await),
        [
            profile(bob.id, Some("bob"), true),
            relation(ada.id, bob.id, false, true, false),
            relation(ada.id, bob.id, true, false, false),
            profile(bob.id, Some("bob"), false),
        ]
    );
    world.block(&bob, &ada).await;
    let mut blocked = plain(told.events().await);
    blocked.sort_by_key(|(_, body)| body["blocks"] == json!(false));
    assert_eq!(
        blocked,
        [
            relation(bob.id, ada.id, false, false, true),
            relation(ada.id, bob.id, false, false, false),
        ]
    );

    let id = world.publish(&ada, "Hello").await;
    world.delete(&ada, &format!("/posts/{id}")).await.expect(204);
    assert_eq!(
        plain(told.events().await),
        [
            (
                "nova.posts.published.v1".to_owned(),
                json!({"post_id": id, "author_id": ada.id, "text": "Hello"})
            ),
            (
                "nova.posts.removed.v1".to_owned(),
                json!({"post_id": id, "author_id": ada.id})
            ),
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_deleted_account_everything_is_told_to_be_gone() {
    let world = World::start().await;
    let [ada, bob] = world.users(["ada", "bob"]).await;
    world.follow(&bob, &ada).await;
    let post = world.publish(&ada, "Hello").await;
    let told = world.told().await;
    world.delete_account_wholly(ada.id).await;
    let events = plain(told.events().await);
    for wanted in [
        ("nova.posts.removed.v1", json!({"post_id": post, "author_id": ada.id})),
        (
            "nova.graph.relation.v1",
            json!({"from": bob.id, "to": ada.id, "follows": false, "requested": false, "blocks": false, "mutes": false}),
        ),
    ] {
        let wanted = (wanted.0.to_owned(), wanted.1);
        assert!(events.contains(&wanted), "{wanted:?} is not among {events:?}");
    }
    let last = ("nova.profiles.removed.v1".to_owned(), json!({"account_id": ada.id}));
    assert_eq!(events.last(), Some(&last));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_is_not_told() {
    let world = World::start().await;
    let [ada, _] = world.users(["ada", "bob"]).await;
    let told = world.told().await;
    world
        .patch(&ada, "/users/me", &json!({"username": "bob"}))
        .await
        .expect(409);
    assert_eq!(told.events().await, []);
}
