//! What an HTTP answer or a broken connection means for the breaker and for a retry.

use std::time::Duration;

use axum::http::{StatusCode, header};
use nova_resilience::{Classify, Health, Repeat, Verdict};

use super::answer::Answer;
use super::failed::TransportError;

/// 5xx and broken connections are the host's failures; 4xx is the caller's own.
#[derive(Clone, Copy, Debug)]
pub(super) struct HttpClassify;

impl Classify<Answer, TransportError> for HttpClassify {
    fn classify(&self, result: Result<&Answer, &TransportError>) -> Verdict {
        match result {
            Ok(answer) => of_answer(answer),
            Err(TransportError::Connect(_)) => Verdict::unsent(),
            Err(TransportError::Lost(_)) => Verdict::failure(),
            // It answers, if too much; once more would be as much again.
            Err(TransportError::TooLarge) => Verdict::success(),
        }
    }
}

fn of_answer(answer: &Answer) -> Verdict {
    let verdict = match answer.status {
        // The host is well, and asks for patience.
        StatusCode::TOO_MANY_REQUESTS => Verdict {
            health: Health::Good,
            repeat: Repeat::IfRepeatable,
            retry_after: None,
        },
        // It will never do this.
        StatusCode::NOT_IMPLEMENTED | StatusCode::HTTP_VERSION_NOT_SUPPORTED => Verdict::success(),
        // Otherwise callers with tiny deadlines could open the breaker for everyone.
        _ if answer.is_hurried() => Verdict {
            health: Health::Unknown,
            ..Verdict::failure()
        },
        status if status.is_server_error() => Verdict::failure(),
        _ => return Verdict::success(),
    };
    let verdict = match retry_after(answer) {
        Some(wait) => verdict.after(wait),
        None => verdict,
    };
    if answer.is_final() { verdict.last() } else { verdict }
}

/// `Retry-After` in seconds. As a date it would need clocks that agree: it is ignored.
fn retry_after(answer: &Answer) -> Option<Duration> {
    let text = answer.headers.get(header::RETRY_AFTER)?.to_str().ok()?;
    text.trim()
        .parse::<u32>()
        .ok()
        .map(|seconds| Duration::from_secs(u64::from(seconds)))
}

#[cfg(test)]
mod tests {
    use axum::body::Bytes;
    use axum::http::{HeaderMap, HeaderName, HeaderValue};
    use nova_resilience::header::DO_NOT_RETRY_HEADER;

    use super::*;

    fn verdict(status: u16, headers: &[(&'static str, &'static str)]) -> Verdict {
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        let status = StatusCode::from_u16(status).unwrap_or_default();
        HttpClassify.classify(Ok(&Answer::new(status, headers, Bytes::new())))
    }

    #[test]
    fn server_errors_are_failures_and_the_callers_mistakes_are_not() {
        for status in [200, 204, 304, 400, 401, 404, 409, 422, 501] {
            assert_eq!(verdict(status, &[]), Verdict::success(), "{status}");
        }
        for status in [500, 502, 503, 504] {
            assert_eq!(verdict(status, &[]), Verdict::failure(), "{status}");
        }
        assert_eq!(verdict(429, &[]).health, Health::Good);
        assert_eq!(verdict(429, &[]).repeat, Repeat::IfRepeatable);
    }

    #[test]
    fn retry_after_is_seconds_and_nothing_else() {
        assert_eq!(
            verdict(503, &[("retry-after", "2")]).retry_after,
            Some(Duration::from_secs(2))
        );
        for odd in [
            "",
            "-1",
            "1.5",
            "soon",
            "99999999999999999999",
            "Wed, 21 Oct 2026 07:28:00 GMT",
        ] {
            assert_eq!(verdict(503, &[("retry-after", odd)]).retry_after, None, "{odd}");
        }
    }

    #[test]
    fn a_host_that_was_given_too_little_time_is_not_blamed() {
        let answer = |status| Answer::new(status, HeaderMap::new(), Bytes::new()).with_little_time(true);
        let verdict = HttpClassify.classify(Ok(&answer(StatusCode::GATEWAY_TIMEOUT)));
        assert_eq!(
            (verdict.health, verdict.repeat),
            (Health::Unknown, Repeat::IfRepeatable)
        );
        let verdict = HttpClassify.classify(Ok(&answer(StatusCode::INTERNAL_SERVER_ERROR)));
        assert_eq!(verdict, Verdict::failure());
    }

    #[test]
    fn what_a_tier_below_has_repeated_is_passed_up() {
        let marked = verdict(503, &[(DO_NOT_RETRY_HEADER, "1")]);
        assert_eq!((marked.health, marked.repeat), (Health::Bad, Repeat::Never));
    }
}
