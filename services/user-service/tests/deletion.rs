//! Deleting everything of an account when auth-service asks for it.

use futures::future::join_all;
use nova_service::{EraseAccounts, ReadAccounts};
use reqwest::{Method, StatusCode};
use serde_json::json;
use uuid::Uuid;

use crate::support::{Answer, User, World};

/// Rows that name an account anywhere, beside its tombstone.
async fn rows_of(world: &World, account: Uuid) -> i64 {
    sqlx::query_scalar(
        "select (select count(*) from profiles where id = $1)
              + (select count(*) from posts where author_id = $1)
              + (select count(*) from author_activity where author_id = $1)
              + (select count(*) from comments where author_id = $1)
              + (select count(*) from likes where account_id = $1)
              + (select count(*) from follows where $1 in (follower_id, followee_id))
              + (select count(*) from follow_requests where $1 in (requester_id, target_id))
              + (select count(*) from blocks where $1 in (blocker_id, blocked_id))
              + (select count(*) from idempotency_keys where account = $1)",
    )
    .bind(account)
    .fetch_one(&world.database())
    .await
    .unwrap()
}

/// Every counter says what is there.
async fn counters_are_right(world: &World) {
    let wrong: i64 = sqlx::query_scalar(
        "select (select count(*) from profiles p
                 where followers_count <> (select count(*) from follows where followee_id = p.id)
                    or following_count <> (select count(*) from follows where follower_id = p.id))
              + (select count(*) from post_counters c
                 where likes_count + (select coalesce(sum(likes), 0) from post_deltas where post_id = c.post_id)
                       <> (select count(*) from likes where post_id = c.post_id)
                    or comments_count + (select coalesce(sum(comments), 0) from post_deltas where post_id = c.post_id)
                       <> (select count(*) from comments where post_id = c.post_id))
              + (select count(*) from author_activity a
                 where posts_count + (select count(*) from author_deltas where author_id = a.author_id)
                       <> (select count(*) from posts where author_id = a.author_id)
                    or greatest(last_post_id, (select last_post_id from author_deltas where author_id = a.author_id
                                               order by last_post_id desc limit 1)) is distinct from
                       (select id from posts where author_id = a.author_id order by id desc limit 1))",
    )
    .fetch_one(&world.database())
    .await
    .unwrap();
    assert_eq!(wrong, 0, "counters are wrong");
}

async fn crowd(world: &World, size: usize) -> Vec<User> {
    join_all((0..size).map(|number| async move { world.user(&format!("user_{number}")).await })).await
}

/// Ada does everything that one can do, to and with bob and cleo.
async fn live(world: &World, [ada, bob, cleo]: &[User; 3]) {
    let text = json!({ "text": "hello" });
    for user in [ada, bob] {
        for _ in 0..3 {
            world.publish(user, "post").await;
        }
    }
    let with_key = world.request(Method::POST, "/posts").bearer_auth(&ada.token);
    Answer::of(with_key.header("idempotency-key", "one").json(&text))
        .await
        .expect(201);
    for (who, whose) in [(ada, bob), (bob, ada), (cleo, ada), (cleo, bob), (ada, ada)] {
        for post in world.all(who, &format!("/users/{}/posts", whose.id), 10, "/id").await {
            world.put(who, &format!("/posts/{post}/like")).await.expect(204);
            for _ in 0..2 {
                world
                    .post(who, &format!("/posts/{post}/comments"), &text)
                    .await
                    .expect(201);
            }
        }
    }
    for (who, whom) in [(ada, bob), (bob, ada), (cleo, ada), (bob, cleo)] {
        assert_eq!(world.follow(who, whom).await, "following");
    }
    let [private, asking, enemy, victim] = world.users(["private", "asking", "enemy", "victim"]).await;
    world.make_private(&private).await;
    assert_eq!(world.follow(ada, &private).await, "requested");
    world.block(&enemy, ada).await;
    world.block(ada, &victim).await;
    world.make_private(ada).await;
    assert_eq!(world.follow(&asking, ada).await, "requested");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_and_everyone_elses_counters_are_right() {
    let world = World::start().await;
    let users = world.users(["ada", "bob", "cleo"]).await;
    live(&world, &users).await;
    let [ada, bob, cleo] = &users;
    assert!(rows_of(&world, ada.id).await > 30);
    counters_are_right(&world).await;

    world.delete_account_wholly(ada.id).await;
    assert_eq!(rows_of(&world, ada.id).await, 0);
    counters_are_right(&world).await;
    assert_eq!(world.counts(bob).await, [0, 1, 3]);
    assert_eq!(world.counts(cleo).await, [1, 0, 0]);
    let posts = world.all(cleo, &format!("/users/{}/posts", bob.id), 10, "/id").await;
    for post in posts {
        let post = world.get(cleo, &format!("/posts/{post}")).await.expect(200);
        assert_eq!([post.number("/likes_count"), post.number("/comments_count")], [1, 2]);
    }
    for path in [format!("/users/{}", ada.id), "/users/ada".to_owned()] {
        world.get(bob, &path).await.problem(404, "not_found");
    }
    // The name is free, and the same account is not: it is deleted again without an error.
    world.user("ada").await;
    for _ in 0..2 {
        world.delete_account(ada.id).await.expect(204);
    }
    world.delete_account(Uuid::now_v7()).await.expect(204);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_outlives_its_account_makes_no_profile() {
    let world = World::start().await;
    let [ada, bob] = world.users(["ada", "bob"]).await;
    let post = world.publish(&bob, "hello").await;
    let stranger = world.stranger();
    for user in [&ada, &stranger] {
        world.delete_account_wholly(user.id).await;
        world.get(user, "/users/me").await.problem(401, "invalid_token");
        world.get(user, "/feed").await.problem(401, "invalid_token");
        world
            .post(user, "/posts", &json!({ "text": "x" }))
            .await
            .problem(401, "invalid_token");
        world
            .put(user, &format!("/posts/{post}/like"))
            .await
            .problem(401, "invalid_token");
        world.put(user, "/users/bob/follow").await.problem(401, "invalid_token");
        world
            .get(&bob, &format!("/users/{}", user.id))
            .await
            .problem(404, "not_found");
        assert_eq!(rows_of(&world, user.id).await, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_knows_the_profile_learns_of_the_deletion_and_writes_nothing_until_then() {
    let world = World::start().await;
    let [ada, bob] = world.users(["ada", "bob"]).await;
    let post = world.publish(&bob, "hello").await;
    let other = world.another_member().await;
    let send = |method: Method, path: &str| {
        let request = other.client.request(method, other.url(&format!("/api/v1{path}")));
        request.bearer_auth(&ada.token).json(&json!({ "text": "x" }))
    };
    Answer::of(send(Method::GET, "/users/me")).await.expect(200);
    world.delete_account_wholly(ada.id).await;
    let (like, comment) = (format!("/posts/{post}/like"), format!("/posts/{post}/comments"));
    let mut refused = false;
    let learning = async {
        while !refused {
            for (method, path) in [
                (Method::POST, "/posts"),
                (Method::PUT, &*like),
                (Method::POST, &*comment),
                (Method::PUT, "/users/bob/follow"),
                (Method::PUT, "/users/bob/block"),
                (Method::GET, "/feed"),
                (Method::GET, "/users/me"),
            ] {
                let answer = Answer::of(send(method.clone(), path)).await;
                let fits = [200, 401, 404].contains(&answer.status.as_u16());
                assert!(
                    fits && (method == Method::GET || answer.status != 200),
                    "{method} {path}: {answer:?}"
                );
            }
            refused = Answer::of(send(Method::GET, "/feed")).await.status == 401;
        }
    };
    let learnt = tokio::time::timeout(std::time::Duration::from_secs(20), learning).await;
    assert!(learnt.is_ok(), "the other member never learnt of it");
    assert_eq!(rows_of(&world, ada.id).await, 0);
    counters_are_right(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn much_is_deleted_in_parts_and_a_call_that_was_cut_off_is_repeated() {
    let world = World::start().await;
    let [ada, bob] = world.users(["ada", "bob"]).await;
    let (popular, other) = (world.publish(&ada, "popular").await, world.publish(&bob, "other").await);
    // More than any one batch takes, of each kind.
    let seed = "
        insert into profiles (id) select gen_random_uuid() from generate_series(1, 1500);
        insert into follows (id, follower_id, followee_id)
            select gen_random_uuid(), id, '$ada' from profiles where id not in ('$ada', '$bob');
        insert into follows (id, follower_id, followee_id)
            select gen_random_uuid(), '$ada', id from profiles where id not in ('$ada', '$bob') limit 700;
        insert into likes (post_id, account_id, id)
            select '$popular', id, gen_random_uuid() from profiles where id <> '$ada';
        insert into comments (id, post_id, author_id, body)
            select gen_random_uuid(), post, author, 'x' from generate_series(1, 500),
                (values ('$popular'::uuid, '$bob'::uuid), ('$other', '$ada')) as said (post, author);
        insert into posts (id, author_id, body) select gen_random_uuid(), '$ada', 'x' from generate_series(1, 300);
        insert into post_counters (post_id) select id from posts on conflict do nothing;
        update author_activity a set posts_count = (select count(*) from posts where author_id = a.author_id),
            last_post_id = (select id from posts where author_id = a.author_id order by id desc limit 1);
        update post_counters c set likes_count = (select count(*) from likes where post_id = c.post_id),
            comments_count = (select count(*) from comments where post_id = c.post_id);
        update profiles p set followers_count = (select count(*) from follows where followee_id = p.id),
            following_count = (select count(*) from follows where follower_id = p.id);";
    let seed = seed
        .replace("$ada", &ada.id.to_string())
        .replace("$bob", &bob.id.to_string())
        .replace("$popular", &popular)
        .replace("$other", &other);
    sqlx::raw_sql(sqlx::AssertSqlSafe(seed))
        .execute(&world.database())
        .await
        .unwrap();
    counters_are_right(&world).await;

    // Callers that do not wait for their answers, and several at once.
    let token = world.issuer.service_token::<EraseAccounts>("auth-service");
    for _ in 0..5 {
        let request = || world.request(Method::DELETE, &format!("/internal/accounts/{}", ada.id));
        let impatient = |millis| {
            let request = request().bearer_auth(&token);
            request.timeout(std::time::Duration::from_millis(millis)).send()
        };
        let _ = join_all([5, 20, 50].map(impatient)).await;
        counters_are_right(&world).await;
    }
    world.get(&ada, "/users/me").await.problem(401, "invalid_token");
    world.delete_account_wholly(ada.id).await;
    assert_eq!(rows_of(&world, ada.id).await, 0);
    counters_are_right(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn progress_is_no_error_and_goes_on_without_being_asked() {
    let world = World::start().await;
    let ada = world.user("ada").await;
    let fan = world.user("fan").await;
    let post = world.publish(&fan, "hello").await;
    world.put(&ada, &format!("/posts/{post}/like")).await.expect(204);
    let seed = format!(
        "insert into posts (id, author_id, body) select gen_random_uuid(), '{}', 'x' from generate_series(1, 60000);
         insert into post_counters (post_id) select id from posts on conflict do nothing;",
        ada.id
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(seed))
        .execute(&world.database())
        .await
        .unwrap();
    let answer = world.delete_account(ada.id).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    assert_eq!(answer.header("retry-after"), "1");
    assert_eq!(answer.body, json!({ "status": "erasing" }));
    // Nobody calls again: a caller of the version before takes any success for the end.
    let finishing = async {
        while rows_of(&world, ada.id).await > 0 {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    let done = tokio::time::timeout(std::time::Duration::from_secs(60), finishing).await;
    assert!(done.is_ok(), "the deletion does not go on by itself");
    world.delete_account(ada.id).await.expect(204);
}

#[tokio::test(flavor = "multi_thread")]
async fn friends_are_deleted_at_the_same_time_without_a_deadlock() {
    let world = World::start().await;
    let users = crowd(&world, 6).await;
    let text = json!({ "text": "me too" });
    for user in &users {
        world.publish(user, "hello").await;
    }
    for (one, other) in users.iter().flat_map(|one| users.iter().map(move |other| (one, other))) {
        let post = &world.all(one, &format!("/users/{}/posts", other.id), 1, "/id").await[0];
        world.put(one, &format!("/posts/{post}/like")).await.expect(204);
        world
            .post(one, &format!("/posts/{post}/comments"), &text)
            .await
            .expect(201);
        if one.id != other.id {
            world.follow(one, other).await;
        }
    }
    let (gone, stay) = users.split_at(4);
    // Those who stay go on liking, following and leaving meanwhile.
    let busy = stay.iter().flat_map(|user| {
        let world = &world;
        gone.iter().map(move |whom| async move {
            for method in [Method::DELETE, Method::PUT] {
                let request = world.request(method, &format!("/users/{}/follow", whom.id));
                let answer = Answer::of(request.bearer_auth(&user.token)).await;
                assert!(answer.status != StatusCode::INTERNAL_SERVER_ERROR, "{answer:?}");
            }
        })
    });
    let deletions = gone.iter().map(|user| world.delete_account_wholly(user.id));
    futures::join!(join_all(busy), join_all(deletions));
    for user in gone {
        assert_eq!(rows_of(&world, user.id).await, 0);
    }
    counters_are_right(&world).await;
    for user in stay {
        assert_eq!(world.counts(user).await, [1, 1, 1]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_services_may() {
    let world = World::start().await;
    let [ada, bob] = world.users(["ada", "bob"]).await;
    let send = |path: &str, token: &str| Answer::of(world.request(Method::DELETE, path).bearer_auth(token));
    let path = format!("/internal/accounts/{}", bob.id);
    Answer::of(world.request(Method::DELETE, &path))
        .await
        .problem(401, "unauthorized");
    send(&path, &ada.token).await.problem(401, "invalid_token");
    send(&path, &bob.token).await.problem(401, "invalid_token");
    let expired = world
        .issuer
        .service_token_with::<EraseAccounts>("auth-service", |claims| claims.exp -= 1000);
    send(&path, &expired).await.problem(401, "token_expired");
    for wrong in [
        world
            .issuer
            .service_token_with::<EraseAccounts>("auth-service", |claims| claims.iss = "https://elsewhere".to_owned()),
        world.issuer.service_token::<EraseAccounts>(""),
        world.issuer.service_token::<EraseAccounts>("Not A Service"),
        world.issuer.service_token::<EraseAccounts>(&"x".repeat(65)),
    ] {
        send(&path, &wrong).await.problem(401, "invalid_token");
    }
    // One that was received here opens nothing elsewhere, one for elsewhere opens nothing here, and neither does one for something else.
    let elsewhere = world.issuer.service_token::<ReadAccounts>("auth-service");
    send(&path, &elsewhere).await.problem(401, "invalid_token");
    for scope in ["", "accounts", "accounts.read"] {
        let other = world
            .issuer
            .service_token_with::<EraseAccounts>("auth-service", |claims| claims.scope = scope.to_owned());
        send(&path, &other).await.problem(403, "insufficient_scope");
    }
    world.get(&ada, "/users/bob").await.expect(200);

    let service = world.issuer.service_token::<EraseAccounts>("auth-service");
    for id in ["x", "bob", "%00", "0"] {
        send(&format!("/internal/accounts/{id}"), &service)
            .await
            .problem(404, "not_found");
    }
    // A service is nobody on the routes of people.
    for path in ["/users/me", "/feed", "/blocks"] {
        let answer = Answer::of(world.request(Method::GET, path).bearer_auth(&service)).await;
        answer.problem(401, "invalid_token");
    }
}
