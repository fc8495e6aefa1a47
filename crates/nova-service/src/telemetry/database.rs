//! Turns sqlx's event about each statement into a metric.

use metrics::histogram;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::names;

/// Words that a statement of ours begins with; anything else counts as "other", so that labels stay few.
const OPERATIONS: &[&str] = &[
    "select", "insert", "update", "delete", "with", "begin", "commit", "rollback",
];

/// The layer; it sees sqlx's statements and nothing else.
pub(super) fn layer<S>() -> impl Layer<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    Statements.with_filter(Targets::new().with_target("sqlx::query", LevelFilter::DEBUG))
}

struct Statements;

impl<S: Subscriber> Layer<S> for Statements {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut statement = Statement {
            operation: "other",
            seconds: None,
        };
        event.record(&mut statement);
        if let Some(seconds) = statement.seconds {
            histogram!(names::DB_DURATION, "db_system_name" => "postgresql", "db_operation_name" => statement.operation).record(seconds);
        }
    }
}

struct Statement {
    operation: &'static str,
    seconds: Option<f64>,
}

impl Visit for Statement {
    fn record_f64(&mut self, field: &Field, value: f64) {
        if field.name() == "elapsed_secs" {
            self.seconds = Some(value);
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "summary" {
            let word = value.split_whitespace().next().unwrap_or_default();
            self.operation = OPERATIONS
                .iter()
                .find(|known| known.eq_ignore_ascii_case(word))
                .copied()
                .unwrap_or("other");
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
}
