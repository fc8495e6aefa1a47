//! What all clients of Kafka have in common.

use rdkafka::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::KafkaError;
use rdkafka::statistics::Statistics;

/// What every client starts from.
const COMMON: [(&str, &str); 8] = [
    ("broker.address.family", "v4"),
    ("log.connection.close", "false"),
    ("enable.metrics.push", "false"),
    ("reconnect.backoff.ms", "20"),
    ("reconnect.backoff.max.ms", "500"),
    ("retry.backoff.ms", "20"),
    ("socket.connection.setup.timeout.ms", "1000"),
    ("socket.nagle.disable", "true"),
];

/// librdkafka's own words, for whoever debugs; what matters comes back as errors.
#[derive(Clone, Copy)]
pub(super) struct Quiet;

impl ClientContext for Quiet {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        tracing::debug!(target: "librdkafka", ?level, facility, "{message}");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(target: "librdkafka", %error, reason, "error");
    }

    fn stats(&self, _: Statistics) {}
}

impl ConsumerContext for Quiet {}

/// A configuration for these brokers.
pub(super) fn config(bootstrap: &str, settings: &[(&str, &str)]) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("client.id", "nova-cdc")
        .set("bootstrap.servers", bootstrap)
        .set_log_level(RDKafkaLogLevel::Warning);
    for (key, value) in COMMON.iter().chain(settings) {
        config.set(*key, *value);
    }
    config
}
