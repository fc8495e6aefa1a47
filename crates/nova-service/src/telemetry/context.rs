//! The identity of the request at hand: its id, and its place in a distributed trace (W3C Trace Context).

use std::fmt::Write;

use axum::http::{HeaderMap, HeaderValue};
use nova_resilience::Deadline;
use opentelemetry::trace::TraceContextExt;
use tracing_opentelemetry::OpenTelemetrySpanExt;
use uuid::Uuid;

/// The header that carries a request's id in both directions.
pub const REQUEST_ID: &str = "x-request-id";
/// The header that carries a trace.
pub(crate) const TRACEPARENT: &str = "traceparent";

tokio::task_local! {
    /// Set for the whole of a request, also in the task that a write runs in.
    pub(crate) static CURRENT: RequestContext;
}

/// Identity of one request.
#[derive(Clone, Debug)]
pub(crate) struct RequestContext {
    pub(crate) request_id: String,
    pub(crate) trace: Trace,
    /// When its answer must be there; set by the gate.
    pub(crate) deadline: Option<Deadline>,
}

/// A place in a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Trace {
    pub(crate) trace_id: u128,
    pub(crate) parent_id: u64,
    pub(crate) sampled: bool,
    /// Whether it came with the request or was made here.
    pub(crate) remote: bool,
}

impl RequestContext {
    /// One that nobody knows yet.
    pub(crate) fn new() -> Self {
        Self::from_headers(&HeaderMap::new())
    }

    /// Takes over what a known caller sent where it is well-formed, and makes up the rest.
    pub(crate) fn from_headers(headers: &HeaderMap) -> Self {
        let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        let request_id = text(REQUEST_ID)
            .filter(|id| plausible(id))
            .map_or_else(|| Uuid::now_v7().to_string(), ToOwned::to_owned);
        let trace = text(TRACEPARENT).and_then(Trace::parse).unwrap_or_else(Trace::new);
        Self {
            request_id,
            trace,
            deadline: None,
        }
    }
}

impl Trace {
    fn new() -> Self {
        // Zero is not a valid id.
        Self {
            trace_id: rand::random::<u128>() | 1,
            parent_id: rand::random::<u64>() | 1,
            sampled: true,
            remote: false,
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let mut fields = text.split('-');
        let (version, trace, parent, flags) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
        let hex = |text: &str, length| {
            text.len() == length && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        };
        let known = version != "00" || fields.next().is_none();
        if !known || version == "ff" || !hex(version, 2) || !hex(trace, 32) || !hex(parent, 16) || !hex(flags, 2) {
            return None;
        }
        let trace_id = u128::from_str_radix(trace, 16).ok().filter(|id| *id != 0)?;
        let parent_id = u64::from_str_radix(parent, 16).ok().filter(|id| *id != 0)?;
        let sampled = u8::from_str_radix(flags, 16).ok()? & 1 == 1;
        Some(Self {
            trace_id,
            parent_id,
            sampled,
            remote: true,
        })
    }
}

/// The present request's identity; a new one outside of any.
pub(crate) fn current() -> RequestContext {
    CURRENT.try_with(Clone::clone).unwrap_or_else(|_| RequestContext::new())
}

/// The present request's id, inside a request.
pub fn request_id() -> Option<String> {
    CURRENT.try_with(|context| context.request_id.clone()).ok()
}

/// When the present request's answer must be there, inside a request: whatever is done for it has no longer.
pub fn deadline() -> Option<Deadline> {
    CURRENT.try_with(|context| context.deadline).ok().flatten()
}

/// Adds the present request's id and trace to the headers of a call that is made for it.
pub fn inject(headers: &mut HeaderMap) {
    let Ok(context) = CURRENT.try_with(Clone::clone) else {
        return;
    };
    let span = tracing::Span::current().context();
    let span = span.span().span_context().clone();
    let (trace_id, parent_id, sampled) = if span.is_valid() {
        (
            u128::from_be_bytes(span.trace_id().to_bytes()),
            u64::from_be_bytes(span.span_id().to_bytes()),
            span.is_sampled(),
        )
    } else {
        (context.trace.trace_id, rand::random::<u64>() | 1, context.trace.sampled)
    };
    let mut text = String::with_capacity(55);
    // Writing to a string cannot fail.
    let _ = write!(text, "00-{trace_id:032x}-{parent_id:016x}-{:02x}", u8::from(sampled));
    for (name, value) in [(TRACEPARENT, text), (REQUEST_ID, context.request_id)] {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    }
}

/// The present request's place in its trace, inside a request.
pub(crate) fn traceparent() -> Option<String> {
    let mut headers = HeaderMap::new();
    inject(&mut headers);
    let value = headers.get(TRACEPARENT)?;
    value.to_str().ok().map(ToOwned::to_owned)
}

fn plausible(id: &str) -> bool {
    (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn takes_over_a_wellformed_trace() {
        let trace = Trace::parse(GOOD);
        let wanted = Trace {
            trace_id: 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736,
            parent_id: 0x00f0_67aa_0ba9_02b7,
            sampled: true,
            remote: true,
        };
        assert_eq!(trace, Some(wanted));
    }

    #[test]
    fn ignores_a_malformed_one() {
        let zero = "00-00000000000000000000000000000000-00f067aa0ba902b7-01";
        let long = format!("{GOOD}-extra");
        for wrong in [
            "",
            "00",
            zero,
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            &GOOD.to_uppercase(),
            &long,
        ] {
            assert_eq!(Trace::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_request_id_with_odd_characters_is_replaced() {
        let mut headers = HeaderMap::new();
        headers.insert(REQUEST_ID, HeaderValue::from_static("a\" b"));
        assert_ne!(RequestContext::from_headers(&headers).request_id, "a\" b");
        headers.insert(REQUEST_ID, HeaderValue::from_static("abc-1.2_3"));
        assert_eq!(RequestContext::from_headers(&headers).request_id, "abc-1.2_3");
    }
}
