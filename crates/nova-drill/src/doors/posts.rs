//! Posts through user-service, as an application sends them: by several users, with an idempotency key, and repeated under it until
//! there is an answer.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use nova_platform::components::USERS as USERS_SERVICE;
use nova_platform::provision::SUPERUSER_SECRET;
use nova_platform::uses::tenancy;
use serde_json::{Value, json};
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection};
use tokio::time::{sleep, timeout};

use super::{Client, Door, DoorError, Site, WHOLE, http, secret};
use crate::judge::Found;
use crate::record::Outcome;
use crate::store::Store;

/// How long one post is repeated.
const REPEAT: Duration = Duration::from_secs(60);
/// Pause between two attempts.
const PAUSE: Duration = Duration::from_millis(50);
/// Access tokens live 15 minutes.
const FRESH: Duration = Duration::from_secs(300);
/// Users that write, which the writers share: auth-service limits how many come from one address, about one a second for long. With one,
/// posts wait for each other, since each counts in its author's row.
const USERS: u16 = 3;
/// Pause before the next attempt when there were too many.
const LIMITED: Duration = Duration::from_secs(1);
const TOO_MANY_REQUESTS: u16 = 429;
/// Of them, how many register and log in at a time: each costs a password's hash.
const AT_A_TIME: usize = 2;

/// See the module.
pub(super) struct Posts {
    users: String,
    auth: String,
    database: PgConnectOptions,
    select: String,
    http: reqwest::Client,
    accounts: Vec<Arc<Account>>,
    /// In every post's text, so that those of other drills are not counted.
    mark: String,
}

/// A user of the drill's own.
struct Account {
    email: String,
    password: String,
    /// Since when it is held; none before the registration.
    token: Mutex<Option<(Instant, String)>>,
}

impl Account {
    fn new(mark: &str, number: u16) -> Arc<Self> {
        Arc::new(Self {
            email: format!("drill-{mark}-{number}@example.org"),
            password: uuid::Uuid::new_v4().to_string(),
            token: Mutex::default(),
        })
    }

    fn credentials(&self) -> Value {
        json!({"email": self.email, "password": self.password})
    }

    fn held(&self) -> Option<(Instant, String)> {
        self.token.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Posts {
    pub(super) fn new(site: &Site<'_>) -> Result<Self, DoorError> {
        let missing = |service| DoorError::NoWayForPosts { service };
        let at = |service: &'static str| {
            let endpoints = site.endpoints.services.get(service).ok_or_else(|| missing(service))?;
            let gateway = endpoints.gateway.as_ref().ok_or_else(|| missing(service))?;
            Ok::<_, DoorError>(format!("http://{gateway}/api/v1"))
        };
        let users = site.spec.services.get(USERS_SERVICE);
        let users = users.and_then(|users| tenancy(USERS_SERVICE, users));
        let users = users.ok_or_else(|| missing(USERS_SERVICE))?;
        let schema = users.schema.ok_or_else(|| missing(USERS_SERVICE))?.name;
        let primary = &site.endpoints.primary;
        let mark = uuid::Uuid::new_v4().to_string();
        Ok(Self {
            users: at(USERS_SERVICE)?,
            auth: at("auth-service")?,
            database: PgConnectOptions::new_without_pgpass()
                .host(&primary.host)
                .port(primary.port)
                .username("postgres")
                .password(&secret(site, SUPERUSER_SECRET)?)
                .database(&users.database)
                .ssl_mode(PgSslMode::Disable)
                .application_name("nova-drill")
                .disable_statement_logging(),
            select: format!("select body from \"{schema}\".posts where body like $1"),
            http: http()?,
            accounts: (0..USERS).map(|number| Account::new(&mark, number)).collect(),
            mark,
        })
    }

    async fn call(&self, request: reqwest::RequestBuilder, wanted: u16) -> Result<Value, DoorError> {
        let begin = Instant::now();
        let answer = loop {
            let attempt = request.try_clone().ok_or(DoorError::Unrepeatable)?;
            let answer = attempt.send().await.map_err(DoorError::Http)?;
            if answer.status() != TOO_MANY_REQUESTS || begin.elapsed() > WHOLE {
                break answer;
            }
            sleep(LIMITED).await;
        };
        let (url, status) = (answer.url().to_string(), answer.status().as_u16());
        let body = answer.text().await.map_err(DoorError::Http)?;
        if status != wanted {
            return Err(DoorError::Answered { url, status, body });
        }
        Ok(serde_json::from_str(&body).unwrap_or(Value::Null))
    }

    /// Registers the user unless that was done, and gets a token that is not about to end.
    async fn log_in(&self, account: &Account) -> Result<(), DoorError> {
        let held = account.held();
        if held.as_ref().is_some_and(|(since, _)| since.elapsed() < FRESH) {
            return Ok(());
        }
        if held.is_none() {
            let register = self.http.post(format!("{}/auth/register", self.auth));
            self.call(register.json(&account.credentials()), 201).await?;
        }
        let login = self.http.post(format!("{}/auth/login", self.auth));
        let tokens = self.call(login.json(&account.credentials()), 200).await?;
        let token = tokens["access_token"].as_str().ok_or(DoorError::NoToken)?;
        let held = (Instant::now(), token.to_owned());
        *account.token.lock().unwrap_or_else(PoisonError::into_inner) = Some(held);
        Ok(())
    }

    /// Removes everything that the user did as well.
    async fn delete(&self, account: &Account) -> Result<(), DoorError> {
        let Some((_, token)) = account.held() else {
            return Ok(());
        };
        let delete = self
            .http
            .delete(format!("{}/auth/account", self.auth))
            .bearer_auth(token);
        let body = json!({"password": account.password});
        self.call(delete.json(&body), 204).await.map(drop)
    }

    fn text(&self, run: u32) -> String {
        format!("drill {} {run} ", self.mark)
    }
}

impl Door for Posts {
    fn store(&self) -> Store {
        Store::Posts
    }

    fn prepare(&self, _: u32, writers: u16) -> BoxFuture<'_, Result<(), DoorError>> {
        let users = self.accounts.iter().take(usize::from(writers));
        stream::iter(users.map(|account| Ok(self.log_in(account))))
            .try_buffer_unordered(AT_A_TIME)
            .try_collect()
            .boxed()
    }

    fn client(&self, run: u32, writer: u16) -> Result<Box<dyn Client>, DoorError> {
        let account = &self.accounts[usize::from(writer % USERS)];
        Ok(Box::new(Writer {
            url: format!("{}/posts", self.users),
            // Its own connections, as every client has.
            http: http()?,
            text: self.text(run),
            account: account.clone(),
        }))
    }

    fn found(&self, run: u32, _: u16) -> BoxFuture<'_, Result<Option<Found>, DoorError>> {
        async move {
            let text = self.text(run);
            let read = async {
                let mut connection = PgConnection::connect_with(&self.database).await?;
                let bodies: Vec<String> = sqlx::query_scalar(AssertSqlSafe(self.select.as_str()))
                    .bind(format!("{text}%"))
                    .fetch_all(&mut connection)
                    .await?;
                connection.close().await?;
                Ok::<_, sqlx::Error>(bodies)
            };
            let bodies = match timeout(WHOLE, read).await {
                Ok(Ok(bodies)) => bodies,
                Ok(Err(error)) => return Err(DoorError::Postgres(error)),
                Err(_) => return Err(DoorError::Silent { server: "PostgreSQL" }),
            };
            let ids = bodies.iter().filter_map(|body| body.strip_prefix(&text)?.parse().ok());
            Ok(Some(Found {
                ids: ids.collect(),
                ordered: false,
            }))
        }
        .boxed()
    }

    fn remove(&self, _: u32, _: u16) -> BoxFuture<'_, Result<(), DoorError>> {
        async { Ok(()) }.boxed()
    }

    fn leave(&self) -> BoxFuture<'_, Result<(), DoorError>> {
        async move {
            // Each is tried, whatever becomes of the others.
            let deletions: Vec<_> = self.accounts.iter().map(|account| self.delete(account)).collect();
            let deleted: Vec<_> = stream::iter(deletions).buffer_unordered(AT_A_TIME).collect().await;
            deleted.into_iter().collect()
        }
        .boxed()
    }
}

struct Writer {
    url: String,
    http: reqwest::Client,
    text: String,
    account: Arc<Account>,
}

impl Client for Writer {
    fn write(&mut self, id: u64) -> BoxFuture<'_, Outcome> {
        self.post(id).boxed()
    }
}

impl Writer {
    async fn post(&self, id: u64) -> Outcome {
        let body = json!({"text": format!("{}{id}", self.text)});
        let key = format!("{}{id}", self.text).replace(' ', "-");
        let begin = Instant::now();
        while begin.elapsed() < REPEAT {
            let token = self.account.held().map(|(_, token)| token).unwrap_or_default();
            let request = self
                .http
                .post(&self.url)
                .bearer_auth(token)
                .header("Idempotency-Key", &key);
            match request.json(&body).send().await.map(|answer| answer.status().as_u16()) {
                Ok(201) => return Outcome::Acknowledged,
                // What was attempted before under this key may have been done.
                Ok(400..=407 | 410..=428) => return Outcome::Unknown,
                Ok(_) | Err(_) => sleep(PAUSE).await,
            }
        }
        Outcome::Unknown
    }
}
