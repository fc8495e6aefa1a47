//! Where the operations of a drill go, and what the platform promises of each.

use std::fmt;

use nova_platform::components::DrillDoor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where operations go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Store {
    /// Rows through the gateway's door to the primary.
    Postgres,
    /// List elements, on the master that the Sentinels name.
    Redis,
    /// Records with acks=all and idempotence.
    Kafka,
    /// Posts through user-service, each repeated with its idempotency key until it is answered.
    Posts,
    /// Reading requests through the gateway, never repeated by the client.
    Requests,
}

impl Store {
    /// Those whose content is looked at afterwards.
    pub const JUDGED: [Self; 4] = [Self::Postgres, Self::Redis, Self::Kafka, Self::Posts];

    /// Whether what it holds is looked at afterwards.
    #[must_use]
    pub fn is_judged(self) -> bool {
        Self::JUDGED.contains(&self)
    }

    /// Whether the platform promises to lose nothing that was acknowledged.
    #[must_use]
    pub fn keeps_everything(self) -> bool {
        matches!(self, Self::Postgres | Self::Kafka | Self::Posts)
    }

    /// Operations a second when nothing was asked for. Each post is a transaction with an idempotency record, and each
    /// request a token's worth of work: fewer of them than of bare writes.
    #[must_use]
    pub fn default_rate(self) -> u32 {
        match self {
            Self::Postgres | Self::Redis | Self::Kafka => 500,
            Self::Posts => 50,
            Self::Requests => 200,
        }
    }
}

impl From<DrillDoor> for Store {
    fn from(door: DrillDoor) -> Self {
        match door {
            DrillDoor::Postgres => Self::Postgres,
            DrillDoor::Redis => Self::Redis,
            DrillDoor::Kafka => Self::Kafka,
            DrillDoor::Posts => Self::Posts,
            DrillDoor::Requests => Self::Requests,
        }
    }
}

impl fmt::Display for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Postgres => "postgres",
            Self::Redis => "redis",
            Self::Kafka => "kafka",
            Self::Posts => "posts",
            Self::Requests => "requests",
        })
    }
}
