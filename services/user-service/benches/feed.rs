//! Measures the home feed of a running platform, for accounts that follow 1,000 others.
//!
//! ```text
//! NOVA_BENCH_DATABASE_PASSWORD=$(./nova secrets show postgres-user-service) cargo bench -p user-service --bench feed
//! ```
//!
//! Two viewers, each with its own 1,000: *lively* ones post in the midst of everyone else, *quiet* ones stopped before the
//! newest posts of everyone else were written. The seed goes through SQL and is removed at the end. Requests are sent at
//! a steady rate, whether or not the ones before were answered, and timed from when they were due. Nothing asserts: the
//! table is for a person to read.

#[path = "feed/load.rs"]
mod load;
#[path = "feed/seed.rs"]
mod seed;

use std::time::Duration;

use anyhow::{Context, ensure};
use clap::Parser;
use serde_json::{Value, json};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions, PgSslMode};
use uuid::Uuid;

use load::Measured;
use seed::{Seed, Shape};

/// Measures the home feed of a running platform.
#[derive(Parser)]
struct Options {
    /// The gateway's address of user-service
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    url: String,
    /// The gateway's address of auth-service
    #[arg(long, default_value = "http://127.0.0.1:8084")]
    auth_url: String,
    /// The gateway's door to PostgreSQL's primary: host
    #[arg(long, default_value = "127.0.0.1")]
    database_host: String,
    /// The gateway's door to PostgreSQL's primary: port
    #[arg(long, default_value_t = 15432)]
    database_port: u16,
    /// Database
    #[arg(long, default_value = "nova_core")]
    database: String,
    /// Schema
    #[arg(long, default_value = "users")]
    schema: String,
    /// Role that writes the seed
    #[arg(long, default_value = "users_app")]
    role: String,
    /// Its password
    #[arg(
        long,
        env = "NOVA_BENCH_DATABASE_PASSWORD",
        hide_env_values = true,
        default_value = ""
    )]
    password: String,
    /// Accounts that each viewer follows
    #[arg(long, default_value_t = 1_000)]
    following: u32,
    /// Posts of each of them
    #[arg(long, default_value_t = 200)]
    posts: u32,
    /// Posts of everyone else
    #[arg(long, default_value_t = 200_000)]
    other_posts: u32,
    /// Requests a second
    #[arg(long, default_value_t = 50)]
    rate: u32,
    /// Seconds a measurement
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// Seconds between the seeding and the first measurement: a feed is not read in the minute in which all of it was
    /// written, with a checkpoint and vacuum after 600,000 rows under way
    #[arg(long, default_value_t = 60)]
    settle: u64,
    /// Leave the seed where it is
    #[arg(long)]
    keep: bool,
    /// Cargo passes it
    #[arg(long, hide = true)]
    bench: bool,
}

/// A logged-in account.
struct Viewer {
    id: Uuid,
    token: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let client = reqwest::Client::builder()
        .no_proxy()
        .timeout(Duration::from_secs(30))
        .build()?;
    let (lively, quiet) = (viewer(&client, &options).await?, viewer(&client, &options).await?);

    let connect = PgConnectOptions::new_without_pgpass()
        .host(&options.database_host)
        .port(options.database_port)
        .database(&options.database)
        .username(&options.role)
        .password(&options.password)
        .ssl_mode(PgSslMode::Disable)
        .options([("search_path", options.schema.as_str()), ("statement_timeout", "120s")]);
    let pool = PgPoolOptions::new().max_connections(1).connect_with(connect).await?;
    let shape = Shape {
        following: options.following,
        posts: options.posts,
        other_posts: options.other_posts,
    };
    eprintln!("seeding {} posts", shape.total());
    let seed = Seed::sow(&pool, &shape, lively.id, quiet.id).await?;

    eprintln!("waiting {} s for checkpoint and vacuum to settle", options.settle);
    tokio::time::sleep(Duration::from_secs(options.settle)).await;
    let measured = measure(&client, &options, &lively, &quiet).await;
    if !options.keep {
        eprintln!("removing the seed");
        seed.remove(&pool).await?;
    }
    println!(
        "feed of an account that follows {}, {} posts each, {} posts of others, {}/s for {} s",
        options.following, options.posts, options.other_posts, options.rate, options.seconds
    );
    println!(
        "{:<28}{:>8}{:>8}{:>10}{:>10}{:>10}{:>10}",
        "", "sent", "failed", "p50 ms", "p95 ms", "p99 ms", "max ms"
    );
    for (name, measured) in measured? {
        println!("{name:<28}{measured}");
    }
    Ok(())
}

async fn measure(
    client: &reqwest::Client,
    options: &Options,
    lively: &Viewer,
    quiet: &Viewer,
) -> anyhow::Result<Vec<(String, Measured)>> {
    let mut table = Vec::new();
    for (name, viewer) in [("lively", lively), ("quiet", quiet)] {
        let first = format!("{}/api/v1/feed", options.url);
        let deep = format!("{first}?cursor={}", deep_cursor(client, &first, &viewer.token).await?);
        for (page, url) in [("first page", first), ("page 11", deep)] {
            let request = || client.get(&url).bearer_auth(&viewer.token);
            // Connections, plans and caches as they are in a running service.
            load::run(request, options.rate, Duration::from_secs(2)).await;
            let measured = load::run(request, options.rate, Duration::from_secs(options.seconds)).await;
            table.push((format!("{name}, {page}"), measured));
        }
    }
    Ok(table)
}

/// The cursor of the 11th page.
async fn deep_cursor(client: &reqwest::Client, feed: &str, token: &str) -> anyhow::Result<String> {
    let mut cursor = String::new();
    for _ in 0..10 {
        let url = if cursor.is_empty() {
            feed.to_owned()
        } else {
            format!("{feed}?cursor={cursor}")
        };
        let page: Value = client
            .get(url)
            .bearer_auth(token)
            .send()
            .await?
            .error_for_status()?
            .json()
            .await?;
        ensure!(
            page["items"].as_array().is_some_and(|items| items.len() == 20),
            "the feed is too short: {page}"
        );
        cursor = page["next_cursor"]
            .as_str()
            .context("the feed ends too early")?
            .to_owned();
    }
    Ok(cursor)
}

/// Registers and logs in, and lets the profile appear.
async fn viewer(client: &reqwest::Client, options: &Options) -> anyhow::Result<Viewer> {
    let email = format!("bench-{}@example.com", Uuid::now_v7().simple());
    let credentials = json!({ "email": email, "password": "a long passphrase for the benchmark" });
    for step in ["register", "login"] {
        let url = format!("{}/api/v1/auth/{step}", options.auth_url);
        let answer = client.post(url).json(&credentials).send().await?;
        if step == "register" {
            answer.error_for_status()?;
            continue;
        }
        let tokens: Value = answer.error_for_status()?.json().await?;
        let token = tokens["access_token"].as_str().context("no access token")?.to_owned();
        let url = format!("{}/api/v1/users/me", options.url);
        let me: Value = client
            .get(url)
            .bearer_auth(&token)
            .send()
            .await?
            .error_for_status()?
            .json()
            .await?;
        let id = me["id"].as_str().context("a profile without an id")?.parse()?;
        return Ok(Viewer { id, token });
    }
    anyhow::bail!("no login")
}
