//! Why a store's door could not be opened, written through, or looked behind.

use fred::error::Error as RedisError;
use nova_platform::explained::root_cause;
use nova_platform::secrets::SecretsError;
use rdkafka::error::KafkaError;
use tokio::task::JoinError;

use super::WHOLE;

/// What was tried at a door, on what, and what came back.
#[derive(Debug, thiserror::Error)]
pub enum DoorError {
    /// A password is missing.
    #[error(transparent)]
    Secret(#[from] SecretsError),
    /// The service that is asked is not part of the platform.
    #[error("this platform has no service {service}")]
    NoService {
        /// Which one.
        service: String,
    },
    /// The service that is asked has no door at the gateway.
    #[error("{service} is not public, so no client can ask it anything: drill one that it serves instead")]
    NotPublic {
        /// Which one.
        service: String,
    },
    /// A service that posts go through is not part of the platform.
    #[error("this platform has no {service}, through which posts are written")]
    NoWayForPosts {
        /// Which one.
        service: &'static str,
    },
    /// An HTTP client could not be made.
    #[error("the HTTP client could not start: {0}")]
    HttpClient(reqwest::Error),
    /// A Kafka client could not be made.
    #[error("the Kafka {role} could not start: {error}")]
    KafkaClient {
        /// What it was to be.
        role: &'static str,
        /// What librdkafka says.
        error: KafkaError,
    },
    /// A Redis client could not be made.
    #[error("the Redis client could not start: {0}")]
    RedisClient(RedisError),
    /// PostgreSQL refused, or the connection to it broke.
    #[error("PostgreSQL: {0}")]
    Postgres(sqlx::Error),
    /// Redis refused, or the connection to it broke.
    #[error("Redis: {0}")]
    Redis(RedisError),
    /// Something could not be done with a run's topic.
    #[error("topic {topic} could not be {wanted}: {error}")]
    Topic {
        /// Which topic.
        topic: String,
        /// `made` or `removed`.
        wanted: &'static str,
        /// What the brokers or librdkafka say.
        error: KafkaError,
    },
    /// A run's topic could not be read.
    #[error("reading {topic}: {error}")]
    Reading {
        /// Which topic.
        topic: String,
        /// What librdkafka says.
        error: KafkaError,
    },
    /// A run's topic did not come to its end.
    #[error("{topic} could not be read to its end within {} s{}", WHOLE.as_secs(), behind_colon(.last.as_ref()))]
    Unread {
        /// Which topic.
        topic: String,
        /// What librdkafka said last.
        last: Option<KafkaError>,
    },
    /// A server did not answer in time.
    #[error("{server} did not answer within {} s", WHOLE.as_secs())]
    Silent {
        /// Which one.
        server: &'static str,
    },
    /// Something is where a run writes that the run did not write.
    #[error("{place} holds {what}")]
    Foreign {
        /// Where it is.
        place: String,
        /// What it is.
        what: String,
    },
    /// A service could not be reached.
    #[error("{}", root_cause(.0))]
    Http(reqwest::Error),
    /// A service answered something else than was asked for.
    #[error("{url} answered {status}: {body}")]
    Answered {
        /// What was asked.
        url: String,
        /// The HTTP status.
        status: u16,
        /// What it said.
        body: String,
    },
    /// auth-service let a user in without telling how that user is known from then on.
    #[error("auth-service gave no access token")]
    NoToken,
    /// A request's body cannot be sent a second time.
    #[error("a request that cannot be repeated")]
    Unrepeatable,
    /// The thread that a Kafka client worked on ended.
    #[error("the Kafka client failed: {0}")]
    KafkaThread(JoinError),
}

fn behind_colon(error: Option<&KafkaError>) -> String {
    error.map_or_else(String::new, |error| format!(": {error}"))
}
