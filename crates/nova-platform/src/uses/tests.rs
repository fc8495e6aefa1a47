//! What follows from `uses`, and what is said of one that makes no sense.
#![allow(clippy::unwrap_used, reason = "a test that fails there has found what it looks for")]

use super::*;
use crate::load::{load, parse};
use crate::topology;
use crate::validate::{Problem, validate};

fn spec(text: &str) -> Spec {
    parse(text, "nova.toml").unwrap().spec
}

fn needs_of(spec: &Spec, name: &str) -> String {
    let components = topology::components(spec);
    let component = components.iter().find(|component| component.id.as_str() == name);
    crate::components::names(&component.unwrap().needs)
}

/// What is wrong when a service says this of itself.
fn problems(settings: &str) -> Vec<Problem> {
    let text = format!("[services.chat]\nmembers = 1\nport = 8090\n{settings}\n");
    // Everything that is found stands in the error, and each with its keys in what is found.
    let mut spec = load(None).unwrap().spec;
    let table: toml::Table = text.parse().unwrap();
    let chat = table["services"]["chat"].clone();
    spec.services.insert("chat".to_owned(), chat.try_into().unwrap());
    validate(&spec).problems
}

fn problem(settings: &str) -> (String, String) {
    let mut all = problems(settings);
    assert_eq!(all.len(), 1, "{all:?}");
    let problem = all.remove(0);
    (problem.message, problem.help.unwrap_or_default())
}

#[test]
fn stores_and_what_leads_to_them_start_before_a_service_and_what_it_calls_does_not() {
    let shipped = load(None).unwrap().spec;
    assert_eq!(needs_of(&shipped, "auth-service"), "postgres, gateway, redis");
    assert_eq!(needs_of(&shipped, "user-service"), "postgres, gateway");
    let others = spec(
        "[services.a]\nmembers = 1\nport = 8090\nuses = [\"auth-service\"]\n\
         [services.b]\nmembers = 1\nport = 8091\nuses = [\"kafka\"]\nneeds = [\"a\"]\n\
         [services.c]\nmembers = 1\nport = 8094\n",
    );
    assert_eq!(needs_of(&others, "a"), "gateway");
    assert_eq!(needs_of(&others, "b"), "kafka, a");
    assert_eq!(needs_of(&others, "c"), "");
    assert_eq!(
        callers(&others, "auth-service").collect::<Vec<_>>(),
        ["a", "user-service"]
    );
}

#[test]
fn a_service_has_in_postgres_what_it_says() {
    let shipped = load(None).unwrap().spec;
    let users = tenancy("user-service", &shipped.services["user-service"]).unwrap();
    assert_eq!(
        (users.database.as_str(), users.role.as_str()),
        ("nova_core", "users_app")
    );
    assert_eq!(users.schema.unwrap().owner, "users_owner");
    let changes = spec(CHANGES);
    let changes = tenancy("cdc-service", &changes.services["cdc-service"]).unwrap();
    assert_eq!((changes.role.as_str(), changes.replication), ("cdc_service_app", true));
    assert_eq!(
        (changes.password.as_str(), changes.schema),
        ("postgres-cdc-service", None)
    );
    let without = spec("[services.a]\nmembers = 1\nport = 8090\nuses = [\"kafka\"]\n");
    assert_eq!(tenancy("a", &without.services["a"]), None);
}

#[test]
fn one_that_is_not_public_is_not_scaled_and_has_no_door() {
    let mut changes = spec(CHANGES);
    changes.services.get_mut("cdc-service").unwrap().members_max = 9;
    assert_eq!(changes.services["cdc-service"].most_members(), 2);
    let doors: Vec<&String> = changes.public_services().map(|(name, _)| name).collect();
    assert_eq!(doors, ["auth-service", "user-service"]);
    let gateway = crate::components::ports(&changes, &ComponentId::Gateway);
    assert!(gateway.iter().all(|port| port.number != 8087));
    // Its own port is still nobody else's on its node.
    let own = crate::components::ports(&changes, &ComponentId::service("cdc-service"));
    assert_eq!(own.iter().map(|port| port.number).collect::<Vec<_>>(), [8087, 9087]);
}

#[test]
fn only_what_serves_services_can_be_used() {
    let told = problem(r#"uses = ["postgress"]"#);
    assert_eq!(told.0, "chat uses \"postgress\", and there is no such component");
    assert_eq!(told.1, "did you mean \"postgres\"?");
    let told = problem(r#"uses = ["mail"]"#);
    assert_eq!(
        told.1,
        "services can use postgres, redis, kafka, auth-service, user-service"
    );
    assert!(problem(r#"uses = ["etcd"]"#).0.contains("serves no service"));
    assert!(
        problem(r#"uses = ["gateway"]"#)
            .1
            .contains("comes through the gateway by itself")
    );
    assert!(
        problem(r#"uses = ["chat"]"#)
            .0
            .ends_with("a service does not use itself")
    );
    assert!(
        problem(r#"uses = ["redis", "redis"]"#)
            .0
            .ends_with("uses \"redis\" twice")
    );
    assert_eq!(problems(r#"uses = ["redis", "kafka", "auth-service"]"#), []);
}

#[test]
fn one_that_is_not_public_cannot_be_called() {
    let mut spec = spec(CHANGES);
    let users = spec.services.get_mut("user-service").unwrap();
    users.uses.push("cdc-service".into());
    let problems = validate(&spec).problems;
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].message.contains("\"cdc-service\", which is not public"));
}

#[test]
fn what_belongs_to_postgres_needs_postgres() {
    for setting in [r#"database = "nova_core""#, r#"schema = "chat""#, "replication = true"] {
        let (told, help) = problem(setting);
        assert!(
            told.starts_with("chat has a ") && told.ends_with("and does not use it"),
            "{told}"
        );
        assert!(help.contains("add \"postgres\" to `uses`"), "{help}");
    }
    let told = problem(r#"uses = ["postgres"]"#).0;
    assert!(told.ends_with("does not say which database it logs in to"), "{told}");
}

#[test]
fn no_two_services_have_roles_of_one_name() {
    let of = |name: &str, schema: &str| {
        format!(
            "[services.{name}]\nmembers = 1\nport = 80{}\nuses = [\"postgres\"]\ndatabase = \"nova_core\"\n{schema}\n",
            80 + name.len()
        )
    };
    let text = of("a-b", "") + &of("other", "schema = \"a_b\"");
    let error = parse(&text, "nova.toml").unwrap_err();
    let told: Vec<String> = error.problems().map(|problem| problem.message().to_owned()).collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].contains("a-b has no schema") && told[0].contains("\"a_b\""),
        "{told:?}"
    );
}

#[test]
fn settings_of_calls_are_of_services_that_are_used() {
    let (told, help) = problem("[services.chat.calls.user-service]\nretry_max = 0");
    assert!(told.contains("which chat does not use"), "{told}");
    assert!(help.starts_with("add \"user-service\" to services.chat.uses"), "{help}");
}

#[test]
fn needs_exist_once_and_do_not_go_round() {
    let (told, help) = problem(r#"needs = ["postgress"]"#);
    assert_eq!(told, "chat needs \"postgress\", and there is no such component");
    assert_eq!(help, "did you mean \"postgres\"?");
    let told = problem(r#"needs = ["redis", "redis"]"#).0;
    assert!(told.ends_with("chat needs \"redis\" twice"), "{told}");
    assert!(problem(r#"needs = ["chat"]"#).0.ends_with("chat -> chat"));
    let mut spec = load(None).unwrap().spec;
    for (name, need) in [("auth-service", "user-service"), ("user-service", "auth-service")] {
        spec.services.get_mut(name).unwrap().needs.push(need.into());
    }
    let problems = validate(&spec).problems;
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(
        problems[0].message.starts_with("needs go round in a circle"),
        "{problems:?}"
    );
    let keys: Vec<String> = problems[0].keys.iter().map(ToString::to_string).collect();
    assert_eq!(keys, ["services.auth-service.needs", "services.user-service.needs"]);
}
