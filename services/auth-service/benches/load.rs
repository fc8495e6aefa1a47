//! Measures a running platform: one hash alone, logins, refreshes.
//!
//! `cargo bench -p auth-service --bench load -- --url http://127.0.0.1:8084`
//!
//! Login is bound by its hash, which takes all the cores that it gets. Where clients, gateway and stores share those cores, they
//! take theirs; `--own-core` gives one member a core of its own and everything else the others, so that what is measured
//! is auth-service: `-- --own-core --url http://127.77.0.1:8084 --operations http://127.77.0.1:9084`.
//!
//! It registers its own accounts and connects from its own loopback addresses, so that it measures the service and not the
//! throttling (whose limits count by address). Nothing asserts: the table is for a person to read.

#[path = "load/own_core.rs"]
mod own_core;

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use auth_service::{
    domain::Password,
    hashing::{Cost, Hasher, HasherConfig},
};
use clap::Parser;
use serde_json::{Value, json};

const PASSWORD: &str = "a long passphrase for the benchmark";

/// Measures logins and refreshes of a running platform.
#[derive(Parser)]
struct Options {
    /// The gateway's address of auth-service
    #[arg(long, default_value = "http://127.0.0.1:8084")]
    url: String,
    /// The members' operations addresses
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "http://127.77.0.1:9084,http://127.77.0.2:9084"
    )]
    operations: Vec<String>,
    /// Seconds a measurement
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Clients that log in at the same time
    #[arg(long, default_value_t = 16)]
    login_clients: u8,
    /// Clients that refresh at the same time
    #[arg(long, default_value_t = 32)]
    refresh_clients: u8,
    /// Give the member at --url a core of its own while it is measured
    #[arg(long)]
    own_core: bool,
    /// Cargo passes it
    #[arg(long, hide = true)]
    bench: bool,
}

/// One account, from one address, with its own connection.
struct User {
    client: reqwest::Client,
    url: Arc<str>,
    email: String,
}

/// Durations of one kind of request, and of the whole measurement.
struct Measured {
    latencies: Vec<Duration>,
    elapsed: Duration,
    failures: u64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let all = std::thread::available_parallelism().map_or(1, usize::from);
    let cores = if options.own_core { 1 } else { all };
    let seconds = Duration::from_secs(options.seconds);

    let hash = one_hash().await?;
    let bound = cores as f64 / hash.as_secs_f64();
    let all_cores = hashes_on_all_cores(cores, seconds).await?;
    let _own_core = options
        .own_core
        .then(|| own_core::OwnCore::give_to(options.url.trim_start_matches("http://").trim_end_matches('/')))
        .transpose()?;
    let users = users(&options).await?;
    let hashed_before = seconds_of_hashing(&options.operations).await?;
    let logins = measure(&users[..usize::from(options.login_clients)], seconds, Kind::Login).await?;
    let hashing = seconds_of_hashing(&options.operations).await? - hashed_before;
    let refreshes = measure(&users[..usize::from(options.refresh_clients)], seconds, Kind::Refresh).await?;

    println!("cores for auth-service      {cores} of {all}");
    println!(
        "one hash alone              {:.1} ms, so at most {bound:.1} logins/s",
        hash.as_secs_f64() * 1e3
    );
    println!("hashes on all these cores   {all_cores:.1}/s, nothing else asked of the platform");
    print("logins", &logins);
    println!("  of cores / one hash       {:.0} %", 100.0 * logins.rate() / bound);
    println!("  of hashes on all cores    {:.0} %", 100.0 * logins.rate() / all_cores);
    let in_work = hashing / logins.elapsed.as_secs_f64();
    println!(
        "  hashes in work            {in_work:.2} on average; with {cores} or more, logins wait for nothing but cores"
    );
    print("refreshes", &refreshes);
    Ok(())
}

/// The median of single hashes at the shipped cost, nothing else running in this process.
async fn one_hash() -> anyhow::Result<Duration> {
    let config = HasherConfig {
        cost: Cost::default(),
        threads: 1,
        queue: 1,
        deadline: Duration::from_secs(60),
        idle: Duration::from_secs(60),
    };
    let hasher = Hasher::start(&config)?;
    let password = Password::claimed(PASSWORD.into())?;
    let mut times = Vec::new();
    for _ in 0..40 {
        let started = Instant::now();
        hasher.verify(password.clone(), None).await?;
        times.push(started.elapsed());
    }
    times.sort();
    Ok(times[times.len() / 2])
}

/// Hashes a second when every core has one in work all the time: what the cores give beside the idle platform, sharing
/// their caches and memory.
async fn hashes_on_all_cores(cores: usize, seconds: Duration) -> anyhow::Result<f64> {
    let config = HasherConfig {
        cost: Cost::default(),
        threads: cores,
        queue: 2 * cores,
        deadline: Duration::from_secs(60),
        idle: Duration::from_secs(60),
    };
    let hasher = Hasher::start(&config)?;
    let password = Password::claimed(PASSWORD.into())?;
    let started = Instant::now();
    // Two at a time a core: none waits for the next request.
    let clients = (0..2 * cores).map(|_| async {
        let mut done = 0_u32;
        while started.elapsed() < seconds {
            hasher.verify(password.clone(), None).await?;
            done += 1;
        }
        anyhow::Ok(done)
    });
    let done: u32 = futures::future::try_join_all(clients).await?.iter().sum();
    Ok(f64::from(done) / started.elapsed().as_secs_f64())
}

/// How long the members have hashed so far, all threads together.
async fn seconds_of_hashing(operations: &[String]) -> anyhow::Result<f64> {
    const METRIC: &str = "nova_auth_password_hash_duration_seconds_sum";
    let mut seconds = 0.0;
    for member in operations {
        let metrics = reqwest::get(format!("{member}/metrics")).await?.text().await?;
        let line = metrics.lines().find(|line| line.starts_with(METRIC));
        // A member that has not hashed yet does not have it.
        if let Some(value) = line.and_then(|line| line.split_whitespace().last()) {
            seconds += value.parse::<f64>()?;
        }
    }
    Ok(seconds)
}

async fn users(options: &Options) -> anyhow::Result<Vec<User>> {
    let run = uuid::Uuid::now_v7().simple();
    let url: Arc<str> = options.url.trim_end_matches('/').into();
    let number = options.login_clients.max(options.refresh_clients);
    let mut users = Vec::new();
    for index in 1..=number {
        // The last two octets vary from run to run, for the limits outlast one.
        let address = IpAddr::V4(Ipv4Addr::new(127, 200, rand::random(), index));
        let client = reqwest::Client::builder()
            .local_address(address)
            .timeout(Duration::from_secs(30))
            .build()?;
        let user = User {
            client,
            url: url.clone(),
            email: format!("bench-{run}-{index}@example.com"),
        };
        user.post("register", &json!({"email": user.email, "password": PASSWORD}))
            .await?;
        users.push(user);
    }
    Ok(users)
}

#[derive(Clone, Copy)]
enum Kind {
    Login,
    Refresh,
}

/// Every user repeats the request for as long, one after another.
async fn measure(users: &[User], seconds: Duration, kind: Kind) -> anyhow::Result<Measured> {
    let tokens = futures::future::try_join_all(users.iter().map(User::login)).await?;
    let started = Instant::now();
    let until = started + seconds;
    let runs = users.iter().zip(tokens).map(|(user, mut token)| async move {
        let (mut latencies, mut failures) = (Vec::new(), 0);
        while Instant::now() < until {
            let sent = Instant::now();
            let answer = match kind {
                Kind::Login => user.login().await,
                Kind::Refresh => user.refresh(&token).await,
            };
            match answer {
                Ok(next) => {
                    token = next;
                    latencies.push(sent.elapsed());
                }
                Err(error) => {
                    eprintln!("{error:#}");
                    failures += 1;
                    if failures == 10 {
                        break;
                    }
                }
            }
        }
        (latencies, failures)
    });
    let results = futures::future::join_all(runs).await;
    let failures = results.iter().map(|(_, failures)| failures).sum();
    let mut latencies: Vec<_> = results.into_iter().flat_map(|(latencies, _)| latencies).collect();
    if latencies.is_empty() {
        bail!("not one request succeeded");
    }
    latencies.sort();
    Ok(Measured {
        latencies,
        elapsed: started.elapsed(),
        failures,
    })
}

impl User {
    async fn login(&self) -> anyhow::Result<String> {
        self.tokens("login", &json!({"email": self.email, "password": PASSWORD}))
            .await
    }

    async fn refresh(&self, token: &str) -> anyhow::Result<String> {
        self.tokens("refresh", &json!({"refresh_token": token})).await
    }

    async fn tokens(&self, route: &str, body: &Value) -> anyhow::Result<String> {
        let answer = self.post(route, body).await?;
        Ok(answer["refresh_token"]
            .as_str()
            .context("the answer holds no refresh token")?
            .to_owned())
    }

    async fn post(&self, route: &str, body: &Value) -> anyhow::Result<Value> {
        let response = self
            .client
            .post(format!("{}/api/v1/auth/{route}", self.url))
            .json(body)
            .send()
            .await?;
        let status = response.status();
        let answer: Value = response.json().await?;
        if !status.is_success() {
            bail!("{route} answered {status}: {answer}");
        }
        Ok(answer)
    }
}

impl Measured {
    fn rate(&self) -> f64 {
        self.latencies.len() as f64 / self.elapsed.as_secs_f64()
    }

    fn percentile(&self, percent: usize) -> f64 {
        let index = (self.latencies.len() * percent / 100).min(self.latencies.len() - 1);
        self.latencies[index].as_secs_f64() * 1e3
    }
}

fn print(what: &str, measured: &Measured) {
    let (p50, p99) = (measured.percentile(50), measured.percentile(99));
    println!(
        "{what:<27} {:.1}/s, p50 {p50:.1} ms, p99 {p99:.1} ms, {} failed",
        measured.rate(),
        measured.failures
    );
}
