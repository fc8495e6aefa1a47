//! The rendered objects, read back from their YAML.

use nova_kubernetes::images::Images;
use nova_kubernetes::profile::Profile;
use nova_kubernetes::render;
use nova_platform::load;
use nova_platform::spec::Spec;
use serde_json::Value;

/// The shipped platform under a name.
pub(crate) fn spec(name: &str) -> Spec {
    let mut spec = load::load(None).unwrap().spec;
    spec.platform.name = name.to_owned();
    spec
}

/// The shipped services, and one that reads the stream of changes and passes it on to Kafka.
pub(crate) fn with_changes() -> Spec {
    let text = r#"
        [services.cdc-service]
        members = 2
        members_max = 9
        port = 8087
        public = false
        uses = ["postgres", "kafka"]
        database = "nova_core"
        replication = true
    "#;
    load::parse(text, "nova.toml").unwrap().spec
}

/// Every object of every file, the Secrets included.
pub(crate) fn objects(spec: &Spec, profile: Profile) -> Vec<Value> {
    render::files(spec, profile, &Images::released())
        .unwrap()
        .values()
        .flat_map(|text| parse(text))
        .collect()
}

/// The documents of a YAML text.
pub(crate) fn parse(text: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(text).unwrap()
}

/// Those of one kind.
pub(crate) fn of_kind<'a>(objects: &'a [Value], kind: &'a str) -> impl Iterator<Item = &'a Value> {
    objects.iter().filter(move |object| object["kind"] == kind)
}

/// StatefulSets and Deployments.
pub(crate) fn workloads(objects: &[Value]) -> Vec<&Value> {
    of_kind(objects, "StatefulSet")
        .chain(of_kind(objects, "Deployment"))
        .collect()
}

/// `namespace/name` of an object, or its name alone.
pub(crate) fn place(object: &Value) -> String {
    let metadata = &object["metadata"];
    let name = metadata["name"].as_str().unwrap();
    metadata["namespace"]
        .as_str()
        .map_or_else(|| name.to_owned(), |namespace| format!("{namespace}/{name}"))
}

/// The texts of a list; none when there is no list.
pub(crate) fn texts(list: &Value) -> Vec<&str> {
    list.as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect()
}

/// The items of a list; none when there is no list.
pub(crate) fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

/// Whether a label selector selects these labels.
pub(crate) fn selects(selector: &Value, labels: &Value) -> bool {
    let equal = selector["matchLabels"]
        .as_object()
        .into_iter()
        .flatten()
        .all(|(name, value)| &labels[name] == value);
    let expressions = items(&selector["matchExpressions"]).all(|expression| {
        let label = &labels[expression["key"].as_str().unwrap()];
        let among = items(&expression["values"]).any(|value| value == label);
        match expression["operator"].as_str().unwrap() {
            "In" => among,
            "NotIn" => !among,
            "Exists" => !label.is_null(),
            "DoesNotExist" => label.is_null(),
            other => panic!("no such operator: {other}"),
        }
    });
    equal && expressions
}
