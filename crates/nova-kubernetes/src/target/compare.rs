//! In which fields two states of one object differ, without what the API server keeps for itself.

use serde_json::{Map, Value};

/// Bookkeeping of the API server, under `metadata`.
const BOOKKEEPING: [&str; 6] = [
    "managedFields",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "uid",
    "selfLink",
];
/// Paths that are told before "and more".
const TOLD: usize = 4;

/// Paths such as `spec.template.spec.containers[redis].image`, in order; none when the objects are the same.
pub(super) fn differences(live: &Value, wanted: &Value) -> Vec<String> {
    let mut paths = Vec::new();
    compare("", &strip(live), &strip(wanted), &mut paths);
    paths
}

/// The paths in a few words.
pub(super) fn brief(paths: &[String]) -> String {
    let told = paths.iter().take(TOLD).cloned().collect::<Vec<_>>().join(", ");
    match paths.len().saturating_sub(TOLD) {
        0 => told,
        more => format!("{told} and {more} more"),
    }
}

fn strip(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(fields) = object.as_object_mut() {
        fields.remove("status");
    }
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        for name in BOOKKEEPING {
            metadata.remove(name);
        }
    }
    object
}

fn compare(path: &str, live: &Value, wanted: &Value, paths: &mut Vec<String>) {
    match (live, wanted) {
        (Value::Object(live), Value::Object(wanted)) => objects(path, live, wanted, paths),
        (Value::Array(live), Value::Array(wanted)) if live.len() == wanted.len() => {
            for (index, (live, wanted)) in live.iter().zip(wanted).enumerate() {
                let name = wanted.get("name").and_then(Value::as_str);
                let place = name.map_or_else(|| index.to_string(), str::to_owned);
                compare(&format!("{path}[{place}]"), live, wanted, paths);
            }
        }
        _ if live != wanted => paths.push(path.to_owned()),
        _ => {}
    }
}

fn objects(path: &str, live: &Map<String, Value>, wanted: &Map<String, Value>, paths: &mut Vec<String>) {
    let below = |name: &str| {
        if path.is_empty() {
            name.to_owned()
        } else {
            format!("{path}.{name}")
        }
    };
    for (name, value) in live {
        match wanted.get(name) {
            Some(other) => compare(&below(name), value, other, paths),
            None => paths.push(below(name)),
        }
    }
    paths.extend(
        wanted
            .keys()
            .filter(|name| !live.contains_key(*name))
            .map(|name| below(name)),
    );
}

#[cfg(test)]
mod tests {
    use super::{brief, differences};
    use serde_json::{Value, json};

    fn set(image: &str, extra: &Value) -> Value {
        json!({
            "kind": "StatefulSet",
            "metadata": {"name": "redis", "resourceVersion": image, "generation": 3, "managedFields": [image], "uid": image,
                         "labels": extra},
            "spec": {"replicas": 3, "containers": [{"name": "redis", "image": image}, {"name": "b", "image": "x"}]},
            "status": {"replicas": image.len()},
        })
    }

    #[test]
    fn bookkeeping_and_status_do_not_count() {
        let mut other = set("a", &json!({}));
        other["metadata"]["resourceVersion"] = json!("9");
        other["metadata"]["generation"] = json!(4);
        other["metadata"]["managedFields"] = json!([]);
        other["status"] = json!(null);
        assert_eq!(differences(&set("a", &json!({})), &other), Vec::<String>::new());
    }

    #[test]
    fn paths_name_what_differs_by_its_name() {
        let found = differences(
            &set("a", &json!({"gone": "1", "same": "1"})),
            &set("b", &json!({"same": "1", "new": "2"})),
        );
        assert_eq!(
            found,
            [
                "metadata.labels.gone",
                "metadata.labels.new",
                "spec.containers[redis].image"
            ]
        );
        let longer = json!({"spec": {"ports": [1, 2]}});
        assert_eq!(differences(&json!({"spec": {"ports": [1]}}), &longer), ["spec.ports"]);
    }

    #[test]
    fn many_paths_are_shortened() {
        let paths: Vec<String> = (0..6).map(|number| format!("p{number}")).collect();
        assert_eq!(brief(&paths), "p0, p1, p2, p3 and 2 more");
        assert_eq!(brief(&paths[..1]), "p0");
    }
}
