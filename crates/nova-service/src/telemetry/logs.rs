//! Log lines on stdout: JSON, or text on a terminal.

use std::io::{self, IsTerminal};
use std::panic::PanicHookInfo;

use tracing::Subscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::registry::LookupSpan;

use crate::config::LogFormat;

/// The layer that writes log lines.
pub(super) fn layer<S>(format: Option<LogFormat>) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let format = format.unwrap_or(if io::stdout().is_terminal() {
        LogFormat::Text
    } else {
        LogFormat::Json
    });
    let layer = tracing_subscriber::fmt::layer().with_writer(io::stdout);
    match format {
        LogFormat::Text => layer.with_ansi(io::stdout().is_terminal()).with_target(false).boxed(),
        LogFormat::Json => layer.json().flatten_event(true).with_span_list(false).boxed(),
    }
}

/// A panic becomes a log line like any other.
pub(super) fn panic(info: &PanicHookInfo<'_>) {
    let message = info.payload_as_str().unwrap_or("no message");
    let location = info.location().map(ToString::to_string).unwrap_or_default();
    tracing::error!(cause = message, location, "panic");
}
