//! The README's session: two accounts, one follows the other, who posts, and the feed shows it. Through port-forwards.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use serde_json::{Value, json};

use super::Platform;

/// A port of this machine that leads to a Service; closed with it.
struct PortForward {
    child: Child,
    url: String,
}

impl PortForward {
    #[track_caller]
    fn open(platform: &Platform, service: &str, port: u16) -> Self {
        let (namespace, service, port) = (
            platform.namespace("services"),
            format!("service/{service}"),
            format!(":{port}"),
        );
        let mut command = platform
            .cluster
            .kubectl_command(&["port-forward", "-n", &namespace, &service, &port]);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap())
            .read_line(&mut line)
            .unwrap();
        // "Forwarding from 127.0.0.1:40123 -> 8080"
        let address = line
            .split_whitespace()
            .nth(2)
            .unwrap_or_else(|| panic!("no port-forward: {line:?}"));
        Self {
            url: format!("http://{address}"),
            child,
        }
    }
}

impl Drop for PortForward {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a user remembers.
pub(crate) struct User {
    email: String,
}

const PASSWORD: &str = "correct horse battery";

/// Two users meet; the one that reads is returned.
pub(crate) fn first_session(platform: &Platform) -> User {
    let ada = User {
        email: "ada@example.org".to_owned(),
    };
    let grace = User {
        email: "grace@example.org".to_owned(),
    };
    run(async {
        let (auth, users) = doors(platform);
        for user in [&ada, &grace] {
            let body = json!({"email": user.email, "password": PASSWORD});
            call(http().post(format!("{}/api/v1/auth/register", auth.url)).json(&body)).await;
        }
        let (hers, graces) = (log_in(&auth, &ada).await, log_in(&auth, &grace).await);
        let api = format!("{}/api/v1", users.url);
        let me = call(http().get(format!("{api}/users/me")).bearer_auth(&graces)).await;
        let follow = format!("{api}/users/{}/follow", me["id"].as_str().unwrap());
        call(http().put(follow).bearer_auth(&hers)).await;
        let post = http()
            .post(format!("{api}/posts"))
            .bearer_auth(&graces)
            .header("Idempotency-Key", "first");
        call(post.json(&json!({"text": "hello"}))).await;
    });
    sees_the_post(platform, &ada);
    ada
}

/// The reader logs in again and finds the post in the feed.
pub(crate) fn sees_the_post(platform: &Platform, reader: &User) {
    run(async {
        let (auth, users) = doors(platform);
        let token = log_in(&auth, reader).await;
        let feed = call(http().get(format!("{}/api/v1/feed", users.url)).bearer_auth(token)).await;
        assert!(feed.to_string().contains("hello"), "{feed:#}");
    });
}

fn doors(platform: &Platform) -> (PortForward, PortForward) {
    (
        PortForward::open(platform, "auth-service", 8084),
        PortForward::open(platform, "user-service", 8080),
    )
}

async fn log_in(auth: &PortForward, user: &User) -> String {
    let body = json!({"email": user.email, "password": PASSWORD});
    let tokens = call(http().post(format!("{}/api/v1/auth/login", auth.url)).json(&body)).await;
    tokens["access_token"].as_str().unwrap().to_owned()
}

async fn call(request: reqwest::RequestBuilder) -> Value {
    let answer = request.send().await.unwrap();
    let (status, url) = (answer.status(), answer.url().clone());
    let text = answer.text().await.unwrap();
    assert!(status.is_success(), "{url}: {status}: {text}");
    serde_json::from_str(&text).unwrap_or_default()
}

fn http() -> reqwest::Client {
    let client = reqwest::Client::builder()
        .no_proxy()
        .timeout(std::time::Duration::from_secs(10));
    client.build().unwrap()
}

fn run(session: impl Future<Output = ()>) {
    tokio::runtime::Runtime::new().unwrap().block_on(session);
}
