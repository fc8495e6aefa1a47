//! Why a leader did not step down.

use std::time::Duration;

use nova_member::hand_over::HandOverError;
use nova_platform::components::ComponentId;
use nova_platform::endpoints::HostPort;
use nova_platform::secrets::SecretsError;
use rdkafka::error::KafkaError;
use tokio::task::JoinError;

/// What was asked of whom, and what came back.
#[derive(Debug, thiserror::Error)]
pub enum SwitchoverError {
    /// Nobody leads there.
    #[error("{component} has no leader that could be asked to step down; postgres, redis and kafka have")]
    NoLeader {
        /// Which component.
        component: ComponentId,
    },
    /// Whoever was named as its leader does not belong to it.
    #[error("{leader} is no {store} member")]
    NoMember {
        /// Who was named.
        leader: String,
        /// Of which store.
        store: &'static str,
    },
    /// It was not done in time.
    #[error("the switchover of {component} was not done within {} s", .within.as_secs())]
    TimedOut {
        /// Of which component.
        component: ComponentId,
        /// How long was waited.
        within: Duration,
    },
    /// A password is missing.
    #[error(transparent)]
    Secret(#[from] SecretsError),
    /// A leader did not hand over.
    #[error("{leader}: {error}")]
    HandOver {
        /// Who leads.
        leader: String,
        /// Why not.
        error: HandOverError,
    },
    /// The thread that asked for it ended.
    #[error("the switchover was not asked for: {0}")]
    Thread(JoinError),
    /// The brokers could not be asked who leads.
    #[error("the brokers do not say who leads: {0}")]
    Unseen(KafkaError),
    /// The thread that a Kafka client worked on ended.
    #[error("the Kafka client failed: {0}")]
    KafkaThread(JoinError),
    /// The leader is none of the brokers that the others know.
    #[error("{leader} ({address}) is not among the registered brokers")]
    NotRegistered {
        /// Who.
        leader: String,
        /// Where it should be.
        address: HostPort,
    },
    /// There is nothing to give up.
    #[error("{leader} leads none of the drill's partitions")]
    LeadsNothing {
        /// Who.
        leader: String,
    },
    /// Nobody could take a partition over.
    #[error("partition {partition} of {topic} has no other copy in sync that could lead")]
    NoSuccessor {
        /// Which partition.
        partition: i32,
        /// Of which topic.
        topic: String,
    },
    /// A broker refused.
    #[error("{address}: {request} was refused: {refused}")]
    BrokerRefused {
        /// Which broker.
        address: HostPort,
        /// What was asked.
        request: &'static str,
        /// What it said.
        refused: Refusals,
    },
    /// A broker's answer is in no form that is known.
    #[error("{address}: the answer to {request} is not understood")]
    NotUnderstood {
        /// Which broker.
        address: HostPort,
        /// What was asked.
        request: &'static str,
    },
    /// No broker answered; each with what happened.
    #[error("no broker answers {request}: {}", .tried.join("; "))]
    NoBroker {
        /// What was asked.
        request: &'static str,
        /// Each broker, and what happened.
        tried: Vec<String>,
    },
    /// Partitions were not led by others in time.
    #[error("the brokers have not changed leaders within {} s: {}", .within.as_secs(), .waiting.join("; "))]
    Unsettled {
        /// How long was waited.
        within: Duration,
        /// The partitions that still were not.
        waiting: Vec<String>,
    },
}

/// What a broker says of a request that it did not do, or not all of.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", joined(.0))]
pub struct Refusals(pub Vec<Refusal>);

/// One thing that a broker did not do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The request as a whole.
    #[error("{}", coded(*.code, .said))]
    Whole {
        /// Kafka's error code.
        code: i16,
        /// Kafka's words, which may be none.
        said: String,
    },
    /// What was asked of one partition.
    #[error("partition {partition} of {topic}: {}", coded(*.code, .said))]
    Partition {
        /// Which partition.
        partition: i32,
        /// Of which topic.
        topic: String,
        /// Kafka's error code.
        code: i16,
        /// Kafka's words, which may be none.
        said: String,
    },
}

fn coded(code: i16, said: &str) -> String {
    match said {
        "" => format!("error code {code}"),
        said => format!("error code {code} ({said})"),
    }
}

fn joined<E: ToString>(errors: &[E]) -> String {
    errors.iter().map(E::to_string).collect::<Vec<_>>().join("; ")
}
