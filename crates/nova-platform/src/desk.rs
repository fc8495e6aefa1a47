//! What people ask about events: topics, how far consumers are, what was put aside, and what is to become of it.
//!
//! [`Desk`] answers from where the stores can be reached: on one machine the tool itself, in a cluster a program there. A request and an
//! answer are one line of JSON each. What consumers keep is in the schemas of the services (`consumer_offsets`,
//! `consumer_dead_letters`, made by the chassis); nothing here applies an event: that is the consumer's, which is only asked to.

mod kafka;
mod letters;
mod offsets;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use sqlx::postgres::PgConnection;
use thiserror::Error;

use crate::components::Kind;
use crate::endpoints::Endpoints;
use crate::postgres_login::{Login, explain};
use crate::provision::{ProvisionError, SUPERUSER_SECRET, Tenancy, password};
use crate::secrets::Secrets;
use crate::spec::Spec;
use kafka::Kafka;

pub use kafka::{Seen, TopicSeen};
pub use letters::{Letter, LetterSeen};
pub use offsets::PlaceSeen;

/// How long one statement waits for a lock: a consumer holds its partition's for one batch.
const LOCK: Duration = Duration::from_secs(5);

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case")]
pub enum Request {
    /// The topics.
    Topics,
    /// How far each consumer is in each partition.
    Lag,
    /// The last records of a topic.
    Tail {
        /// Which.
        topic: String,
        /// How many of each partition.
        count: u16,
    },
    /// What is put aside.
    Letters {
        /// By this consumer; by all when not said.
        consumer: Option<String>,
    },
    /// One of them, whole.
    Letter {
        /// By which consumer.
        consumer: String,
        /// Its number.
        id: i64,
    },
    /// Have the consumer apply again what is put aside.
    Redrive {
        /// Which consumer.
        consumer: String,
        /// Of these the whole keys; all when none is said.
        ids: Vec<i64>,
    },
    /// Give up what is put aside.
    Drop {
        /// Which consumer.
        consumer: String,
        /// These; all when none is said.
        ids: Vec<i64>,
    },
    /// Have a consumer begin anew with what Kafka has.
    Reset {
        /// Which consumer.
        consumer: String,
        /// Of this topic.
        topic: String,
        /// What was applied has its effect again, where it is otherwise passed over.
        again: bool,
    },
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Answer {
    /// The topics.
    Topics {
        /// By name.
        topics: Vec<TopicSeen>,
    },
    /// How far each consumer is.
    Lag {
        /// By consumer, topic and partition.
        places: Vec<PlaceSeen>,
    },
    /// Records.
    Tail {
        /// By partition and offset.
        records: Vec<Seen>,
    },
    /// What is put aside.
    Letters {
        /// The oldest first.
        letters: Vec<LetterSeen>,
    },
    /// One of them.
    Letter {
        /// It.
        letter: Box<Letter>,
    },
    /// How many rows a change concerned.
    Changed {
        /// How many.
        count: u64,
    },
    /// It could not be answered.
    Refused {
        /// Why, in words.
        why: String,
    },
}

/// Why a question has no answer.
#[derive(Debug, Error)]
pub enum DeskError {
    /// What is needed to ask is not there.
    #[error(transparent)]
    Provision(#[from] ProvisionError),
    /// PostgreSQL did not answer as it should.
    #[error("PostgreSQL: {0}")]
    Postgres(String),
    /// Kafka did not answer as it should.
    #[error("Kafka: {0}")]
    Kafka(String),
    /// There is no such topic.
    #[error("there is no topic {name}; `nova events topics` lists them")]
    NoTopic {
        /// As it was typed.
        name: String,
    },
    /// There is no such consumer.
    #[error("no service has a consumer {name}; `nova events lag` lists them")]
    NoConsumer {
        /// As it was typed.
        name: String,
    },
    /// There is no such event.
    #[error("{consumer} has put aside no event {id}; `nova events dlq list` lists them")]
    NoLetter {
        /// By whom.
        consumer: String,
        /// As it was typed.
        id: i64,
    },
}

impl From<sqlx::Error> for DeskError {
    fn from(error: sqlx::Error) -> Self {
        Self::Postgres(explain(&error))
    }
}

/// See the module.
pub struct Desk {
    kafka: Kafka,
    superuser: Login,
    tenancies: Vec<Tenancy>,
    endpoints: Endpoints,
}

impl Desk {
    /// Nothing is connected yet.
    ///
    /// # Errors
    /// When a secret is missing.
    pub fn new(spec: &Spec, endpoints: &Endpoints, secrets: &Secrets) -> Result<Self, DeskError> {
        Ok(Self {
            kafka: Kafka::new(&endpoints.of(Kind::Kafka)),
            superuser: Login::superuser(password(secrets, SUPERUSER_SECRET)?),
            tenancies: Tenancy::all(spec, secrets)?,
            endpoints: endpoints.clone(),
        })
    }

    /// Answers; what cannot be answered is an answer as well.
    pub async fn answer(&self, request: &Request) -> Answer {
        self.try_answer(request)
            .await
            .unwrap_or_else(|error| Answer::Refused { why: error.to_string() })
    }

    async fn try_answer(&self, request: &Request) -> Result<Answer, DeskError> {
        Ok(match request {
            Request::Topics => Answer::Topics {
                topics: self.kafka.topics().await?,
            },
            Request::Tail { topic, count } => Answer::Tail {
                records: self.kafka.tail(topic, *count).await?,
            },
            Request::Lag => Answer::Lag {
                places: self.lag().await?,
            },
            Request::Letters { consumer } => Answer::Letters {
                letters: self.letters(consumer.as_deref()).await?,
            },
            Request::Letter { consumer, id } => {
                let mut desk = self.desk_of(consumer).await?;
                let letter = letters::one(&mut desk, consumer, *id).await?;
                Answer::Letter {
                    letter: Box::new(letter.ok_or_else(|| DeskError::NoLetter {
                        consumer: consumer.clone(),
                        id: *id,
                    })?),
                }
            }
            Request::Redrive { consumer, ids } => Answer::Changed {
                count: letters::redrive(&mut self.desk_of(consumer).await?, consumer, ids).await?,
            },
            Request::Drop { consumer, ids } => Answer::Changed {
                count: letters::drop(&mut self.desk_of(consumer).await?, consumer, ids).await?,
            },
            Request::Reset { consumer, topic, again } => Answer::Changed {
                count: offsets::reset(&mut self.desk_of(consumer).await?, consumer, topic, *again).await?,
            },
        })
    }

    async fn lag(&self) -> Result<Vec<PlaceSeen>, DeskError> {
        let mut places = Vec::new();
        for mut schema in self.schemas().await? {
            places.extend(offsets::places(&mut schema).await?);
        }
        self.kafka.ends(&mut places).await?;
        Ok(places)
    }

    async fn letters(&self, consumer: Option<&str>) -> Result<Vec<LetterSeen>, DeskError> {
        let mut all = Vec::new();
        for mut schema in self.schemas().await? {
            all.extend(letters::list(&mut schema, consumer).await?);
        }
        Ok(all)
    }

    /// A connection for each schema that has consumers, with that schema in its search path.
    async fn schemas(&self) -> Result<Vec<PgConnection>, DeskError> {
        let mut found = Vec::new();
        for tenancy in &self.tenancies {
            let Some(own) = &tenancy.own else { continue };
            let mut connection = self
                .superuser
                .connect(&self.endpoints.primary, &tenancy.database, LOCK)
                .await?;
            sqlx::query("select set_config('search_path', $1, false), set_config('statement_timeout', '30s', false)")
                .bind(&own.schema)
                .execute(&mut connection)
                .await?;
            let there: bool = sqlx::query_scalar("select to_regclass('consumer_dead_letters') is not null")
                .fetch_one(&mut connection)
                .await?;
            if there {
                found.push(connection);
            }
        }
        Ok(found)
    }

    /// The schema that has this consumer's rows.
    async fn desk_of(&self, consumer: &str) -> Result<PgConnection, DeskError> {
        for mut schema in self.schemas().await? {
            let has: bool = sqlx::query_scalar(
                "select exists (select from consumer_offsets where consumer = $1)
                     or exists (select from consumer_dead_letters where consumer = $1)",
            )
            .bind(consumer)
            .fetch_one(&mut schema)
            .await?;
            if has {
                return Ok(schema);
            }
        }
        Err(DeskError::NoConsumer {
            name: consumer.to_owned(),
        })
    }
}

impl std::fmt::Debug for Desk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Desk").finish_non_exhaustive()
    }
}
