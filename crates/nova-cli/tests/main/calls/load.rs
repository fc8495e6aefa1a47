//! Users of a platform at a steady rate: some ask for what needs the other service, the rest for what does not.

use std::time::Duration;

use reqwest::{Client, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use crate::support::TestPlatform;

pub(crate) const PASSWORD: &str = "correct horse battery";
/// Requests a second for one's own profile, which asks auth-service.
const OWN_PROFILES: u32 = 60;
/// Requests a second for the feed, which asks nobody.
const FEEDS: u32 = 120;
/// A percentile is taken of each slice of this length, and of those the lower quartile: whatever the machine does beside this
/// comes and goes, while a fault that is felt is felt all the time.
const SLICE: Duration = Duration::from_secs(1);

/// A registered and logged-in account.
pub(crate) struct Account {
    pub(crate) token: String,
}

impl Account {
    pub(crate) async fn register(platform: &TestPlatform, email: &str) -> Self {
        let auth = format!("http://{}:8084/api/v1/auth", platform.gateway());
        let body = json!({ "email": email, "password": PASSWORD });
        let client = Client::new();
        for route in ["register", "login"] {
            let answer = client.post(format!("{auth}/{route}")).json(&body).send().await.unwrap();
            assert!(answer.status().is_success(), "{route}: {}", answer.status());
            if route == "login" {
                let tokens: Value = answer.json().await.unwrap();
                let token = tokens["access_token"].as_str().unwrap().to_owned();
                return Self { token };
            }
        }
        unreachable!("the second route is the login")
    }
}

/// The requests of users, ready to be sent.
pub(crate) struct Load {
    own_profile: RequestBuilder,
    feed: RequestBuilder,
}

/// What became of one request.
struct Answer {
    sent: Duration,
    took: Duration,
    status: Option<StatusCode>,
    partial: bool,
}

/// What became of a run's requests.
pub(crate) struct Measured {
    own: Vec<Answer>,
    others: Vec<Answer>,
    pub(crate) partial: usize,
}

impl Load {
    pub(crate) async fn new(platform: &TestPlatform) -> Self {
        let email = format!(
            "load-{:?}@example.org",
            std::time::SystemTime::now()
                .duration_since(std::time::UNIX_EPOCH)
                .unwrap()
                .as_nanos()
        );
        let account = Account::register(platform, &email).await;
        let client = Client::builder().timeout(Duration::from_secs(10)).build().unwrap();
        let get = |path: &str| {
            client
                .get(format!("http://{}:8080/api/v1/{path}", platform.gateway()))
                .bearer_auth(&account.token)
        };
        let load = Self {
            own_profile: get("users/me"),
            feed: get("feed"),
        };
        load.until_complete(Instant::now() + Duration::from_secs(30)).await;
        load
    }

    /// Sends at the rate, answered or not, and waits for all answers.
    pub(crate) async fn run(&self, length: Duration) -> Measured {
        let (own, others) = tokio::join!(
            steadily(&self.own_profile, OWN_PROFILES, length),
            steadily(&self.feed, FEEDS, length)
        );
        let partial = own.iter().filter(|answer| answer.partial).count();
        Measured { own, others, partial }
    }

    /// Asks until a dozen profiles in a row, more than there are members, came with their account.
    pub(crate) async fn until_complete(&self, deadline: Instant) -> Instant {
        let mut complete = 0;
        let mut since = Instant::now();
        while complete < 12 {
            assert!(Instant::now() < deadline, "profiles still lack their account");
            let answer = one(&self.own_profile, Instant::now()).await;
            if answer.status == Some(StatusCode::OK) && !answer.partial {
                complete += 1;
            } else {
                complete = 0;
                since = Instant::now();
                sleep(Duration::from_millis(20)).await;
            }
        }
        since
    }
}

async fn steadily(request: &RequestBuilder, rate: u32, length: Duration) -> Vec<Answer> {
    let begin = Instant::now();
    let mut due = begin;
    let mut tasks = JoinSet::new();
    while due < begin + length {
        sleep_until(due).await;
        let request = request.try_clone().unwrap();
        tasks.spawn(async move { one(&request, begin).await });
        due += Duration::from_secs(1) / rate;
    }
    tasks.join_all().await
}

async fn one(request: &RequestBuilder, begin: Instant) -> Answer {
    let started = Instant::now();
    let answered = request.try_clone().unwrap().send().await;
    let (status, partial) = match answered {
        Ok(answer) => {
            let status = answer.status();
            let body: Option<Value> = answer.json().await.ok();
            let partial = body.as_ref().is_some_and(|body| body["partial"] == true);
            // Half an answer is none.
            (body.map(|_| status), partial)
        }
        Err(_) => (None, false),
    };
    Answer {
        sent: started.duration_since(begin),
        took: started.elapsed(),
        status,
        partial,
    }
}

impl Measured {
    /// Every request got a whole answer, and a good one.
    pub(crate) fn assert_answered(&self, when: &str) {
        for answer in self.own.iter().chain(&self.others) {
            assert_eq!(answer.status, Some(StatusCode::OK), "{when}, after {:?}", answer.took);
        }
    }

    pub(crate) fn calls(&self) -> u64 {
        self.own.len() as u64
    }

    pub(crate) fn longest(&self) -> Duration {
        let all = self.own.iter().chain(&self.others);
        all.map(|answer| answer.took).max().unwrap_or_default()
    }

    pub(crate) fn others_p99(&self) -> Duration {
        let mut slices: Vec<Vec<Duration>> = Vec::new();
        for answer in &self.others {
            let slice = usize::try_from(answer.sent.as_millis() / SLICE.as_millis()).unwrap();
            slices.resize_with(slices.len().max(slice + 1), Vec::new);
            slices[slice].push(answer.took);
        }
        let mut percentiles: Vec<Duration> = slices.into_iter().filter_map(p99).collect();
        percentiles.sort();
        percentiles[percentiles.len() / 4]
    }
}

fn p99(mut latencies: Vec<Duration>) -> Option<Duration> {
    latencies.sort();
    let last = latencies.len().checked_sub(1)?;
    latencies
        .get(latencies.len() * 99 / 100)
        .or(latencies.get(last))
        .copied()
}
