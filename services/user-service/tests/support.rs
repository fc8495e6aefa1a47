//! A running user-service and its users.

mod answer;
mod conform;
mod fake_auth;

use std::time::Duration;

use nova_service::EraseAccounts;
use nova_service::config::{CallsConfig, PostgresConfig, ServerConfig};
use nova_testkit::{Postgres, TestDatabase, TestIssuer, TestService, Told, server_config};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use sqlx::PgPool;
use user_service::{Config, UsersConfig};
use uuid::Uuid;

pub(crate) use answer::Answer;
pub(crate) use conform::conform;
pub(crate) use fake_auth::{FakeAuth, Says, account as fake_account};

/// user-service with a database and an issuer of its own.
pub(crate) struct World {
    pub(crate) service: TestService,
    pub(crate) issuer: TestIssuer,
    pub(crate) auth: FakeAuth,
    database: TestDatabase<'static>,
}

/// An account that has been here.
#[derive(Clone, Debug)]
pub(crate) struct User {
    pub(crate) id: Uuid,
    pub(crate) token: String,
}

impl World {
    pub(crate) async fn start() -> Self {
        Self::start_with(UsersConfig::default()).await
    }

    pub(crate) async fn start_with(users: UsersConfig) -> Self {
        let database = Postgres::shared().await.database("users").await;
        let auth = FakeAuth::default();
        let issuer = TestIssuer::start_with(auth.routes()).await;
        let service = start(config(database.config(), &issuer, users)).await;
        Self {
            service,
            issuer,
            auth,
            database,
        }
    }

    /// A second member on the same database.
    pub(crate) async fn another_member(&self) -> TestService {
        start(config(self.database.config(), &self.issuer, UsersConfig::default())).await
    }

    /// What auth-service asks when an account was deleted.
    pub(crate) async fn delete_account(&self, account: Uuid) -> Answer {
        let token = self.issuer.service_token::<EraseAccounts>("auth-service");
        let path = format!("/internal/accounts/{account}");
        Answer::of(self.request(Method::DELETE, &path).bearer_auth(token)).await
    }

    /// Likewise, as often as it takes.
    pub(crate) async fn delete_account_wholly(&self, account: Uuid) {
        let whole = async {
            while self.delete_account(account).await.status != 204 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let done = tokio::time::timeout(Duration::from_secs(60), whole).await;
        assert!(done.is_ok(), "the deletion does not end");
    }

    /// A new account with a profile of this username.
    pub(crate) async fn user(&self, username: &str) -> User {
        let user = self.stranger();
        self.patch(&user, "/users/me", &json!({ "username": username }))
            .await
            .expect(200);
        user
    }

    pub(crate) async fn users<const N: usize>(&self, names: [&str; N]) -> [User; N] {
        let users = futures::future::join_all(names.map(|name| self.user(name))).await;
        users.try_into().expect("as many as were asked for")
    }

    /// A new account that has not been here.
    pub(crate) fn stranger(&self) -> User {
        let id = Uuid::now_v7();
        User {
            id,
            token: self.issuer.token(id),
        }
    }

    /// What the database holds, as its owner sees it.
    pub(crate) fn database(&self) -> PgPool {
        self.database.owner()
    }

    /// Hears what is told from now on.
    pub(crate) async fn told(&self) -> Told {
        self.database.told().await
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.service
            .client
            .request(method, self.service.url(&format!("/api/v1{path}")))
    }

    pub(crate) async fn get(&self, user: &User, path: &str) -> Answer {
        Answer::of(self.request(Method::GET, path).bearer_auth(&user.token)).await
    }

    pub(crate) async fn put(&self, user: &User, path: &str) -> Answer {
        Answer::of(self.request(Method::PUT, path).bearer_auth(&user.token)).await
    }

    pub(crate) async fn delete(&self, user: &User, path: &str) -> Answer {
        Answer::of(self.request(Method::DELETE, path).bearer_auth(&user.token)).await
    }

    pub(crate) async fn post(&self, user: &User, path: &str, body: &Value) -> Answer {
        Answer::of(self.request(Method::POST, path).bearer_auth(&user.token).json(body)).await
    }

    pub(crate) async fn patch(&self, user: &User, path: &str, body: &Value) -> Answer {
        Answer::of(self.request(Method::PATCH, path).bearer_auth(&user.token).json(body)).await
    }

    /// Publishes, and tells the post's id.
    pub(crate) async fn publish(&self, user: &User, text: &str) -> String {
        self.post(user, "/posts", &json!({ "text": text }))
            .await
            .expect(201)
            .id()
    }

    pub(crate) async fn follow(&self, follower: &User, followee: &User) -> String {
        let answer = self.put(follower, &format!("/users/{}/follow", followee.id)).await;
        answer.expect(200).text("/state").to_owned()
    }

    pub(crate) async fn block(&self, blocker: &User, blocked: &User) {
        self.put(blocker, &format!("/users/{}/block", blocked.id))
            .await
            .expect(204);
    }

    pub(crate) async fn make_private(&self, user: &User) {
        self.patch(user, "/users/me", &json!({ "private": true }))
            .await
            .expect(200);
    }

    /// Followers, following and posts of a user's own profile.
    pub(crate) async fn counts(&self, user: &User) -> [i64; 3] {
        let me = self.get(user, "/users/me").await.expect(200);
        ["/followers_count", "/following_count", "/posts_count"].map(|counter| me.number(counter))
    }

    /// What stands at a pointer in each item of a list, over all its pages.
    pub(crate) async fn all(&self, user: &User, path: &str, limit: u32, pointer: &str) -> Vec<String> {
        let mut found = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = self
                .get(user, &format!("{path}?limit={limit}{cursor}"))
                .await
                .expect(200);
            assert!(page.items().len() <= usize::try_from(limit).unwrap());
            found.extend(
                page.items()
                    .iter()
                    .map(|item| item.pointer(pointer).unwrap().as_str().unwrap().to_owned()),
            );
            match page.body["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return found,
            }
        }
    }

    /// The texts of a user's whole feed.
    pub(crate) async fn feed(&self, user: &User) -> Vec<String> {
        self.all(user, "/feed", 100, "/text").await
    }
}

pub(crate) async fn start(config: Config) -> TestService {
    TestService::start(user_service::service(config).unwrap()).await
}

/// As shipped, with patience for a busy machine.
pub(crate) fn config(postgres: PostgresConfig, issuer: &TestIssuer, users: UsersConfig) -> Config {
    let patience = Duration::from_secs(25);
    Config {
        server: ServerConfig {
            request_timeout: patience,
            ..server_config()
        },
        postgres: PostgresConfig {
            acquire_timeout: patience / 2,
            ..postgres
        },
        identity: issuer.config(),
        credentials: issuer.credentials(),
        calls: CallsConfig::default(),
        users,
    }
}
