//! What a user may write, and what is said when it is wrong.

#![allow(clippy::unwrap_used, reason = "a test that fails there has found what it looks for")]

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme};
use proptest::prelude::*;

use super::{LoadError, Platform, SHIPPED, load, parse};
use crate::schema;
use crate::spec::SynchronousMode;

fn accepted(text: &str) -> Platform {
    match parse(text, "nova.toml") {
        Ok(platform) => platform,
        Err(error) => panic!("{}", shown(&error)),
    }
}

/// Each problem as "line: message (help)".
fn refused(text: &str) -> Vec<String> {
    let error = parse(text, "nova.toml").expect_err("this must be refused");
    // Showing it must work for every error, or the user sees nothing.
    assert!(!shown(&error).contains("Failed to read"), "{}", shown(&error));
    error
        .problems()
        .map(|problem| {
            let line = problem.line().map_or_else(|| "-".to_owned(), |line| line.to_string());
            let help = problem.help().map_or_else(String::new, |help| format!(" ({help})"));
            format!("{line}: {}{help}", problem.message())
        })
        .collect()
}

fn shown(error: &dyn Diagnostic) -> String {
    let mut text = String::new();
    GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor())
        .render_report(&mut text, error)
        .unwrap();
    text
}

#[test]
fn the_shipped_description_is_sound_and_weakens_nothing() {
    let platform = accepted("");
    assert_eq!(platform.warnings, []);
    assert_eq!(platform, accepted(SHIPPED));
    assert_eq!(platform, load(None).unwrap());
    assert_eq!(platform.spec.platform.name, "nova");
    assert_eq!(platform.spec.postgres.ttl.as_secs(), 20);
    assert_eq!(platform.spec.services["user-service"].members, 3);
}

#[test]
fn the_shipped_file_holds_every_key_that_there_is_and_explains_it() {
    let schema = schema::json_schema();
    let shipped: toml::Table = SHIPPED.parse().unwrap();
    for (section, definition) in schema["properties"].as_object().unwrap() {
        let (name, tables) = if section == "services" {
            let tables: Vec<&toml::Value> = shipped["services"].as_table().unwrap().values().collect();
            ("ServiceSpec", tables)
        } else {
            let name = definition["$ref"].as_str().unwrap().rsplit('/').next().unwrap();
            (name, vec![&shipped[section]])
        };
        let keys = schema["$defs"][name]["properties"].as_object().unwrap();
        assert!(!keys.is_empty());
        for table in tables {
            for key in keys.keys() {
                // One that reads the stream owns no schema.
                if key == "schema" && table["replication"].as_bool() == Some(true) {
                    continue;
                }
                assert!(table.get(key).is_some(), "nova.toml lacks {section}.{key}");
            }
        }
    }
    // The second service explains itself by the first one.
    let (once, _) = SHIPPED.split_once("[services.user-service]").unwrap();
    for line in once
        .lines()
        .filter(|line| line.contains(" = ") && !line.starts_with('#'))
    {
        assert!(line.contains(" # "), "no comment: {line}");
    }
}

#[test]
fn a_users_file_is_laid_over_the_defaults_deeply() {
    let text = r#"
        [redis]
        port = 7000
        [services.auth-service]
        needs = ["postgres"]
        env.NOVA_LOG = "debug"
        [services.search-service]
        members = 1
        port = 8086
        uses = ["postgres"]
        database = "nova_search"
        schema = "search"
    "#;
    let spec = accepted(text).spec;
    assert_eq!((spec.redis.port, spec.redis.members), (7000, 3));
    let auth = &spec.services["auth-service"];
    assert_eq!((auth.members, auth.port), (2, 8084));
    assert_eq!(auth.needs, [crate::components::ComponentId::Postgres]);
    assert_eq!(auth.env["NOVA_LOG"], "debug");
    let search = &spec.services["search-service"];
    assert_eq!((search.members, search.database_pool, search.redis_pool), (1, 10, 2));
    assert!(search.needs.is_empty() && search.env.is_empty());
    assert_eq!(search.uses, [crate::components::ComponentId::Postgres]);
    assert!(search.public && !search.replication);
    assert_eq!(spec.services.len(), 4);
}

#[test]
fn what_a_spec_serialises_to_is_read_as_the_same() {
    let platform = accepted("[postgres]\nsynchronous_mode = \"on\"\n[local]\nrestart_backoff = \"1s 500ms\"");
    assert_eq!(platform.spec.postgres.synchronous_mode, SynchronousMode::On);
    let text = toml::to_string(&platform.spec).unwrap();
    assert_eq!(accepted(&text), platform);
}

#[test]
fn unknown_keys_are_named_with_what_was_probably_meant() {
    let text = "[redis]\nmember = 3\nttl = \"20s\"\n[postgress]\nport = 1\n[services.auth-service]\nwhatever = 1\n";
    assert_eq!(
        refused(text),
        [
            "2: unknown key `redis.member` (did you mean `redis.members`?)",
            "3: unknown key `redis.ttl` (did you mean `postgres.ttl`?)",
            "4: unknown key `postgress` (did you mean `postgres`?)",
            "7: unknown key `services.auth-service.whatever` (there are calls, cpu, cpu_limit, database, \
             database_pool, env, members, members_max, memory, memory_limit, needs, port, public, redis_pool, replication, schema, \
             uses)",
        ]
    );
}

#[test]
fn wrong_types_and_values_are_told_all_at_once_each_with_its_line() {
    let text = r#"etcd = 3
[redis]
members = "3"
down_after = 5
maxmemory = "512mb"
port = 70000
[postgres]
synchronous_mode = "quorun"
ttl = "20 parsecs"
failsafe_mode = "yes"
max_connections = 99999999999999999999
[services.auth-service]
needs = ["postgres", 3]
env = { NOVA_X = 1 }
"#;
    assert_eq!(
        refused(text),
        [
            "1: etcd must be a table, and is an integer",
            "3: redis.members must be an integer such as 3, and is a string",
            "4: redis.down_after must be a string such as \"1500ms\", and is an integer",
            "5: redis.maxmemory is wrong: \"512mb\" is not a size such as \"64MB\" or \"1GB\"",
            "6: redis.port is 70000: it must be a whole number from 0 to 65535",
            "8: postgres.synchronous_mode is \"quorun\": it must be one of \"quorum\", \"on\", \"off\" (did you mean \"quorum\"?)",
            "9: postgres.ttl is wrong: \"20 parsecs\" is not a duration such as \"500ms\" or \"2s\": unknown time unit \
             \"parsecs\", supported units: ns, us/µs, ms, sec, min, hours, days, weeks, months, years (and few variations)",
            "10: postgres.failsafe_mode must be a boolean such as true, and is a string",
            "11: postgres.max_connections is too large a number",
            "13: services.auth-service.needs must be an array of strings, and holds an integer",
            "14: services.auth-service.env.NOVA_X must be a string in quotes, and is an integer",
        ]
    );
}

#[test]
fn syntax_errors_have_their_line() {
    let lines = refused("[redis]\nport = \n\n[kafka\nport = 9092\n");
    assert!(lines[0].starts_with("2: not valid TOML: "), "{lines:?}");
    assert!(
        lines.iter().any(|line| line.starts_with("4: not valid TOML: ")),
        "{lines:?}"
    );
    let twice = refused("[redis]\nport = 1\nport = 2\n");
    assert_eq!(twice, ["3: not valid TOML: duplicate key"]);
}

#[test]
fn a_new_service_says_what_has_no_default() {
    assert_eq!(
        refused("[services.chat]\nmembers = 1\n[services.user-servce]\nport = 5\n"),
        [
            "1: services.chat is a new service and lacks port (a new service sets members, port)",
            "3: services.user-servce is a new service and lacks members (did you mean `services.user-service`?)",
            "4: services.user-servce.port is 5: members run unprivileged and may listen on 1024 and above only",
        ]
    );
    assert_eq!(
        refused("[services]\nchat = 3\n"),
        ["2: services.chat must be a table, and is an integer"]
    );
}

#[test]
fn a_refused_value_is_not_held_against_the_others() {
    // With the default of 3 members in their place, these two would each be a conflict of its own.
    assert_eq!(
        refused("[kafka]\nmembers = \"1\"\nreplication_factor = 1\nmin_insync_replicas = 1\n").len(),
        1
    );
    assert_eq!(
        refused("[kafka]\nmember = 1\nreplication_factor = 5\nmin_insync_replicas = 5\n").len(),
        1
    );
    // Others are still told.
    assert_eq!(refused("[kafka]\nmembers = \"1\"\n[redis]\nquorum = 5\n").len(), 2);
}

#[test]
fn a_conflict_points_at_the_users_lines_and_names_the_defaults() {
    let error = parse("[redis]\nport = 5432\n", "mine.toml").expect_err("PostgreSQL has that port");
    let text = shown(&error);
    for part in [
        "mine.toml:2:8",
        "port 5432 of node-1 is wanted twice",
        "postgres.port has its default, 5432",
    ] {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }
}

#[test]
fn one_error_tells_how_many_there_are() {
    let error = parse("[redis]\na = 1\nb = 2\nc = 3", "nova.toml").expect_err("unknown keys");
    assert!(error.to_string().ends_with("(and 2 more problems)"), "{error}");
    let many: String = (0..50).map(|number| format!("key{number} = 1\n")).collect();
    let error = parse(&many, "nova.toml").expect_err("unknown keys");
    assert!(error.to_string().ends_with("(and 49 more problems)"), "{error}");
    assert_eq!(error.problems().count(), 20);
}

#[test]
fn files_that_cannot_be_read_are_told_apart_with_a_next_step() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let error = |path: &Path| load(Some(path)).expect_err("this cannot be read");

    let missing = error(&at("nova.toml"));
    assert!(matches!(missing, LoadError::Missing { .. }));
    assert!(missing.help().unwrap().to_string().contains("-f"));

    assert!(matches!(error(directory.path()), LoadError::Directory { .. }));
    assert!(matches!(error(Path::new("/dev/null")), LoadError::NotAFile { .. }));
    assert!(matches!(error(&at("a").join("b")), LoadError::Missing { .. }));

    fs::write(at("latin"), b"[platform]\n# caf\xe9\n").unwrap();
    let latin = error(&at("latin"));
    assert!(matches!(latin, LoadError::NotText { line: 2, .. }), "{latin}");

    fs::write(at("large"), vec![b'#'; (1 << 20) + 1]).unwrap();
    assert!(matches!(error(&at("large")), LoadError::TooLarge { .. }));

    let odd = at("").join(std::ffi::OsStr::from_bytes(b"\xff.toml"));
    assert!(matches!(error(&odd), LoadError::Missing { .. }));

    fs::write(at("good"), "\u{feff}[platform]\r\nname = \"mine\"\r\n").unwrap();
    assert_eq!(load(Some(&at("good"))).unwrap().spec.platform.name, "mine");
}

/// Text that gets further than arbitrary characters: pieces of real descriptions, put together anyhow.
fn nearly_toml() -> impl Strategy<Value = String> {
    let pieces = SHIPPED
        .split_inclusive([' ', '\n'])
        .map(str::to_owned)
        .collect::<Vec<_>>();
    let piece = prop_oneof![4 => proptest::sample::select(pieces), 1 => ".{0,4}"];
    proptest::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_it_panic_and_every_error_can_be_shown(text in prop_oneof![nearly_toml(), "(?s).{0,200}"]) {
        if let Err(error) = parse(&text, "nova.toml") {
            let shown = shown(&error);
            prop_assert!(!shown.contains("Failed to read"), "{}", shown);
            prop_assert!(error.problems().count() > 0);
        }
    }

    #[test]
    fn one_value_changes_that_value_alone(port in 20_000_u16..26_000, members in 1_u16..=3) {
        let text = format!("[redis]\nport = {port}\n[services.auth-service]\nmembers = {members}\n");
        let mut expected = accepted("").spec;
        expected.redis.port = port;
        expected.services.get_mut("auth-service").unwrap().members = members;
        prop_assert_eq!(accepted(&text).spec, expected);
    }
}
