//! Accounts, follows and posts for the measurement.

use anyhow::Context;
use sqlx::PgPool;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

/// Rows a statement.
const BATCH: usize = 10_000;
const TEXT: &str =
    "Four score and seven posts ago our fathers brought forth on this platform a new thread, conceived in haste.";

/// How much of everything.
pub(crate) struct Shape {
    pub(crate) following: u32,
    pub(crate) posts: u32,
    pub(crate) other_posts: u32,
}

/// What was written, for its removal.
pub(crate) struct Seed {
    accounts: Vec<Uuid>,
}

impl Shape {
    pub(crate) fn total(&self) -> u32 {
        2 * self.following * self.posts + self.other_posts
    }
}

impl Seed {
    /// Lively accounts and everyone else post during the last 30 days, quiet ones during the 30 days before.
    pub(crate) async fn sow(pool: &PgPool, shape: &Shape, lively: Uuid, quiet: Uuid) -> anyhow::Result<Self> {
        let now = OffsetDateTime::now_utc();
        let month = Duration::days(30);
        let make = |count: u32| (0..count).map(|_| Uuid::now_v7()).collect::<Vec<_>>();
        let (of_lively, of_quiet, others) = (make(shape.following), make(shape.following), make(4_000));
        let accounts = [of_lively.clone(), of_quiet.clone(), others.clone()].concat();
        insert_accounts(pool, &accounts).await?;
        let seed = Self { accounts };
        for (viewer, followed) in [(lively, &of_lively), (quiet, &of_quiet)] {
            insert_follows(pool, viewer, followed).await?;
        }

        let written = |count: u32, by: &[Uuid], from: OffsetDateTime| {
            let step = month / count.max(1);
            let authors = by.iter().copied().cycle().take(count as usize).collect::<Vec<_>>();
            (0..count)
                .map(move |n| id_at(from + step * n))
                .zip(authors)
                .collect::<Vec<_>>()
        };
        let mut posts = written(shape.following * shape.posts, &of_quiet, now - month * 2);
        posts.extend(written(shape.following * shape.posts, &of_lively, now - month));
        posts.extend(written(shape.other_posts, &others, now - month));
        // In the order of time, as they would have been written.
        posts.sort();
        for batch in posts.chunks(BATCH) {
            insert_posts(pool, batch).await?;
        }
        sqlx::query(
            "insert into author_activity (author_id, posts_count, last_post_id)
             select author_id, count(*), (array_agg(id order by id desc))[1]
             from posts where author_id = any ($1) group by author_id",
        )
        .bind(&seed.accounts)
        .execute(pool)
        .await?;
        Ok(seed)
    }

    pub(crate) async fn remove(self, pool: &PgPool) -> anyhow::Result<()> {
        for some in self.accounts.chunks(100) {
            for statement in [
                "delete from follows where followee_id = any ($1)",
                "delete from posts where author_id = any ($1)",
                "delete from author_activity where author_id = any ($1)",
                "delete from profiles where id = any ($1)",
            ] {
                sqlx::query(statement)
                    .bind(some)
                    .execute(pool)
                    .await
                    .context(statement)?;
            }
        }
        Ok(())
    }
}

/// An id of that time.
fn id_at(time: OffsetDateTime) -> Uuid {
    let milliseconds = u128::try_from(time.unix_timestamp_nanos() / 1_000_000).unwrap_or_default();
    let low = Uuid::new_v4().as_u128() & ((1 << 76) - 1);
    Uuid::from_u128((milliseconds << 80) | (7 << 76) | low)
}

async fn insert_accounts(pool: &PgPool, accounts: &[Uuid]) -> anyhow::Result<()> {
    sqlx::query("insert into profiles (id, display_name) select id, 'Benchmark' from unnest($1::uuid[]) as a (id)")
        .bind(accounts)
        .execute(pool)
        .await?;
    Ok(())
}

async fn insert_follows(pool: &PgPool, viewer: Uuid, followed: &[Uuid]) -> anyhow::Result<()> {
    let ids: Vec<_> = followed.iter().map(|_| Uuid::now_v7()).collect();
    sqlx::query(
        "insert into follows (id, follower_id, followee_id)
         select id, $1, followee from unnest($2::uuid[], $3::uuid[]) as f (id, followee)",
    )
    .bind(viewer)
    .bind(ids)
    .bind(followed)
    .execute(pool)
    .await?;
    Ok(())
}

async fn insert_posts(pool: &PgPool, posts: &[(Uuid, Uuid)]) -> anyhow::Result<()> {
    let (ids, authors): (Vec<_>, Vec<_>) = posts.iter().copied().unzip();
    sqlx::query(
        "with post as (
             insert into posts (id, author_id, body)
             select id, author, $3 from unnest($1::uuid[], $2::uuid[]) as p (id, author) returning id
         )
         insert into post_counters (post_id) select id from post",
    )
    .bind(ids)
    .bind(authors)
    .bind(TEXT)
    .execute(pool)
    .await?;
    Ok(())
}
