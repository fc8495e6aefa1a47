//! Each rule seen to fire at its line, for the platform and for one dependency.

#![allow(clippy::unwrap_used, reason = "a test that fails there has found what it looks for")]

use proptest::prelude::*;

use crate::load::parse;

const OVERRIDE: &str = "[services.user-service.calls.auth-service]";

/// Each problem as "line: message (help)".
fn refused(text: &str) -> Vec<String> {
    let error = parse(text, "nova.toml").expect_err("this must be refused");
    let told = |problem: &crate::load::Reported| {
        let line = problem.line().unwrap_or_default();
        let help = problem.help().map_or_else(String::new, |help| format!(" ({help})"));
        format!("{line}: {}{help}", problem.message())
    };
    error.problems().map(told).collect()
}

/// The one problem of a single setting, platform-wide and for one dependency.
fn both(setting: &str) -> String {
    let platform = refused(&format!("[calls]\n{setting}\n"));
    let own = refused(&format!("{OVERRIDE}\n{setting}\n"));
    assert_eq!((platform.len(), own.len()), (1, 1), "{platform:?} {own:?}");
    let rest = own[0].replace("services.user-service.calls.auth-service.", "calls.");
    assert_eq!(platform[0], rest);
    assert!(
        own[0].starts_with("2: services.user-service.calls.auth-service."),
        "{own:?}"
    );
    platform.into_iter().next().unwrap()
}

fn warned(text: &str) -> Vec<String> {
    let platform = parse(text, "nova.toml").unwrap();
    platform.warnings.into_iter().map(|warning| warning.key).collect()
}

#[test]
fn durations_and_counts_have_bounds() {
    for name in [
        "timeout",
        "connect_timeout",
        "idle_timeout",
        "pool_wait",
        "retry_delay",
        "retry_delay_max",
        "breaker_window",
        "breaker_slow_call",
        "breaker_open",
        "breaker_probe_timeout",
    ] {
        for (value, shown) in [("0s", "0s"), ("11m", "11m")] {
            assert_eq!(
                both(&format!("{name} = \"{value}\"")),
                format!("2: calls.{name} is {shown}: it must be from 1ms to 10m")
            );
        }
        assert!(both(&format!("{name} = \"-1s\"")).contains("is not a duration"));
    }
    for (name, value, bounds) in [
        ("pool_size", 0, "1 to 10000"),
        ("retry_max", 11, "0 to 10"),
        ("retry_floor", 1001, "0 to 1000"),
        ("breaker_minimum_calls", 0, "1 to 1000000"),
        ("breaker_probes", 0, "1 to 10000"),
    ] {
        assert_eq!(
            both(&format!("{name} = {value}")),
            format!("2: calls.{name} is {value}: it must be from {bounds}")
        );
    }
    assert!(both("retry_max = -1").contains("it must be a whole number from 0"));
}

#[test]
fn ratios_are_shares() {
    for name in ["retry_budget", "breaker_failure_ratio", "breaker_slow_ratio"] {
        for value in ["0.0", "-0.5", "1.01", "nan", "inf", "0", "2"] {
            let told = both(&format!("{name} = {value}"));
            assert!(
                told.ends_with("it is a share, and must be above 0 and at most 1"),
                "{told}"
            );
        }
        assert!(parse(&format!("[calls]\n{name} = 1\n"), "nova.toml").is_ok(), "{name}");
        assert!(both(&format!("{name} = \"0.5\"")).contains("must be a float such as 0."));
    }
}

#[test]
fn what_contradicts_says_why() {
    let default = |name: &str, value: &str| format!("(calls.{name} has its default, \"{value}\")");
    for (setting, why, other) in [
        (
            "connect_timeout = \"3s\"",
            "calls.connect_timeout: a connection that takes 3s leaves nothing of a call's 3s for the answer",
            default("timeout", "3s"),
        ),
        (
            "pool_wait = \"4s\"",
            "calls.pool_wait: a call that waited 4s for a place has nothing left of its 3s",
            default("timeout", "3s"),
        ),
        (
            "retry_delay = \"1s 1ms\"",
            "calls.retry_delay: the first pause, 1s 1ms, is longer than the longest, 1s",
            default("retry_delay_max", "1s"),
        ),
        (
            "breaker_slow_call = \"3s 1ms\"",
            "calls.breaker_slow_call: no call lasts longer than 3s, so none would ever count as slow at 3s 1ms",
            default("timeout", "3s"),
        ),
        (
            "breaker_probes = 51",
            "calls.breaker_probes: 51 probes do not fit into 50 calls in flight",
            "(calls.pool_size has its default, 50)".to_owned(),
        ),
    ] {
        assert_eq!(both(setting), format!("2: {why} {other}"));
    }
    assert_eq!(
        both("idle_timeout = \"15s\""),
        "2: calls.idle_timeout: services close a connection that is idle for 15s, so with 15s a call may meet one that is just \
         being closed"
    );
    let late = refused("[calls]\nretry_delay = \"3s\"\nretry_delay_max = \"5s\"\n");
    assert_eq!(
        late,
        [
            "2: calls.retry_delay: a call is over after 3s, before its first retry could begin after 3s (calls.timeout has its \
             default, \"3s\")"
        ]
    );
}

#[test]
fn the_limits_themselves_are_allowed() {
    let text = "[calls]\ntimeout = \"1s\"\nconnect_timeout = \"999ms\"\nidle_timeout = \"14s 999ms\"\nretry_delay = \"500ms\"\n\
                retry_delay_max = \"500ms\"\nbreaker_slow_call = \"1s\"\nbreaker_probes = 5\npool_size = 5\nretry_max = 0\n\
                retry_floor = 0\nretry_budget = 0.5\n";
    assert_eq!(warned(text), [""; 0]);
}

#[test]
fn an_override_is_judged_over_the_platforms_values() {
    let text = format!(
        "[calls]\nconnect_timeout = \"800ms\"\nbreaker_slow_call = \"500ms\"\n{OVERRIDE}\ntimeout = \"700ms\"\n"
    );
    assert_eq!(
        refused(&text),
        ["2: calls.connect_timeout: a connection that takes 800ms leaves nothing of a call's 700ms for the answer"]
    );
    // A conflict of the platform's own is told once, and one that an override ends is none of its.
    let text = format!("[calls]\nconnect_timeout = \"4s\"\n{OVERRIDE}\nretry_max = 1\n");
    assert_eq!(refused(&text).len(), 1);
    let text = format!("{OVERRIDE}\ntimeout = \"900ms\"\nconnect_timeout = \"100ms\"\nbreaker_slow_call = \"400ms\"\n");
    let spec = parse(&text, "nova.toml").unwrap().spec;
    let own = &spec.services["user-service"].calls["auth-service"];
    assert_eq!(own.settings().len(), 3);
    assert_eq!(own.over(&spec.calls).retry_max, 3);
}

#[test]
fn an_override_is_for_another_service() {
    assert_eq!(
        refused("[services.user-service.calls.auth-servce]\ntimeout = \"2s\"\n"),
        [
            "1: services.user-service.calls.auth-servce is for calls to a service, and there is no service \"auth-servce\" (did \
             you mean \"auth-service\"?)"
        ]
    );
    assert!(refused("[services.user-service.calls.postgres]\n")[0].contains("(the other services are auth-service"));
    assert_eq!(
        refused("[services.user-service.calls.user-service]\ntimeout = \"2s\"\n"),
        ["1: services.user-service.calls.user-service: a service does not call itself"]
    );
}

#[test]
fn what_is_misspelt_is_told_at_its_line() {
    assert_eq!(
        refused(&format!(
            "{OVERRIDE}\ntimout = \"2s\"\nretry_max = \"3\"\nbreaker_open = \"soon\"\n"
        ))[..2],
        [
            "2: unknown key `services.user-service.calls.auth-service.timout` (did you mean \
             `services.user-service.calls.auth-service.timeout`?)",
            "3: services.user-service.calls.auth-service.retry_max must be an integer such as 3, and is a string",
        ]
    );
    // A wrong value does not hide what is wrong elsewhere.
    let text = format!("{OVERRIDE}\nbreaker_open = \"soon\"\n[redis]\nquorum = 5\n");
    assert_eq!(refused(&text).len(), 2);
    assert_eq!(
        refused("[services.user-service.calls]\ntimeout = \"2s\"\n"),
        [
            "2: services.user-service.calls.timeout must be a table named after the service that is called, and is a string (for \
             one dependency, put it into `[services.user-service.calls.DEPENDENCY]`; for every call, `calls.timeout`)"
        ]
    );
}

#[test]
fn a_new_service_has_overrides_of_its_own_only() {
    let text = format!(
        "{OVERRIDE}\ntimeout = \"2s\"\n[services.chat]\nmembers = 1\nport = 8085\nuses = [\"user-service\"]\n\
         [services.chat.calls.user-service]\nretry_max = 0\n"
    );
    let platform = parse(&text, "nova.toml").unwrap();
    let chat = &platform.spec.services["chat"].calls;
    assert_eq!(chat.len(), 1);
    assert_eq!(chat["user-service"].settings(), [("retry-max", "0".to_owned())]);
    let again = toml::to_string(&platform.spec).unwrap();
    assert_eq!(parse(&again, "nova.toml").unwrap(), platform);
}

#[test]
fn weakened_settings_are_allowed_and_named_where_they_stand() {
    for (name, value) in [
        ("retry_budget", "0.51"),
        ("breaker_failure_ratio", "1.0"),
        ("breaker_slow_ratio", "1"),
    ] {
        assert_eq!(
            warned(&format!("[calls]\n{name} = {value}\n{OVERRIDE}\nretry_max = 1\n")),
            [format!("calls.{name}")]
        );
        assert_eq!(
            warned(&format!("{OVERRIDE}\n{name} = {value}\n")),
            [format!("services.user-service.calls.auth-service.{name}")]
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_numbers_make_it_panic(number: i64, ratio: f64, milliseconds: u64) {
        for section in ["[calls]", OVERRIDE] {
            let text = format!(
                "{section}\npool_size = {number}\nbreaker_probes = {number}\nretry_budget = {ratio:?}\nretry_floor = {number}\n\
                 breaker_slow_ratio = {number}\ntimeout = \"{milliseconds}ms\"\nidle_timeout = \"{milliseconds}ms\"\n"
            );
            let _ = parse(&text, "nova.toml");
        }
    }
}
