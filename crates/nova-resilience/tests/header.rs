//! No header extends a deadline, and none panics.

use std::time::Duration;

use http::HeaderValue;
use nova_resilience::header::{budget, format, parse};
use proptest::prelude::*;

#[test]
fn what_a_header_may_say() {
    let said = |text: &'static str| parse(&HeaderValue::from_static(text));
    assert_eq!(said("0"), Some(Duration::ZERO));
    assert_eq!(said("1500"), Some(Duration::from_millis(1500)));
    assert_eq!(said("0000007"), Some(Duration::from_millis(7)));
    assert_eq!(said("9999999"), Some(Duration::from_millis(9_999_999)));
    for text in [
        "",
        " 1",
        "1 ",
        "+1",
        "-1",
        "1.5",
        "1e3",
        "0x1",
        "1s",
        "10000000",
        "00000001",
        "18446744073709551616",
        "NaN",
    ] {
        assert_eq!(said(text), None, "{text:?}");
    }
}

#[test]
fn a_budget_is_rounded_down() {
    assert_eq!(format(Duration::from_micros(1999)), "1");
    assert_eq!(format(Duration::from_micros(999)), "0");
    assert_eq!(format(Duration::MAX), "9999999");
}

#[test]
fn an_expired_budget_is_none_at_all() {
    let own = Duration::from_secs(3);
    assert_eq!(budget(own, Some(&HeaderValue::from_static("0"))), Duration::ZERO);
    assert_eq!(budget(own, Some(&HeaderValue::from_static("-1"))), own);
    assert_eq!(budget(own, None), own);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_extend_a_deadline(bytes in prop::collection::vec(any::<u8>(), 0..40), own in 0_u64..100_000) {
        let own = Duration::from_millis(own);
        if let Ok(value) = HeaderValue::from_bytes(&bytes) {
            prop_assert!(budget(own, Some(&value)) <= own);
        }
    }

    #[test]
    fn only_one_to_seven_digits_count(text in "[0-9]{0,9}|[0-9+\\-. a]{0,9}") {
        let value = HeaderValue::from_str(&text).unwrap();
        let expected = ((1..=7).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit()))
            .then(|| Duration::from_millis(text.parse().unwrap()));
        prop_assert_eq!(parse(&value), expected);
    }

    #[test]
    fn what_is_written_is_read(micros in 0_u64..9_999_999_000) {
        let budget = Duration::from_micros(micros);
        let read = parse(&format(budget)).unwrap();
        prop_assert!(read <= budget && budget - read < Duration::from_millis(1));
    }
}
