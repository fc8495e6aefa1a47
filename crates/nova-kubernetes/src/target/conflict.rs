//! What a conflict of server-side apply says: the field, who owns it, and the two ways out.

use kube::core::Status;

use crate::names::MANAGER;

/// In words, for one object. The API server names the managers in each cause's message, as
/// `conflict with "kubectl" using apps/v1`.
pub(crate) fn describe(object: &str, status: &Status) -> String {
    let causes = status
        .details
        .as_ref()
        .map(|details| details.causes.as_slice())
        .unwrap_or_default();
    let mut fields: Vec<String> = causes
        .iter()
        .filter(|cause| !cause.field.is_empty())
        .map(|cause| {
            format!(
                "{} is owned by {}",
                cause.field.trim_start_matches('.'),
                owner(&cause.message)
            )
        })
        .collect();
    fields.dedup();
    if fields.is_empty() {
        fields.push(status.message.clone());
    }
    let (kind, name) = object.split_once(' ').unwrap_or(("", object));
    let (namespace, name) = name.split_once('/').map_or((String::new(), name), |(namespace, name)| {
        (format!(" -n {namespace}"), name)
    });
    let kind = kind.to_lowercase();
    format!(
        "{}. Either undo that change, so that its owner lets go of the field \
         (`kubectl{namespace} get {kind} {name} --show-managed-fields -o yaml` shows who set what), or give the fields to {MANAGER}: \
         `./nova render`, then `kubectl apply --server-side --force-conflicts --field-manager {MANAGER} -f` the object",
        fields.join(", ")
    )
}

/// Out of the API server's sentence; the sentence itself when it is another one.
fn owner(message: &str) -> String {
    let quoted = message.split('"').nth(1);
    quoted.map_or_else(|| message.to_owned(), |owner| format!("{owner:?}"))
}

#[cfg(test)]
mod tests {
    use super::describe;
    use kube::core::Status;

    #[test]
    fn names_the_field_its_owner_and_both_ways_out() {
        let status: Status = serde_json::from_value(serde_json::json!({
            "status": "Failure", "code": 409, "reason": "Conflict",
            "message": "Apply failed with 1 conflict: conflict with \"kubectl-scale\" using apps/v1: .spec.replicas",
            "details": {"causes": [{
                "reason": "FieldManagerConflict",
                "message": "conflict with \"kubectl-scale\" with subresource \"scale\" using apps/v1",
                "field": ".spec.replicas",
            }]},
        }))
        .expect("a status");
        let text = describe("StatefulSet nova-redis/redis", &status);
        assert!(
            text.starts_with("spec.replicas is owned by \"kubectl-scale\"."),
            "{text}"
        );
        assert!(
            text.contains("kubectl -n nova-redis get statefulset redis --show-managed-fields"),
            "{text}"
        );
        assert!(text.contains("--force-conflicts --field-manager nova"), "{text}");
    }

    #[test]
    fn an_unknown_conflict_keeps_the_servers_words() {
        let status = Status::failure("the object has been modified", "Conflict");
        assert!(describe("ConfigMap a/b", &status).starts_with("the object has been modified."));
    }
}
