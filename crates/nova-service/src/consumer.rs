//! Events from Kafka, each with its effect once.
//!
//! A [`Consumer`] is a member of a group, whose members share the partitions of some topics. For each partition it has, it reads batches
//! and gives each to the service's [`Handler`] together with a transaction of PostgreSQL; the place in the topic is stored by the same
//! transaction. So however a member dies, is slow or loses its partition, an event has its effect and is behind the place, or neither.
//!
//! - `group` is the membership, `partition` the life of one partition, `kafka` what librdkafka is told;
//! - [`Sink`] is where effects and place are kept together: `postgres` for a [`Handler`], an index's commit elsewhere;
//! - what cannot be applied is *put aside*, and later events of its key behind it, in order (`postgres/letters`), until somebody asks
//!   for them again (`postgres/redrive`) or gives them up; `copier` shows them in Kafka;
//! - `health` and `watch` say how it is.

mod copier;
mod error;
mod group;
mod handler;
mod health;
mod kafka;
mod partition;
mod postgres;
mod record;
mod sink;
mod steps;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use tokio_util::sync::CancellationToken;

pub use error::HandlerError;
pub use handler::Handler;
pub use postgres::Guard;
pub use record::{Entry, Event, Record};
pub use sink::{Applied, Condemned, Offered, Place, Redriven, Sink, SinkError, Step};
pub use steps::Point;

use crate::Postgres;
use crate::config::KafkaConfig;
use crate::service::{PartState, Service};
use health::Health;
use postgres::PostgresSink;
use steps::Steps;

/// Reads some topics for a service.
///
/// ```no_run
/// # use nova_service::{Postgres, Service, config::{KafkaConfig, ServerConfig}};
/// # use nova_service::consumer::{Consumer, Handler};
/// # fn service(server: ServerConfig, postgres: Postgres, kafka: KafkaConfig, handler: impl Handler) -> Service {
/// let accounts = Consumer::new("user-service.accounts", &["nova.accounts"], &kafka, &postgres, handler);
/// Service::new("user-service", "1.0.0", server).consumer(accounts)
/// # }
/// ```
pub struct Consumer {
    name: &'static str,
    settings: Settings,
    effects: Effects,
    steps: Steps,
    health: Arc<Health>,
}

enum Effects {
    Postgres {
        postgres: Postgres,
        handler: Box<dyn Handler>,
        guard: Guard,
        limit: u32,
    },
    Sink(Arc<dyn Sink>),
}

/// How a consumer reads.
#[derive(Clone, Debug)]
struct Settings {
    kafka: KafkaConfig,
    topics: Vec<&'static str>,
    batch: usize,
    attempts: u32,
    deadline: Duration,
    session: Duration,
}

/// What the parts of a running consumer share.
struct Shared {
    consumer: &'static str,
    settings: Settings,
    sink: Arc<dyn Sink>,
    steps: Steps,
    health: Arc<Health>,
}

impl Consumer {
    /// A consumer whose effects are in the service's PostgreSQL. Its name is the group's, and stays: another one begins anew.
    pub fn new(
        name: &'static str,
        topics: &[&'static str],
        kafka: &KafkaConfig,
        postgres: &Postgres,
        handler: impl Handler,
    ) -> Self {
        let effects = Effects::Postgres {
            postgres: postgres.clone(),
            handler: Box::new(handler),
            guard: Guard::Newest,
            limit: 1000,
        };
        Self::with(name, topics, kafka, effects)
    }

    /// A consumer whose effects are elsewhere, together with its place.
    pub fn into_sink(name: &'static str, topics: &[&'static str], kafka: &KafkaConfig, sink: impl Sink) -> Self {
        Self::with(name, topics, kafka, Effects::Sink(Arc::new(sink)))
    }

    fn with(name: &'static str, topics: &[&'static str], kafka: &KafkaConfig, effects: Effects) -> Self {
        Self {
            name,
            settings: Settings {
                kafka: kafka.clone(),
                topics: topics.to_vec(),
                batch: 100,
                attempts: 5,
                deadline: Duration::from_secs(3),
                session: Duration::from_secs(6),
            },
            effects,
            steps: Steps::default(),
            health: Arc::new(Health::new(name)),
        }
    }

    /// Who keeps old events from having an effect; the chassis when not said.
    #[must_use]
    pub fn guard(mut self, by: Guard) -> Self {
        if let Effects::Postgres { guard, .. } = &mut self.effects {
            *guard = by;
        }
        self
    }

    /// How many records a transaction has at most; 100 when not said.
    #[must_use]
    pub fn batch(mut self, records: usize) -> Self {
        self.settings.batch = records.max(1);
        self
    }

    /// How often an event is tried that may itself be why it fails; 5 times when not said.
    #[must_use]
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.settings.attempts = attempts.max(1);
        self
    }

    /// How long a handler may take for a batch; 3 s when not said.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.settings.deadline = deadline;
        self
    }

    /// After how long without a sign of life the others take over; 6 s when not said, which brokers take as the least.
    #[must_use]
    pub fn session(mut self, session: Duration) -> Self {
        self.settings.session = session;
        self
    }

    /// How many events of one partition may be put aside before it stops; 1000 when not said.
    #[must_use]
    pub fn most_dead_letters(mut self, most: u32) -> Self {
        if let Effects::Postgres { limit, .. } = &mut self.effects {
            *limit = most;
        }
        self
    }

    /// Is called at each step of the consumer's life. For tests, which have it die there.
    #[must_use]
    pub fn at_each_step(mut self, hook: impl Fn(Point) -> BoxFuture<'static, ()> + Send + Sync + 'static) -> Self {
        self.steps = Steps::new(hook);
        self
    }

    /// Its name, which is the group's.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Its state, for readiness.
    pub fn state(&self) -> &PartState {
        self.health.part()
    }

    /// Reads until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        let Self {
            name: consumer,
            settings,
            effects,
            steps,
            health,
        } = self;
        let (sink, database): (Arc<dyn Sink>, _) = match effects {
            Effects::Sink(sink) => (sink, None),
            Effects::Postgres {
                postgres,
                handler,
                guard,
                limit,
            } => {
                let sink = PostgresSink {
                    postgres: postgres.clone(),
                    handler,
                    guard,
                    limit,
                    attempts: settings.attempts,
                    deadline: settings.deadline,
                    steps: steps.clone(),
                };
                (Arc::new(sink), Some(postgres))
            }
        };
        let kafka = settings.kafka.clone();
        let shared = Arc::new(Shared {
            consumer,
            settings,
            sink,
            steps,
            health,
        });
        let reading = group::run(shared, stop.clone());
        match database {
            Some(database) => {
                futures::join!(reading, copier::copy(consumer, database, kafka, stop));
            }
            None => reading.await,
        }
    }
}

impl Service {
    /// A consumer of events: optional, and shown as a part of its own name.
    #[must_use]
    pub fn consumer(self, consumer: Consumer) -> Self {
        let name = consumer.name();
        self.state(&consumer.state().clone())
            .background(name, |stop| consumer.run(stop))
    }
}

impl std::fmt::Debug for Consumer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Consumer")
            .field("name", &self.name)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
