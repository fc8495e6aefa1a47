//! Where Kafka is.

use clap::Args;

use super::value::Address;

/// Kafka.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Kafka")]
pub struct KafkaConfig {
    /// Brokers to begin with, separated by commas; they tell of the others.
    #[arg(
        id = "kafka-brokers",
        long = "kafka-brokers",
        env = "NOVA_KAFKA_BOOTSTRAP",
        value_name = "HOST:PORT,..",
        value_delimiter = ',',
        required = true
    )]
    pub brokers: Vec<Address>,
}

impl KafkaConfig {
    /// The brokers as a client of Kafka is told them.
    pub fn bootstrap(&self) -> String {
        let brokers: Vec<_> = self.brokers.iter().map(ToString::to_string).collect();
        brokers.join(",")
    }
}
