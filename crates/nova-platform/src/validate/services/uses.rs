//! What a service uses: things that services can use, each once, and what belongs to it in PostgreSQL.

use crate::components::ComponentId;
use crate::key::Key;
use crate::spec::{ServiceSpec, Spec};
use crate::suggestion::closest;
use crate::uses::{is_usable, uses};

use super::super::Findings;

pub(super) fn check(spec: &Spec, name: &str, service: &ServiceSpec, findings: &mut Findings) {
    let key = Key::service(name).child("uses");
    for (index, used) in service.uses.iter().enumerate() {
        if service.uses[..index].contains(used) {
            findings.problem([key.clone()], format!("{name} uses \"{used}\" twice"));
        } else if used.as_str() == name {
            findings.problem(
                [key.clone()],
                format!("{name} uses \"{name}\": a service does not use itself"),
            );
        } else if let ComponentId::Service(other) = used {
            match spec.services.get(&**other) {
                None => unknown(spec, name, used, &key, findings),
                Some(other) if !other.public => findings.problem_with_help(
                    [key.clone(), Key::service(used.as_str()).child("public")],
                    format!("{name} uses \"{used}\", which is not public: there is no door at the gateway through which it could call it"),
                    format!("leave it out, or set services.{used}.public = true"),
                ),
                Some(_) => {}
            }
        } else if !is_usable(used) {
            findings.problem_with_help(
                [key.clone()],
                format!("{name} uses \"{used}\", which serves no service"),
                if *used == ComponentId::Gateway {
                    "whoever uses \"postgres\" or a service comes through the gateway by itself".to_owned()
                } else {
                    usable(spec, name)
                },
            );
        }
    }
    postgres(name, service, &key, findings);
}

fn unknown(spec: &Spec, name: &str, used: &ComponentId, key: &Key, findings: &mut Findings) {
    let known = ComponentId::OWN.into_iter().filter(is_usable);
    let known: Vec<String> = known
        .map(|id| id.to_string())
        .chain(spec.services.keys().filter(|other| *other != name).cloned())
        .collect();
    let help = closest(used.as_str(), known.iter().map(String::as_str))
        .map_or_else(|| usable(spec, name), |near| format!("did you mean {near:?}?"));
    let message = format!("{name} uses \"{used}\", and there is no such component");
    findings.problem_with_help([key.clone()], message, help);
}

/// What a service can name.
fn usable(spec: &Spec, name: &str) -> String {
    let stores = ComponentId::OWN.into_iter().filter(is_usable);
    let services = spec.public_services().filter(|(other, _)| *other != name);
    let all: Vec<String> = stores
        .map(|id| id.to_string())
        .chain(services.map(|(other, _)| other.clone()))
        .collect();
    format!("services can use {}", all.join(", "))
}

/// What belongs to PostgreSQL is given to who uses it only.
fn postgres(name: &str, service: &ServiceSpec, key: &Key, findings: &mut Findings) {
    let of = |setting: &str| Key::service(name).child(setting);
    let given = [
        ("database", service.database.is_some()),
        ("schema", service.schema.is_some()),
        ("replication", service.replication),
    ];
    if uses(service, &ComponentId::Postgres) {
        if service.database.is_none() {
            findings.problem_with_help(
                [key.clone(), of("database")],
                format!("{name} uses \"postgres\" and does not say which database it logs in to"),
                "name it with `database`, and with `schema` the one that it owns there, if it owns one",
            );
        }
        return;
    }
    for (setting, _) in given.into_iter().filter(|(_, given)| *given) {
        findings.problem_with_help(
            [of(setting), key.clone()],
            format!("{name} has a {setting} in PostgreSQL and does not use it"),
            "add \"postgres\" to `uses`, or take the setting away",
        );
    }
}
