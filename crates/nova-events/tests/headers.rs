//! Envelopes and versions there and back, as headers of Kafka and as lines of PostgreSQL's log.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use nova_events::{Envelope, HeaderError, MAX_EVENT_BYTES, Version, Written, WrittenError};
use proptest::prelude::*;
use time::OffsetDateTime;
use uuid::Uuid;

fn envelope() -> Envelope {
    Envelope {
        id: Uuid::now_v7(),
        kind: "nova.accounts.registered.v1".to_owned(),
        source: "/auth-service".to_owned(),
        subject: Uuid::now_v7().to_string(),
        time: OffsetDateTime::from_unix_timestamp_nanos(1_795_000_000_123_456_000).unwrap(),
        traceparent: Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_owned()),
    }
}

fn borrowed<'h>(headers: &'h [(&'static str, String)]) -> Vec<(&'static str, Option<&'h [u8]>)> {
    headers
        .iter()
        .map(|(name, value)| (*name, Some(value.as_bytes())))
        .collect()
}

#[test]
fn an_envelope_survives_its_headers() {
    for traceparent in [None, envelope().traceparent] {
        let envelope = Envelope {
            traceparent,
            ..envelope()
        };
        let headers = envelope.headers();
        assert_eq!(Envelope::from_headers(borrowed(&headers)), Ok(envelope));
    }
}

#[test]
fn headers_are_named_as_agreed() {
    let (envelope, version) = (
        envelope(),
        Version {
            epoch: 1,
            lsn: 2,
            ordinal: 3,
        },
    );
    let names: Vec<_> = envelope
        .headers()
        .into_iter()
        .chain(version.headers())
        .map(|(name, _)| name)
        .collect();
    assert_eq!(
        names,
        [
            "ce_specversion",
            "ce_id",
            "ce_type",
            "ce_source",
            "ce_subject",
            "ce_time",
            "content-type",
            "traceparent",
            "nova_epoch",
            "nova_lsn",
            "nova_ordinal"
        ]
    );
}

#[test]
fn what_is_missing_or_wrong_is_named() {
    let headers = envelope().headers();
    let without: Vec<_> = headers.iter().filter(|(name, _)| *name != "ce_type").cloned().collect();
    assert_eq!(
        Envelope::from_headers(borrowed(&without)),
        Err(HeaderError::Missing("ce_type"))
    );
    let mut other = headers.clone();
    other[0].1 = "2.0".to_owned();
    let error = Envelope::from_headers(borrowed(&other)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the record's header ce_specversion is \"2.0\", which is no 1.0"
    );
    let error = Version::from_headers([("nova_epoch", Some(&b"4294967296"[..]))]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the record's header nova_epoch is \"4294967296\", which is no number in range"
    );
}

#[test]
fn what_is_no_event_is_refused() {
    let written = Written {
        topic: "nova.accounts".to_owned(),
        envelope: envelope(),
        body: b"{}".to_vec(),
    };
    let bytes = written.encode().unwrap();
    assert_eq!(Written::decode(&bytes).unwrap(), written);
    assert!(matches!(Written::decode(b"{}"), Err(WrittenError::NoEnvelope)));
    assert!(matches!(Written::decode(b"{}\n{}"), Err(WrittenError::Envelope(_))));
    assert!(matches!(
        Written::decode(&bytes[..bytes.len() - 1]),
        Err(WrittenError::Body(_))
    ));
    let large = Written {
        body: vec![b' '; MAX_EVENT_BYTES],
        ..written
    };
    assert!(matches!(large.encode(), Err(WrittenError::TooLarge { .. })));
}

proptest! {
    #[test]
    fn versions_survive_their_headers_and_keep_their_order(one: (u32, u64, u32), other: (u32, u64, u32)) {
        let of = |(epoch, lsn, ordinal)| Version { epoch, lsn, ordinal };
        let headers = of(one).headers();
        prop_assert_eq!(Version::from_headers(borrowed(&headers)), Ok(of(one)));
        prop_assert_eq!(of(one).cmp(&of(other)), one.cmp(&other));
    }

    #[test]
    fn no_bytes_make_the_reader_of_the_log_panic(bytes: Vec<u8>) {
        let _ = Written::decode(&bytes);
    }
}
