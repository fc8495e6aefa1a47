//! No file holds a secret, and every consumer's Secret has exactly the files that it reads.

use std::collections::BTreeSet;

use nova_kubernetes::images::Images;
use nova_kubernetes::profile::Profile;
use nova_kubernetes::render;
use nova_kubernetes::resources::{SecretSource, secret_layout};
use nova_platform::secrets::names_for;
use serde_json::Value;

use crate::objects::{items, objects, of_kind, spec, workloads};

#[test]
fn secrets_have_names_and_nothing_else() {
    let spec = spec("nova");
    let objects = objects(&spec, Profile::Production);
    let secrets: Vec<&Value> = of_kind(&objects, "Secret").collect();
    assert_eq!(secrets.len(), secret_layout(&spec).len());
    for secret in secrets {
        assert!(secret["data"].is_null(), "{secret}");
        let keys = secret["stringData"].as_object().unwrap();
        assert!(!keys.is_empty() && keys.values().all(|value| value == ""), "{secret}");
        assert!(secret["metadata"]["annotations"]["nova/values"].is_string());
    }
    let files = render::files(&spec, Profile::Production, &Images::released()).unwrap();
    let with_secrets: Vec<&&str> = files
        .iter()
        .filter(|(_, text)| text.contains("kind: Secret\n"))
        .map(|(file, _)| file)
        .collect();
    assert_eq!(with_secrets, [&"microservices-secrets.yaml"]);
    assert!(
        !files["kustomization.yaml"].contains("secrets"),
        "applied, it would empty what deploy has filled"
    );
}

/// What the operator gives is nowhere but in the Secrets that deploy fills.
#[test]
fn credentials_are_not_rendered() {
    let mut spec = spec("nova");
    let given = &mut spec.kubernetes.credentials;
    for setting in [
        &mut given.apns_key_file,
        &mut given.apns_key_id,
        &mut given.apns_team_id,
        &mut given.turn_url,
        &mut given.turn_secret_file,
        &mut given.tls_certificate_file,
        &mut given.tls_key_file,
    ] {
        *setting = "only-the-operator-knows".to_owned();
    }
    for (file, text) in render::files(&spec, Profile::Small, &Images::released()).unwrap() {
        assert!(!text.contains("only-the-operator-knows"), "{file}");
    }
}

/// A password stands in a file of a Secret; the environment says only where.
#[test]
fn no_configuration_has_a_place_for_a_password() {
    let objects = objects(&spec("nova"), Profile::Production);
    for workload in workloads(&objects) {
        for variable in items(&workload["spec"]["template"]["spec"]["containers"][0]["env"]) {
            let name = variable["name"].as_str().unwrap();
            let secret = ["PASSWORD", "SECRET", "KEY", "TOKEN"]
                .iter()
                .any(|word| name.contains(word));
            assert!(!secret || name.ends_with("_FILE"), "{name}");
            assert!(variable["valueFrom"]["secretKeyRef"].is_null(), "{name}");
            if name.ends_with("_FILE") {
                assert!(
                    variable["value"].as_str().unwrap().starts_with("/secrets/"),
                    "{variable}"
                );
            }
        }
    }
    for map in of_kind(&objects, "ConfigMap") {
        for (file, text) in map["data"].as_object().unwrap() {
            for word in [
                "requirepass ",
                "masterauth ",
                "auth-pass ",
                "\"password\":",
                "PRIVATE KEY",
            ] {
                assert!(!text.as_str().unwrap().contains(word), "{word} in {file}");
            }
        }
    }
}

#[test]
fn a_service_finds_exactly_the_files_that_it_is_told_of() {
    let spec = spec("nova");
    let layouts = secret_layout(&spec);
    let objects = objects(&spec, Profile::Production);
    for service in spec.services.keys() {
        let layout = layouts.iter().find(|layout| &layout.name == service).unwrap();
        let has: BTreeSet<String> = layout.keys.iter().map(|(key, _)| format!("/secrets/{key}")).collect();
        let workload = workloads(&objects)
            .into_iter()
            .find(|workload| workload["metadata"]["name"] == service.as_str())
            .unwrap();
        let told: BTreeSet<String> = items(&workload["spec"]["template"]["spec"]["containers"][0]["env"])
            .filter_map(|variable| variable["value"].as_str())
            .flat_map(|value| value.split([',', '=']))
            .filter(|word| word.starts_with("/secrets/"))
            .map(str::to_owned)
            .collect();
        assert_eq!(has, told, "{service}");
    }
}

/// Everything that is handed out is among what is kept, and what is kept is everything.
#[test]
fn all_secrets_are_kept_in_one_place() {
    let spec = spec("nova");
    let layouts = secret_layout(&spec);
    let kept: BTreeSet<String> = names_for(&spec).into_iter().collect();
    let all = layouts.iter().find(|layout| layout.name == "nova-secrets").unwrap();
    assert_eq!(
        all.keys.iter().map(|(_, name)| name.clone()).collect::<BTreeSet<_>>(),
        kept
    );
    for layout in layouts.iter().filter(|layout| layout.source == SecretSource::Generated) {
        assert!(
            layout.keys.iter().all(|(_, name)| kept.contains(name)),
            "{}",
            layout.name
        );
    }
}
