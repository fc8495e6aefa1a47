//! The numeric settings in force, as metrics.

use std::time::Duration;

use metrics::gauge;

use crate::config::ServerConfig;
use crate::telemetry::names;

pub(super) fn publish(config: &ServerConfig) {
    let numbers = [
        ("max_body_bytes", f64::from(config.max_body_bytes)),
        ("max_header_bytes", f64::from(config.max_header_bytes)),
        ("max_headers", f64::from(config.max_headers)),
        ("max_in_flight", f64::from(config.max_in_flight)),
        ("max_unfinished_per_client", f64::from(config.max_unfinished_per_client)),
        (
            "max_connections_per_client",
            f64::from(config.max_connections_per_client),
        ),
        ("max_connections", f64::from(config.max_connections)),
    ];
    let durations = [
        ("request_timeout", config.request_timeout),
        ("header_timeout", config.header_timeout),
        ("drain_delay", config.drain_delay),
        ("drain_timeout", config.drain_timeout),
    ];
    let durations = durations.map(|(name, value)| (name, Duration::as_secs_f64(&value)));
    for (name, value) in numbers.into_iter().chain(durations) {
        gauge!(names::SETTING, "name" => name).set(value);
    }
}
