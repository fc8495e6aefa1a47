//! A small service that shows what the chassis does.

use std::sync::Arc;

use axum::http::StatusCode;
use nova_service::config::{PostgresConfig, RedisConfig, ServerConfig};
use nova_service::{
    Caller, IdempotencyKey, Json, List, Page, Path, Postgres, Problem, ProblemBody, Redis, Service, TokenVerifier,
    idempotency,
};
use reqwest::Response;
use serde::{Deserialize, Serialize};
use sqlx::migrate::Migrator;
use tokio::sync::Notify;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use axum::extract::{FromRef, State};
use axum::routing::{get, post};
use fred::interfaces::KeysInterface;

pub(crate) static MIGRATOR: Migrator = sqlx::migrate!("tests/migrations");

#[derive(Clone)]
pub(crate) struct Shop {
    postgres: Postgres,
    redis: Option<Redis>,
    verifier: TokenVerifier,
    pub(crate) held: Arc<Held>,
}

/// A request that waits until the test lets it go.
#[derive(Default)]
pub(crate) struct Held {
    pub(crate) arrived: Notify,
    pub(crate) go: Notify,
}

impl FromRef<Shop> for TokenVerifier {
    fn from_ref(shop: &Shop) -> Self {
        shop.verifier.clone()
    }
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Note {
    pub(crate) text: String,
}

/// A service with a database and nothing else.
pub(crate) fn shop(server: ServerConfig, database: &PostgresConfig) -> (Service, Arc<Held>) {
    build(server, database, None, TokenVerifier::local("nobody", "nova", "shop"))
}

pub(crate) fn shop_with_redis(server: ServerConfig, database: &PostgresConfig, redis: &RedisConfig) -> Service {
    build(
        server,
        database,
        Some(redis),
        TokenVerifier::local("nobody", "nova", "shop"),
    )
    .0
}

pub(crate) fn shop_with_verifier(server: ServerConfig, database: &PostgresConfig, verifier: TokenVerifier) -> Service {
    build(server, database, None, verifier).0
}

fn build(
    server: ServerConfig,
    database: &PostgresConfig,
    redis: Option<&RedisConfig>,
    verifier: TokenVerifier,
) -> (Service, Arc<Held>) {
    let postgres = Postgres::new(database);
    let redis = redis.map(|config| Redis::new(config).unwrap());
    let held = Arc::new(Held::default());
    let shop = Shop {
        postgres: postgres.clone(),
        redis: redis.clone(),
        verifier: verifier.clone(),
        held: held.clone(),
    };
    let routes = OpenApiRouter::new()
        .routes(routes!(create_note, list_notes))
        .route("/notes/{id}", get(one_note))
        .route("/whoami", get(who))
        .route("/cached", get(cached))
        .route("/panic", get(|| async { panic_now() }).post(|| async { panic_now() }))
        .route("/wait", get(wait))
        .route("/write-slowly", post(write_slowly))
        .route("/plain", get(|| async { "plain" }))
        .with_state(shop);
    let mut service = Service::new("shop", "1.2.3", server)
        .postgres(&postgres, &MIGRATOR)
        .identity(&verifier)
        .routes(routes);
    if let Some(redis) = &redis {
        service = service.redis(redis);
    }
    (service, held)
}

#[utoipa::path(post, path = "/notes", request_body = Note,
    responses((status = 201, body = Note), (status = 422, body = ProblemBody)))]
async fn create_note(
    State(shop): State<Shop>,
    key: Option<IdempotencyKey>,
    Json(note): Json<Note>,
) -> Result<idempotency::Answer, Problem> {
    let attempt = idempotency::Attempt::new(key, Uuid::nil(), "create_note", &note)?;
    attempt
        .run(&shop.postgres, |tx| {
            Box::pin(async move {
                let id = Uuid::now_v7();
                sqlx::query("insert into notes (id, text) values ($1, $2)")
                    .bind(id)
                    .bind(&note.text)
                    .execute(tx)
                    .await?;
                Ok((StatusCode::CREATED, serde_json::json!({ "id": id, "text": note.text })))
            })
        })
        .await
}

#[utoipa::path(get, path = "/notes", params(Page), responses((status = 200, body = List<String>)))]
async fn list_notes(State(shop): State<Shop>, page: Page) -> Result<Json<List<Uuid>>, Problem> {
    let after: Option<Uuid> = page.cursor()?;
    let ids = sqlx::query_scalar("select id from notes where $1::uuid is null or id > $1 order by id limit $2")
        .bind(after)
        .bind(page.limit() + 1)
        .fetch_all(shop.postgres.replicas()?)
        .await?;
    Ok(Json(List::page(ids, &page, |id| *id)))
}

async fn one_note(State(shop): State<Shop>, Path(id): Path<Uuid>) -> Result<Json<Note>, Problem> {
    let text: Option<String> = sqlx::query_scalar("select text from notes where id = $1")
        .bind(id)
        .fetch_optional(shop.postgres.primary()?)
        .await?;
    text.map(|text| Json(Note { text }))
        .ok_or_else(|| Problem::not_found("there is no such note"))
}

async fn who(caller: Caller) -> String {
    caller.account.to_string()
}

/// Uses Redis when it is there and goes on without it.
async fn cached(State(shop): State<Shop>) -> &'static str {
    let Some(redis) = &shop.redis else { return "no redis" };
    match redis.client() {
        Ok(client) if client.incr::<i64, _>("hits").await.is_ok() => "with redis",
        _ => "without redis",
    }
}

async fn wait(State(shop): State<Shop>) -> &'static str {
    shop.held.arrived.notify_one();
    shop.held.go.notified().await;
    "waited"
}

async fn write_slowly(State(shop): State<Shop>) -> Result<&'static str, Problem> {
    let held = shop.held.clone();
    shop.postgres
        .write::<_, Problem, _>(|tx| {
            Box::pin(async move {
                held.arrived.notify_one();
                held.go.notified().await;
                sqlx::query("insert into notes (id, text) values ($1, 'slow')")
                    .bind(Uuid::now_v7())
                    .execute(tx)
                    .await?;
                Ok(())
            })
        })
        .await?;
    Ok("written")
}

fn panic_now() -> String {
    panic!("on purpose")
}

/// Checks that an answer is a well-formed problem with this code, and returns its body.
pub(crate) async fn problem(response: Response, status: u16, code: &str) -> ProblemBody {
    let (got, kind) = (
        response.status().as_u16(),
        response.headers().get("content-type").cloned(),
    );
    let id = response.headers().get("x-request-id").cloned();
    let text = response.text().await.unwrap();
    assert_eq!(
        kind.as_ref().map(|kind| kind.as_bytes()),
        Some(&b"application/problem+json"[..]),
        "{got} {text}"
    );
    let body: ProblemBody = serde_json::from_str(&text).unwrap();
    assert_eq!((got, body.status, body.code.as_str()), (status, status, code), "{text}");
    assert_eq!(
        body.request_id.as_deref(),
        id.as_ref().and_then(|id| id.to_str().ok()),
        "{text}"
    );
    body
}
