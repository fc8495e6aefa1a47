//! Who sees what: every kind of viewer against every kind of account.

use serde_json::json;

use crate::support::{User, World};

/// How the viewer stands to the account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Viewer {
    Owner,
    Follower,
    /// Follows, or asked to when the account is private.
    Asker,
    Stranger,
    Blocked,
    Blocker,
}

const VIEWERS: [Viewer; 6] = [
    Viewer::Owner,
    Viewer::Follower,
    Viewer::Asker,
    Viewer::Stranger,
    Viewer::Blocked,
    Viewer::Blocker,
];

#[tokio::test(flavor = "multi_thread")]
async fn a_public_account_hides_only_behind_blocks() {
    matrix(false, |viewer| !matches!(viewer, Viewer::Blocked | Viewer::Blocker)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_account_opens_to_its_followers() {
    matrix(true, |viewer| matches!(viewer, Viewer::Owner | Viewer::Follower)).await;
}

async fn matrix(private: bool, opens_to: impl Fn(Viewer) -> bool) {
    let world = World::start().await;
    let account = world.user("account").await;
    let post = world.publish(&account, "a post").await;
    let comment = world
        .post(&account, &format!("/posts/{post}/comments"), &json!({ "text": "mine" }))
        .await;
    comment.expect(201);
    for viewer in VIEWERS {
        let user = relate(&world, &account, viewer, private).await;
        let known = !matches!(viewer, Viewer::Blocked | Viewer::Blocker);
        let profile = world.get(&user, "/users/account").await;
        assert_eq!(profile.status, if known { 200 } else { 404 }, "{viewer:?}");
        for path in [
            "/users/account/posts".to_owned(),
            "/users/account/followers".to_owned(),
            "/users/account/following".to_owned(),
            format!("/posts/{post}"),
            format!("/posts/{post}/comments"),
            format!("/posts/{post}/likes"),
        ] {
            let answer = world.get(&user, &path).await;
            assert_eq!(
                answer.status,
                if opens_to(viewer) { 200 } else { 404 },
                "{viewer:?} {path}"
            );
            if !opens_to(viewer) {
                answer.problem(404, "not_found");
            }
        }
        let like = world.put(&user, &format!("/posts/{post}/like")).await;
        assert_eq!(
            like.status,
            if opens_to(viewer) { 204 } else { 404 },
            "{viewer:?} likes"
        );
        let comments = format!("/posts/{post}/comments");
        let comment = world.post(&user, &comments, &json!({ "text": "x" })).await;
        assert_eq!(
            comment.status,
            if opens_to(viewer) { 201 } else { 404 },
            "{viewer:?} comments"
        );
        let in_feed = matches!(viewer, Viewer::Owner | Viewer::Follower) || (viewer == Viewer::Asker && !private);
        assert_eq!(world.feed(&user).await.len(), usize::from(in_feed), "{viewer:?} feed");
    }
}

/// A user who stands to the account as told, and is the only one to do so.
async fn relate(world: &World, account: &User, viewer: Viewer, private: bool) -> User {
    if viewer == Viewer::Owner {
        return account.clone();
    }
    let user = world.user(&format!("{viewer:?}")).await;
    if viewer == Viewer::Follower {
        world.follow(&user, account).await;
    }
    // From here on the account is as private as it will be.
    world
        .patch(account, "/users/me", &json!({ "private": private }))
        .await
        .expect(200);
    match viewer {
        Viewer::Asker => drop(world.follow(&user, account).await),
        Viewer::Blocked => world.block(account, &user).await,
        Viewer::Blocker => world.block(&user, account).await,
        _ => {}
    }
    user
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_unfollows_a_private_account_loses_sight_of_it() {
    let world = World::start().await;
    let [ada, bob] = world.users(["ada", "bob"]).await;
    world.follow(&bob, &ada).await;
    world.make_private(&ada).await;
    let post = world.publish(&ada, "for followers").await;
    world.get(&bob, &format!("/posts/{post}")).await.expect(200);
    world.delete(&bob, "/users/ada/follow").await.expect(204);
    world
        .get(&bob, &format!("/posts/{post}"))
        .await
        .problem(404, "not_found");
    assert!(world.feed(&bob).await.is_empty());
}
