//! Posts through user-service, as an application sends them: with an idempotency key, and repeated under it until there is
//! an answer.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::future::BoxFuture;
use nova_platform::explained::root_cause;
use nova_platform::provision::SUPERUSER_SECRET;
use serde_json::{Value, json};
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection};
use tokio::time::timeout;

use super::{Client, Door, PATIENCE, Site, Store, WHOLE, secret};
use crate::judge::Found;
use crate::ledger::Outcome;

/// How long one post is repeated.
const REPEAT: Duration = Duration::from_secs(60);
/// Pause between two attempts.
const PAUSE: Duration = Duration::from_millis(50);
/// Access tokens live 15 minutes.
const FRESH: Duration = Duration::from_secs(300);

/// See the module.
pub(super) struct Posts {
    users: String,
    auth: String,
    database: PgConnectOptions,
    select: String,
    http: reqwest::Client,
    account: Value,
    /// In every post's text, so that those of other drills are not counted.
    mark: String,
    token: Arc<Mutex<Option<(Instant, String)>>>,
}

impl Posts {
    pub(super) fn new(site: &Site<'_>) -> Result<Self, String> {
        let missing = |service: &str| format!("this platform has no {service}, through which posts are written");
        let at = |service: &str| {
            let endpoints = site.endpoints.services.get(service).ok_or_else(|| missing(service))?;
            Ok::<_, String>(format!("http://{}/api/v1", endpoints.gateway))
        };
        let users = site
            .spec
            .services
            .get("user-service")
            .ok_or_else(|| missing("user-service"))?;
        let primary = &site.endpoints.primary;
        let mark = uuid::Uuid::new_v4().to_string();
        Ok(Self {
            users: at("user-service")?,
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
            select: format!("select body from \"{}\".posts where body like $1", users.schema),
            http: http()?,
            account: json!({"email": format!("drill-{mark}@example.org"), "password": uuid::Uuid::new_v4().to_string()}),
            mark,
            token: Arc::default(),
        })
    }

    async fn call(&self, request: reqwest::RequestBuilder, wanted: u16) -> Result<Value, String> {
        let answer = request.send().await.map_err(|error| root_cause(&error))?;
        let (url, status) = (answer.url().to_string(), answer.status().as_u16());
        let body = answer.text().await.map_err(|error| root_cause(&error))?;
        if status != wanted {
            return Err(format!("{url} answered {status}: {body}"));
        }
        Ok(serde_json::from_str(&body).unwrap_or(Value::Null))
    }

    /// An account of the drill's own, and a token of it that is not about to end.
    async fn log_in(&self) -> Result<(), String> {
        let held = self.token.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if held.as_ref().is_some_and(|(since, _)| since.elapsed() < FRESH) {
            return Ok(());
        }
        if held.is_none() {
            let register = self.http.post(format!("{}/auth/register", self.auth));
            self.call(register.json(&self.account), 201).await?;
        }
        let login = self.http.post(format!("{}/auth/login", self.auth));
        let tokens = self.call(login.json(&self.account), 200).await?;
        let token = tokens["access_token"]
            .as_str()
            .ok_or("auth-service gave no access token")?;
        let held = (Instant::now(), token.to_owned());
        *self.token.lock().unwrap_or_else(PoisonError::into_inner) = Some(held);
        Ok(())
    }

    fn text(&self, run: u32) -> String {
        format!("drill {} {run} ", self.mark)
    }
}

fn http() -> Result<reqwest::Client, String> {
    reqwest::Client::builder()
        .no_proxy()
        .timeout(PATIENCE)
        .build()
        .map_err(|error| format!("the HTTP client could not start: {error}"))
}

impl Door for Posts {
    fn store(&self) -> Store {
        Store::Posts
    }

    fn prepare(&self, _: u32) -> BoxFuture<'_, Result<(), String>> {
        self.log_in().boxed()
    }

    fn client(&self, run: u32, _: u16) -> Result<Box<dyn Client>, String> {
        Ok(Box::new(Writer {
            url: format!("{}/posts", self.users),
            // Its own connections, as every client has.
            http: http()?,
            text: self.text(run),
            token: self.token.clone(),
        }))
    }

    fn found(&self, run: u32, _: u16) -> BoxFuture<'_, Result<Option<Found>, String>> {
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
                Ok(Err(error)) => return Err(format!("PostgreSQL: {error}")),
                Err(_) => return Err(format!("PostgreSQL did not answer within {} s", WHOLE.as_secs())),
            };
            let ids = bodies.iter().filter_map(|body| body.strip_prefix(&text)?.parse().ok());
            Ok(Some(Found {
                ids: ids.collect(),
                ordered: false,
            }))
        }
        .boxed()
    }

    fn remove(&self, _: u32, _: u16) -> BoxFuture<'_, Result<(), String>> {
        async { Ok(()) }.boxed()
    }

    /// Deleting the account removes everything that it did.
    fn leave(&self) -> BoxFuture<'_, Result<(), String>> {
        async move {
            let held = self.token.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let Some((_, token)) = held else { return Ok(()) };
            let delete = self
                .http
                .delete(format!("{}/auth/account", self.auth))
                .bearer_auth(token);
            let body = json!({"password": self.account["password"]});
            self.call(delete.json(&body), 204).await.map(drop)
        }
        .boxed()
    }
}

struct Writer {
    url: String,
    http: reqwest::Client,
    text: String,
    token: Arc<Mutex<Option<(Instant, String)>>>,
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
            let token = self.token.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let token = token.map(|(_, token)| token).unwrap_or_default();
            let request = self
                .http
                .post(&self.url)
                .bearer_auth(token)
                .header("Idempotency-Key", &key);
            match request.json(&body).send().await.map(|answer| answer.status().as_u16()) {
                Ok(201) => return Outcome::Acknowledged,
                // What was attempted before under this key may have been done.
                Ok(400..=407 | 410..=428) => return Outcome::Unknown,
                Ok(_) | Err(_) => tokio::time::sleep(PAUSE).await,
            }
        }
        Outcome::Unknown
    }
}
