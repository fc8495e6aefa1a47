//! PostgreSQL under Patroni.

use nova_member::patroni_python;
use nova_member::postgres_start::passwords;
use nova_platform::config::postgres::{self, Paths};
use nova_platform::spec::Spec;
use nova_platform::topology::Member;
use serde_json::{Value, json};

use super::{PlanError, Site, at_start, base_plan, file, once, ports};
use crate::plan::MemberPlan;

pub(super) fn plan(site: &Site<'_>, member: &Member) -> Result<MemberPlan, PlanError> {
    let mut plan = base_plan(member, site.programs.path("patroni"));
    plan.args = vec!["patroni".to_owned()];
    // Patroni merges the files of its directory in this order. The bootstrap settings count for a new cluster only; in a
    // file of their own that is written once, a change of them neither restarts Patroni nor is lost: see `patroni_settings`.
    plan.files = vec![
        once("patroni/1-bootstrap.yml", to_yaml(&postgres::bootstrap(site.spec))),
        file("patroni/2-member.yml", to_yaml(&member_config(site, member)?)),
        file(
            &format!("{}/{}", patroni_python::DIRECTORY, patroni_python::FILE),
            patroni_python::CONTENT,
        ),
    ];
    plan.directories = vec!["patroni".into(), patroni_python::DIRECTORY.into(), "data".into()];
    let python = site.member_dir(&member.name).join(patroni_python::DIRECTORY);
    let environment = patroni_python::environment(&python.display().to_string());
    plan.env
        .extend(environment.map(|(name, value)| (name.to_owned(), value)));
    plan.ports = ports(site.spec, member);
    plan.leader_key = Some(postgres::leader_key(site, member));
    plan.files
        .push(at_start("start.json", to_yaml(&hands_over(site, member)?)));
    plan.postgres = Some(site.member_dir(&member.name));
    Ok(plan)
}

/// Whom it hands over to before it ends: looked at by whoever ends it.
fn hands_over(site: &Site<'_>, member: &Member) -> Result<Value, PlanError> {
    let mut start = postgres::start(site, member, &site.programs.path("patroni").display().to_string());
    start["password"] = json!(site.secret("patroni-rest")?);
    Ok(start)
}

fn member_config(site: &Site<'_>, member: &Member) -> Result<Value, PlanError> {
    let directory = site.member_dir(&member.name);
    let in_directory = |path: &str| directory.join(path).display().to_string();
    let paths = Paths {
        data_dir: &in_directory("data/pg"),
        bin_dir: &site.programs.path("postgres").display().to_string(),
        pgpass: &in_directory("pgpass"),
    };
    let mut config = postgres::member(site, member, &paths, hba(site.spec));
    merge(&mut config, passwords(|name| site.secret(name).map(str::to_owned))?);
    Ok(config)
}

/// All of `addition` in `base` as well; as Patroni does it with its files.
fn merge(base: &mut Value, addition: Value) {
    match (base, addition) {
        (Value::Object(base), Value::Object(addition)) => {
            for (key, value) in addition {
                merge(base.entry(key).or_insert(Value::Null), value);
            }
        }
        (base, addition) => *base = addition,
    }
}

/// Who may connect: by password only, from the nodes and the gateway only.
fn hba(spec: &Spec) -> Vec<String> {
    let nodes = format!("{}.0/24", spec.local.network);
    let gateway = format!("{}/32", spec.local.gateway_address);
    // Whatever loopback address a client connects to, the kernel gives it this one as its own.
    vec![
        format!("host replication nova_replication {nodes} scram-sha-256"),
        format!("host all all {nodes} scram-sha-256"),
        "host replication nova_replication 127.0.0.1/32 scram-sha-256".to_owned(),
        "host all all 127.0.0.1/32 scram-sha-256".to_owned(),
        format!("host all all {gateway} scram-sha-256"),
    ]
}

/// JSON is YAML.
fn to_yaml(value: &Value) -> String {
    format!("{value:#}\n")
}
