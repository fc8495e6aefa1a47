//! What would take long is answered at once and goes on afterwards, a batch at a time.

use std::time::Duration;

use serde_json::json;
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use crate::support::{User, World};

const MANY: i32 = 5_000;

/// Runs statements with these names in place of `$ada` and `$post`.
async fn seed(world: &World, ada: &User, post: &str, sql: &str) {
    let sql = sql
        .replace("$ada", &ada.id.to_string())
        .replace("$post", post)
        .replace("$many", &MANY.to_string());
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql))
        .execute(&world.database())
        .await
        .unwrap();
}

const LIKED: &str = "
    insert into profiles (id) select gen_random_uuid() from generate_series(1, $many);
    insert into likes (post_id, account_id, id) select '$post', id, gen_random_uuid() from profiles;
    insert into comments (id, post_id, author_id, body)
        select gen_random_uuid(), '$post', id, 'x' from profiles limit 2000;
    update post_counters c set likes_count = (select count(*) from likes where post_id = c.post_id),
        comments_count = (select count(*) from comments where post_id = c.post_id);";

const ASKED: &str = "
    insert into profiles (id) select gen_random_uuid() from generate_series(1, $many);
    insert into follow_requests (id, requester_id, target_id)
        select gen_random_uuid(), id, '$ada' from profiles where id <> '$ada';";

/// Waits until a question has the answer, asked of the database itself.
async fn until(world: &World, question: &'static str, id: Uuid, expected: i64) {
    let pool = world.database();
    let asking = async {
        while sqlx::query_scalar::<_, i64>(question)
            .bind(id)
            .fetch_one(&pool)
            .await
            .unwrap()
            != expected
        {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let done = tokio::time::timeout(Duration::from_secs(60), asking).await;
    assert!(done.is_ok(), "{question} never came to {expected}");
}

/// A row that someone else holds for as long as this lives: whoever needs it in one transaction waits in vain.
async fn held(world: &World, lock: &'static str, id: Uuid) -> PgConnection {
    let mut connection = world.database().acquire().await.unwrap().detach();
    sqlx::raw_sql("begin").execute(&mut connection).await.unwrap();
    let locked = sqlx::query(lock).bind(id).fetch_all(&mut connection).await.unwrap();
    assert_eq!(locked.len(), 1);
    connection
}

#[tokio::test(flavor = "multi_thread")]
async fn a_post_with_many_likes_is_gone_at_once_and_its_likes_soon() {
    let world = World::start().await;
    let [ada, bob] = world.users(["ada", "bob"]).await;
    let id = world.publish(&ada, "popular").await;
    seed(&world, &ada, &id, LIKED).await;
    let (path, id) = (format!("/posts/{id}"), id.parse::<Uuid>().unwrap());
    let holder = held(&world, "select from likes where post_id = $1 limit 1 for update", id).await;

    world.delete(&ada, &path).await.expect(204);
    for path in [path.clone(), format!("{path}/likes"), format!("{path}/comments")] {
        world.get(&bob, &path).await.problem(404, "not_found");
    }
    world.put(&bob, &format!("{path}/like")).await.problem(404, "not_found");
    assert!(world.feed(&ada).await.is_empty());
    assert_eq!(world.counts(&ada).await, [0, 0, 0]);
    world.delete(&ada, &path).await.problem(404, "not_found");
    until(&world, "select count(*) from likes where post_id = $1", id, 1).await;
    holder.close().await.unwrap();
    until(
        &world,
        "select (select count(*) from likes where post_id = $1) + (select count(*) from comments where post_id = $1)
              + (select count(*) from post_counters where post_id = $1)
              + (select count(*) from removed_posts where post_id = $1)",
        id,
        0,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_member_left_undone_another_one_finishes() {
    let world = World::start().await;
    let ada = world.user("ada").await;
    let id = world.publish(&ada, "popular").await;
    seed(&world, &ada, &id, LIKED).await;
    // Removed by a member that ended at once: the database alone knows.
    let id = id.parse::<Uuid>().unwrap();
    sqlx::query("delete from posts where id = $1")
        .bind(id)
        .execute(&world.database())
        .await
        .unwrap();
    until(&world, "select count(*) from likes where post_id = $1", id, 0).await;
    until(&world, "select count(*) from removed_posts where post_id = $1", id, 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn turning_public_answers_at_once_and_accepts_all_who_asked() {
    let world = World::start().await;
    let [ada, bob] = world.users(["ada", "bob"]).await;
    world.make_private(&ada).await;
    seed(&world, &ada, "", ASKED).await;
    // Bob asked last, and something of his goes on for long.
    sqlx::query("update follow_requests set id = 'ffffffff-ffff-7fff-bfff-ffffffffffff' where requester_id = $1")
        .bind(bob.id)
        .execute(&world.database())
        .await
        .unwrap();
    let holder = held(&world, "select from profiles where id = $1 for no key update", bob.id).await;

    let public = world
        .patch(&ada, "/users/me", &json!({ "private": false }))
        .await
        .expect(200);
    assert!(!public.flag("/private"));
    holder.close().await.unwrap();
    let everyone = i64::from(MANY) + 1;
    until(
        &world,
        "select followers_count from profiles where id = $1",
        ada.id,
        everyone,
    )
    .await;
    until(
        &world,
        "select count(*) from follows where followee_id = $1",
        ada.id,
        everyone,
    )
    .await;
    until(
        &world,
        "select count(*) from follow_requests where target_id = $1",
        ada.id,
        0,
    )
    .await;
    assert_eq!(world.counts(&bob).await, [0, 1, 0]);
    until(
        &world,
        "select count(*) from acceptances where account_id = $1",
        ada.id,
        0,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn turning_private_again_stops_the_acceptance() {
    let world = World::start().await;
    let ada = world.user("ada").await;
    world.make_private(&ada).await;
    seed(&world, &ada, "", ASKED).await;
    for private in [false, true] {
        world
            .patch(&ada, "/users/me", &json!({ "private": private }))
            .await
            .expect(200);
    }
    until(
        &world,
        "select count(*) from acceptances where account_id = $1",
        ada.id,
        0,
    )
    .await;
    until(
        &world,
        "select (select count(*) from follow_requests where target_id = $1)
              + (select count(*) from follows where followee_id = $1)",
        ada.id,
        i64::from(MANY),
    )
    .await;
    let counted = world.counts(&ada).await[0];
    until(
        &world,
        "select count(*) from follows where followee_id = $1",
        ada.id,
        counted,
    )
    .await;
}
