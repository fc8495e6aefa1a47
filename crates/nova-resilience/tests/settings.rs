//! Settings that make no sense are refused by name.

use std::time::Duration;

use nova_resilience::Settings;

type Change = fn(&mut Settings);

#[test]
fn the_defaults_make_sense() {
    Settings::default().validate().unwrap();
}

#[test]
fn what_makes_no_sense_is_named() {
    let zero = Duration::ZERO;
    let cases: Vec<(&str, Change)> = vec![
        ("timeout", |s| s.timeout = Duration::ZERO),
        ("timeout", |s| s.timeout = Duration::MAX),
        ("retry_delay", |s| s.retry_delay = Duration::ZERO),
        ("retry_delay", |s| {
            s.retry_delay = Duration::from_secs(4);
            s.retry_delay_max = Duration::from_secs(4);
        }),
        ("retry_delay_max", |s| s.retry_delay_max = Duration::from_millis(99)),
        ("retry_max", |s| s.retry_max = 11),
        ("retry_max", |s| s.retry_max = u32::MAX),
        ("budget_ratio", |s| s.budget_ratio = 0.0),
        ("budget_ratio", |s| s.budget_ratio = f64::NAN),
        ("budget_floor", |s| s.budget_floor = u32::MAX),
        ("limit", |s| s.limit = 0),
        ("limit", |s| s.limit = usize::MAX),
        ("pool_wait", |s| s.pool_wait = s.timeout),
        ("breaker_window", |s| s.breaker_window = Duration::ZERO),
        ("breaker_minimum_calls", |s| s.breaker_minimum_calls = 0),
        ("breaker_failure_ratio", |s| s.breaker_failure_ratio = 1.01),
        ("breaker_failure_ratio", |s| s.breaker_failure_ratio = -0.5),
        ("breaker_failure_ratio", |s| s.breaker_failure_ratio = f64::INFINITY),
        ("breaker_slow_call", |s| s.breaker_slow_call = Duration::ZERO),
        ("breaker_slow_ratio", |s| s.breaker_slow_ratio = f64::NAN),
        ("breaker_open", |s| s.breaker_open = Duration::ZERO),
        ("breaker_probes", |s| s.breaker_probes = 0),
        ("breaker_probe_timeout", |s| s.breaker_probe_timeout = Duration::ZERO),
    ];
    for (setting, change) in cases {
        let mut settings = Settings::default();
        change(&mut settings);
        let error = settings.validate().unwrap_err();
        assert_eq!(error.setting, setting, "{error}");
        assert!(error.to_string().starts_with(setting));
    }
    let no_queue = Settings {
        pool_wait: zero,
        ..Settings::default()
    };
    no_queue.validate().unwrap();
}
