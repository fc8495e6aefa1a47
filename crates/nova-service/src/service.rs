//! A service's life: built from its parts, started, served, drained.

mod accept;
mod arrival;
mod cors;
mod gate;
mod init;
mod life;
mod listen;
mod observe;
mod openapi;
mod part;
mod per_client;
mod probes;
mod process;
mod sense;
mod settings;

use std::future::Future;
use std::sync::Arc;

use axum::middleware::from_fn_with_state;
use futures::FutureExt;
use futures::future::BoxFuture;
use sqlx::migrate::Migrator;
use tokio_util::sync::CancellationToken;
use utoipa_axum::router::OpenApiRouter;

pub use life::Running;
pub use listen::Listeners;
pub use part::{PartState, Unavailable};
pub use process::start;

use crate::config::ServerConfig;
use crate::http::Code;
use crate::postgres::idempotency;
use crate::{Client, Postgres, Redis, TokenVerifier};
use accept::MediaTypes;
use cors::Cors;
use gate::Gate;
use init::{Initialisation, Part};
use life::Life;
use observe::Strangers;
use probes::Status;

type Task = Box<dyn FnOnce(CancellationToken) -> BoxFuture<'static, ()> + Send>;
type Gauge = Box<dyn Fn() + Send + Sync>;

/// A service before it is started.
pub struct Service {
    name: &'static str,
    version: &'static str,
    config: ServerConfig,
    parts: Vec<Part>,
    states: Vec<PartState>,
    background: Vec<(&'static str, Task)>,
    gauges: Vec<Gauge>,
    codes: &'static [&'static Code],
    routes: OpenApiRouter,
    databases: Vec<Postgres>,
    redis: Vec<Redis>,
    clients: Vec<Client>,
    verifier: Option<TokenVerifier>,
}

impl Service {
    /// A service without parts and routes.
    pub fn new(name: &'static str, version: &'static str, config: ServerConfig) -> Self {
        Self {
            name,
            version,
            config,
            parts: Vec::new(),
            states: Vec::new(),
            background: Vec::new(),
            gauges: Vec::new(),
            codes: &[],
            routes: OpenApiRouter::new(),
            databases: Vec::new(),
            redis: Vec::new(),
            clients: Vec::new(),
            verifier: None,
        }
    }

    /// A part that the service cannot exist without: tried again until it succeeds, and nothing is served before.
    #[must_use]
    pub fn required<F, R>(mut self, name: &'static str, init: F) -> Self
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        self.parts.push(Part {
            name,
            required: true,
            init: Box::new(move || init().boxed()),
        });
        self
    }

    /// A part that is initialised beside the others, and that the service starts without.
    #[must_use]
    pub fn optional<F, R>(mut self, name: &'static str, init: F) -> Self
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        self.parts.push(Part {
            name,
            required: false,
            init: Box::new(move || init().boxed()),
        });
        self
    }

    /// A part whose state readiness shows; whoever holds the state keeps it up to date.
    #[must_use]
    pub fn state(mut self, state: &PartState) -> Self {
        self.states.push(state.clone());
        self
    }

    /// A task that runs beside the requests until the token is cancelled.
    #[must_use]
    pub fn background<F, R>(mut self, name: &'static str, task: F) -> Self
    where
        F: FnOnce(CancellationToken) -> R + Send + 'static,
        R: Future<Output = ()> + Send + 'static,
    {
        self.background.push((name, Box::new(move |stop| task(stop).boxed())));
        self
    }

    /// PostgreSQL with the service's migrations: required.
    #[must_use]
    pub fn postgres(mut self, postgres: &Postgres, migrator: &'static Migrator) -> Self {
        let (migrating, watching, cleaning, measured) =
            (postgres.clone(), postgres.clone(), postgres.clone(), postgres.clone());
        self.databases.push(postgres.clone());
        self.gauges.push(Box::new(move || measured.measure()));
        self.state(postgres.primary_state())
            .state(postgres.replicas_state())
            .required("database", move || {
                let postgres = migrating.clone();
                async move {
                    postgres.migrate(migrator).await?;
                    // The first request must not find a door that its watcher has not tried yet.
                    postgres.until_primary().await;
                    Ok(())
                }
            })
            .background("database", |stop| watching.watch(stop))
            .background("idempotency", |stop| idempotency::clean(cleaning, stop))
    }

    /// Redis: optional.
    #[must_use]
    pub fn redis(mut self, redis: &Redis) -> Self {
        let watching = redis.clone();
        self.redis.push(redis.clone());
        self.state(redis.state())
            .background("redis", |stop| watching.watch(stop))
    }

    /// The issuer of access tokens: optional, though without its keys no token can be verified.
    #[must_use]
    pub fn identity(mut self, verifier: &TokenVerifier) -> Self {
        self.verifier = Some(verifier.clone());
        let Some(state) = verifier.state().cloned() else {
            return self;
        };
        let watching = verifier.clone();
        // Its state tells whether there are keys, which says more than whether calls pass.
        let this = match verifier.client() {
            Some(client) => self.called(client),
            None => self,
        };
        this.state(&state).background("identity", |stop| watching.watch(stop))
    }

    /// Another service that is called: optional. Whatever the service calls is named here, once each: settings for calls
    /// to anyone else are refused at start.
    #[must_use]
    pub fn client(self, client: &Client) -> Self {
        let watching = client.clone();
        self.called(client)
            .state(client.state())
            .background(client.dependency(), |stop| watching.watch(stop))
    }

    fn called(mut self, client: &Client) -> Self {
        let measured = client.clone();
        self.gauges.push(Box::new(move || measured.measure()));
        self.clients.push(client.clone());
        self
    }

    /// The service's own codes of problems, for OpenAPI.
    #[must_use]
    pub fn codes(mut self, codes: &'static [&'static Code]) -> Self {
        self.codes = codes;
        self
    }

    /// Adds routes; their state is already in them.
    #[must_use]
    pub fn routes(mut self, routes: OpenApiRouter) -> Self {
        self.routes = self.routes.merge(routes);
        self
    }

    /// The configuration that the service was made with.
    pub fn config(&self) -> &ServerConfig {
        &self.config
    }

    /// Listens as configured, serves until SIGTERM or SIGINT, drains.
    pub async fn run(self) -> anyhow::Result<()> {
        let listeners = Listeners::bind(&self.config).await?;
        let stop = CancellationToken::new();
        let signals = process::stop_on_signals(stop.clone())?;
        let result = self.serve(listeners, stop).await?.finished().await;
        signals.abort();
        result
    }

    /// Starts on sockets that are already bound, until `stop` is cancelled. For tests: both may be on port 0.
    ///
    /// # Errors
    /// When settings make no sense together.
    pub async fn serve(self, listeners: Listeners, stop: CancellationToken) -> anyhow::Result<Running> {
        sense::check(&self.config, &self.databases, &self.redis, &self.clients)?;
        crate::telemetry::install_metrics();
        settings::publish(&self.config);
        let Self {
            name,
            version,
            config,
            parts,
            states,
            background,
            gauges,
            codes,
            routes,
            databases,
            redis: _,
            clients: _,
            verifier,
        } = self.background("metrics", crate::telemetry::upkeep);
        let (api, operations) = (listeners.api.local_addr()?, listeners.operations.local_addr()?);
        let status = Arc::new(Status::new(name, version, states, gauges));
        let gate = Arc::new(Gate::new(&config, status.clone()));
        let (routes, document) = openapi::finish(name, version, routes, codes);
        let routes = routes.layer(from_fn_with_state(MediaTypes::of(&document), accept::judge));
        let (cors, strangers) = (Cors::new(&config.cors_origins), Strangers::new(verifier, &config));
        let router = gate::close(routes, gate.clone(), cors, strangers);

        let background = life::Background::start(
            background,
            Initialisation {
                parts,
                status: status.clone(),
            },
        );
        let life = Life {
            config,
            gate,
            status,
            background,
            databases,
            stop,
        };
        let life = tokio::spawn(life.run(listeners, router));
        tracing::info!(service = name, version, %api, %operations, "listening");
        Ok(Running::new(api, operations, life))
    }
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Service")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
