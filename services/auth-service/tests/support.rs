//! A running auth-service and a client of it.

mod answer;
mod fake_users;
mod ring;

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use auth_service::{App, Config, config::AuthConfig, service_clients::ServiceClient};
use clap::Parser;
use nova_service::config::{CallsConfig, IdentityConfig, RedisConfig};
use nova_testkit::{Postgres, Redis, TestDatabase, TestService};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use sqlx::PgPool;

pub(crate) use answer::Answer;
pub(crate) use fake_users::{FakeUsers, Says};
pub(crate) use ring::{Ring, tampered};

pub(crate) const ISSUER: &str = "http://127.0.0.1:8084";
pub(crate) const AUDIENCE: &str = "nova";
/// A service that may have tokens, and its secret.
pub(crate) const CLIENT: &str = "user-service";
pub(crate) const CLIENT_SECRET: &str = "a secret, for tests only";
pub(crate) const PASSWORD: &str = "correct horse battery";

/// auth-service with a database of its own.
pub(crate) struct Auth {
    pub(crate) app: App,
    pub(crate) service: TestService,
    pub(crate) ring: Ring,
    pub(crate) config: Config,
    owner: PgPool,
    app_role: PgPool,
}

/// What members have left in the database.
pub(crate) struct Left(PgPool);

impl Left {
    pub(crate) async fn queue_is_empty(&self) {
        eventually("the queue is empty", async || {
            let waiting: i64 = sqlx::query_scalar("select count(*) from account_deletions")
                .fetch_one(&self.0)
                .await
                .unwrap();
            waiting == 0
        })
        .await;
    }
}

/// A logged-in session.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) access: String,
    pub(crate) refresh: String,
    pub(crate) id: String,
    pub(crate) account: String,
}

#[derive(Parser)]
struct OnlyAuth {
    #[command(flatten)]
    auth: AuthConfig,
}

impl Auth {
    /// Without Redis, with cheap hashes, with limits that no test meets by accident.
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    pub(crate) async fn start_with(change: impl FnOnce(&mut AuthConfig)) -> Self {
        Self::start_on(Redis::unreachable_config(), change).await
    }

    pub(crate) async fn start_on(redis: RedisConfig, change: impl FnOnce(&mut AuthConfig)) -> Self {
        let database = Postgres::shared().await.database("auth").await;
        let auth = Self::start_unready(&database, redis, change).await;
        auth.service.until("/health/startup", |status, _| status == 200).await;
        auth
    }

    /// On stores that need not be there yet.
    pub(crate) async fn start_unready(
        database: &TestDatabase<'_>,
        redis: RedisConfig,
        change: impl FnOnce(&mut AuthConfig),
    ) -> Self {
        let ring = Ring::new(&[("first", 3600)]);
        let mut auth = OnlyAuth::parse_from(["test", "--auth-signing-keys-file", ring.path()]).auth;
        (auth.hash_memory, auth.hash_iterations, auth.hash_threads) = (64, 1, Some(2));
        auth.signing_keys_poll = Duration::from_millis(20);
        auth.audit_window = Duration::from_millis(1);
        auth.password_limit.burst = 1000;
        (
            auth.pair_limit.burst,
            auth.address_limit.burst,
            auth.registration_limit.burst,
        ) = (1000, 1000, 1000);
        auth.clients = vec![ServiceClient::new(CLIENT, CLIENT_SECRET).unwrap()];
        // Nobody: whoever is told of deletions is the test's.
        auth.user_service_url = format!("http://127.0.0.1:{}", nova_testkit::free_port());
        change(&mut auth);
        let identity = IdentityConfig {
            issuer: ISSUER.to_owned(),
            audience: AUDIENCE.to_owned(),
            jwks_url: format!("{ISSUER}/.well-known/jwks.json"),
            refresh: Duration::from_secs(30),
        };
        let server = nova_testkit::server_config();
        let config = Config {
            server,
            postgres: database.config(),
            redis,
            identity,
            calls: CallsConfig::default(),
            auth,
        };
        let (app, service) = auth_service::assemble(config.clone()).unwrap();
        let service = TestService::start_unready(service).await;
        Self {
            app,
            service,
            ring,
            config,
            owner: database.owner(),
            app_role: database.app(),
        }
    }

    /// A second member on the same stores.
    pub(crate) async fn another_member(&self) -> TestService {
        let (_, service) = auth_service::assemble(self.config.clone()).unwrap();
        TestService::start(service).await
    }

    /// Ends the first member; what it leaves in the database can still be looked at.
    pub(crate) async fn without_its_member(self) -> Left {
        self.service.stop().await;
        Left(self.app_role)
    }

    /// A request from the usual address.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let path = if path.starts_with("/.") {
            path.to_owned()
        } else {
            format!("/api/v1/auth/{path}")
        };
        self.service
            .client
            .request(method, self.service.url(&path))
            .header("x-forwarded-for", "192.0.2.1")
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        Answer::of(self.request(Method::POST, path).json(body)).await
    }

    pub(crate) async fn get(&self, path: &str, access: &str) -> Answer {
        Answer::of(self.request(Method::GET, path).bearer_auth(access)).await
    }

    pub(crate) async fn delete(&self, path: &str, access: &str) -> Answer {
        Answer::of(self.request(Method::DELETE, path).bearer_auth(access)).await
    }

    /// A new account with [`PASSWORD`]: its e-mail address.
    pub(crate) async fn account(&self) -> String {
        static NUMBER: AtomicU32 = AtomicU32::new(1);
        let email = format!("ada{}@example.com", NUMBER.fetch_add(1, Ordering::Relaxed));
        self.post("register", &json!({"email": email, "password": PASSWORD}))
            .await
            .expect(201);
        email
    }

    pub(crate) async fn try_login(&self, email: &str, password: &str) -> Answer {
        self.post("login", &json!({"email": email, "password": password})).await
    }

    pub(crate) async fn try_login_from(&self, address: &str, email: &str, password: &str) -> Answer {
        let url = self.service.url("/api/v1/auth/login");
        let request = self.service.client.post(url).header("x-forwarded-for", address);
        Answer::of(request.json(&json!({"email": email, "password": password}))).await
    }

    pub(crate) async fn login(&self, email: &str) -> Session {
        Session::from(self.try_login(email, PASSWORD).await.expect(200))
    }

    /// A new account's first session.
    pub(crate) async fn session(&self) -> Session {
        self.login(&self.account().await).await
    }

    pub(crate) async fn refresh(&self, token: &str) -> Answer {
        self.post("refresh", &json!({"refresh_token": token})).await
    }

    /// The service's own role, in its schema.
    pub(crate) fn database(&self) -> PgPool {
        self.app_role.clone()
    }

    /// The owner of the schema.
    pub(crate) fn owner(&self) -> PgPool {
        self.owner.clone()
    }

    /// Runs one statement, and demands that it changed something.
    pub(crate) async fn execute(&self, statement: &'static str) {
        let result = sqlx::query(statement).execute(&self.database()).await.unwrap();
        assert!(result.rows_affected() > 0, "{statement} changed nothing");
    }

    /// `event/outcome` of the audit, in order, with the number of attempts if there are several.
    pub(crate) async fn audit(&self) -> Vec<String> {
        let statement = "select event || '/' || outcome || case when attempts > 1 then '*' || attempts else '' end
            from audit order by id";
        sqlx::query_scalar(statement).fetch_all(&self.database()).await.unwrap()
    }

    pub(crate) async fn count(&self, statement: &'static str) -> i64 {
        sqlx::query_scalar(statement).fetch_one(&self.database()).await.unwrap()
    }
}

impl From<Answer> for Session {
    fn from(answer: Answer) -> Self {
        let text = |name: &str| {
            answer.body[name]
                .as_str()
                .unwrap_or_else(|| panic!("no {name} in {answer:?}"))
                .to_owned()
        };
        Self {
            access: text("access_token"),
            refresh: text("refresh_token"),
            id: text("session_id"),
            account: text("account_id"),
        }
    }
}

/// Waits until something in the background has happened.
pub(crate) async fn eventually<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let waiting = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    assert!(
        tokio::time::timeout(Duration::from_secs(40), waiting).await.is_ok(),
        "never happened: {what}"
    );
}
