//! Another name makes another platform: nothing of it is shared with the first, and nothing else changes.

use nova_kubernetes::profile::Profile;
use proptest::prelude::*;
use serde_json::Value;

use crate::objects::{objects, of_kind, place, spec};

/// Every text in an object.
fn texts(value: &Value, all: &mut Vec<String>) {
    match value {
        Value::String(text) => all.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| texts(item, all)),
        Value::Object(fields) => fields.values().for_each(|field| texts(field, all)),
        _ => {}
    }
}

fn check(name: &str) -> Result<(), TestCaseError> {
    let (ours, nova) = (
        objects(&spec(name), Profile::Small),
        objects(&spec("nova"), Profile::Small),
    );
    prop_assert_eq!(ours.len(), nova.len());
    let namespaces: Vec<&str> = of_kind(&ours, "Namespace")
        .map(|object| object["metadata"]["name"].as_str().unwrap())
        .collect();
    let expected = ["system", "redis", "database", "kafka", "services"].map(|area| format!("{name}-{area}"));
    prop_assert_eq!(&namespaces, &expected);
    for (ours, nova) in ours.iter().zip(&nova) {
        prop_assert_eq!(&ours["kind"], &nova["kind"]);
        if ours["kind"] == "Kustomization" {
            continue;
        }
        // In a namespace of its own, or named after the platform.
        let namespace = ours["metadata"]["namespace"].as_str();
        let prefix = format!("{name}-");
        let own = namespace.map_or_else(|| place(ours).starts_with(&prefix), |there| namespaces.contains(&there));
        prop_assert!(own, "{}", place(ours));
        prop_assert!(place(ours) != place(nova));
        prop_assert_eq!(&ours["metadata"]["labels"]["app.kubernetes.io/instance"], name);
        // Nothing points to the other platform: neither a host, nor a selected namespace, nor a selected pod.
        let mut all = Vec::new();
        texts(ours, &mut all);
        for text in all {
            for area in ["system", "redis", "database", "kafka", "services"] {
                let other = format!("nova-{area}");
                prop_assert!(
                    !text
                        .split(|c: char| !c.is_ascii_alphanumeric() && c != '-')
                        .any(|word| word == other),
                    "{}",
                    text
                );
            }
        }
        for selector in [
            "/spec/selector/matchLabels",
            "/spec/selector",
            "/spec/podSelector/matchLabels",
        ] {
            let instance = ours
                .pointer(selector)
                .map(|selector| &selector["app.kubernetes.io/instance"]);
            let ok = instance.is_none_or(|instance| instance.is_null() || instance == name);
            prop_assert!(ok, "{:?}", instance);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn another_name_is_another_platform(name in "[a-z][a-z0-9-]{0,14}[a-z0-9]") {
        prop_assume!(name != "nova" && !name.starts_with("nova-"));
        check(&name)?;
    }

    /// YAML that another program reads as it was meant: words that look like something else, and texts with lines.
    #[test]
    fn what_is_written_is_read_as_the_same(
        text in prop_oneof!["(?s).{0,40}", "[ -~\n]{0,60}", "(yes|no|on|off|null|~|true|0x1f|1e3|012|1_000|=|<<|- a|a: b|#x|'|\"|%|@|`|\\||>)?[ \n]{0,2}"],
        key in "[a-zA-Z0-9./-]{1,20}",
    ) {
        let mut spec = spec("nova");
        let service = spec.services.get_mut("user-service").unwrap();
        service.env.insert("NOVA_ANYTHING".to_owned(), text.clone());
        spec.kubernetes.storage_class = key.clone();
        let objects = objects(&spec, Profile::Small);
        let deployment = of_kind(&objects, "Deployment").find(|object| object["metadata"]["name"] == "user-service").unwrap();
        let env = deployment["spec"]["template"]["spec"]["containers"][0]["env"].as_array().unwrap();
        let variable = env.iter().find(|variable| variable["name"] == "NOVA_ANYTHING").unwrap();
        prop_assert_eq!(&variable["value"], &Value::String(text));
        let claim = of_kind(&objects, "StatefulSet").next().unwrap()["spec"]["volumeClaimTemplates"][0]["spec"]["storageClassName"].clone();
        prop_assert_eq!(claim, Value::String(key));
    }
}

#[test]
fn a_platform_of_the_longest_name_has_names_that_the_cluster_takes() {
    let name = "a".repeat(31);
    let objects = objects(&spec(&name), Profile::Production);
    for object in objects.iter().filter(|object| object["kind"] != "Kustomization") {
        let labels = object["metadata"]["labels"].as_object().unwrap();
        let fits = |text: &str| text.len() <= 63;
        assert!(labels.values().all(|value| fits(value.as_str().unwrap())), "{object}");
        assert!(place(object).split('/').all(fits), "{}", place(object));
    }
}
