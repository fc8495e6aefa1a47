//! What must hold for every pod, whatever it runs: the Pod Security standard `restricted`, and the house's own rules.

use serde_json::{Value, json};

use crate::objects::{items, of_kind, place, selects, texts};

/// What is wrong with a StatefulSet or Deployment, given everything that is applied.
pub(crate) fn violations(workload: &Value, objects: &[Value]) -> Vec<String> {
    let template = &workload["spec"]["template"];
    let pod = &template["spec"];
    let mut told = pod_violations(pod);
    for container in items(&pod["containers"]).chain(items(&pod["initContainers"])) {
        told.extend(container_violations(pod, container));
    }
    told.extend(surroundings(workload, template, objects));
    told.iter()
        .map(|wrong| format!("{}: {wrong}", place(workload)))
        .collect()
}

fn pod_violations(pod: &Value) -> Vec<&'static str> {
    let security = &pod["securityContext"];
    let kinds_of_volumes = ["configMap", "emptyDir", "secret"];
    let volumes_fit = items(&pod["volumes"]).all(|volume| {
        let mut kinds = volume.as_object().unwrap().keys().filter(|key| *key != "name");
        kinds.all(|kind| kinds_of_volumes.contains(&kind.as_str()))
    });
    let bounded = items(&pod["volumes"])
        .all(|volume| volume["emptyDir"].is_null() || volume["emptyDir"]["sizeLimit"].is_string());
    let secrets_private =
        items(&pod["volumes"]).all(|volume| volume["secret"].is_null() || volume["secret"]["defaultMode"] == 0o440);
    found([
        (pod["automountServiceAccountToken"] == false, "a token is mounted"),
        (pod["enableServiceLinks"] == false, "variables of all Services are set"),
        (pod["serviceAccountName"].is_string(), "no service account of its own"),
        (
            ["hostNetwork", "hostPID", "hostIPC", "hostUsers"]
                .iter()
                .all(|key| pod[*key].is_null()),
            "something of the node is shared",
        ),
        (security["runAsNonRoot"] == true, "may run as root"),
        (
            security["runAsUser"] == 10001 && security["runAsGroup"] == 10001,
            "another user",
        ),
        (security["fsGroup"] == 10001, "volumes belong to another group"),
        (
            security["seccompProfile"]["type"] == "RuntimeDefault",
            "no seccomp profile",
        ),
        (
            security["sysctls"].is_null() && security["seLinuxOptions"].is_null(),
            "settings of the kernel",
        ),
        (volumes_fit, "a volume of a kind that the standard refuses"),
        (bounded, "a directory without a limit"),
        (secrets_private, "a secret that others may read"),
        (
            pod["terminationGracePeriodSeconds"]
                .as_u64()
                .is_some_and(|seconds| seconds >= 30),
            "no time to end",
        ),
    ])
}

fn container_violations(pod: &Value, container: &Value) -> Vec<&'static str> {
    let security = &container["securityContext"];
    let amounts = ["cpu", "memory", "ephemeral-storage"];
    let has = |what: &str| {
        amounts
            .iter()
            .all(|amount| container["resources"][what][*amount].is_string())
    };
    let probes = ["startupProbe", "readinessProbe", "livenessProbe"];
    let linger = container["lifecycle"]["preStop"]["sleep"]["seconds"]
        .as_u64()
        .unwrap_or(0);
    let grace = pod["terminationGracePeriodSeconds"].as_u64().unwrap_or(0);
    let image = container["image"].as_str().unwrap_or_default();
    let tag = image.rsplit_once(':').map_or("", |(_, tag)| tag);
    found([
        (
            security["allowPrivilegeEscalation"] == false,
            "may become more than it is",
        ),
        (security["readOnlyRootFilesystem"] == true, "may write its root"),
        (security["runAsNonRoot"] == true, "may run as root"),
        (security["privileged"] != true, "privileged"),
        (security["capabilities"] == json!({"drop": ["ALL"]}), "has capabilities"),
        (
            security["seccompProfile"]["type"] == "RuntimeDefault",
            "no seccomp profile",
        ),
        (
            items(&container["ports"]).all(|port| port["hostPort"].is_null()),
            "a port of the node",
        ),
        (has("requests"), "asks for nothing"),
        (has("limits"), "has no limits"),
        (
            probes.iter().all(|probe| container[*probe].is_object()),
            "is not probed",
        ),
        (
            probes.iter().all(|probe| {
                container[*probe]["timeoutSeconds"]
                    .as_u64()
                    .is_some_and(|seconds| seconds > 1)
            }),
            "a probe is in a hurry",
        ),
        (linger > 0 && linger < grace, "ends while it is still in the endpoints"),
        (
            !tag.is_empty() && tag != "latest",
            "an image that may be another tomorrow",
        ),
        (container["envFrom"].is_null(), "takes its environment from elsewhere"),
    ])
}

/// What belongs to a workload: its budget, its account, its place.
fn surroundings(workload: &Value, template: &Value, objects: &[Value]) -> Vec<&'static str> {
    let labels = &template["metadata"]["labels"];
    let namespace = &workload["metadata"]["namespace"];
    let here =
        |kind: &'static str| of_kind(objects, kind).filter(move |object| &object["metadata"]["namespace"] == namespace);
    let budgets: Vec<&Value> = here("PodDisruptionBudget")
        .filter(|budget| selects(&budget["spec"]["selector"], labels))
        .collect();
    let account = &template["spec"]["serviceAccountName"];
    let has_account = here("ServiceAccount")
        .any(|object| &object["metadata"]["name"] == account && object["automountServiceAccountToken"] == false);
    let restricted = of_kind(objects, "Namespace").any(|object| {
        &object["metadata"]["name"] == namespace
            && object["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    });
    let bounded = here("ResourceQuota").count() == 1 && here("LimitRange").count() == 1;
    let exceptions = texts_of(&workload["metadata"]["annotations"]["kube-score/ignore"])
        .iter()
        .all(|check| workload["metadata"]["annotations"][format!("nova/reason-{check}")].is_string());
    let spread = &template["spec"]["topologySpreadConstraints"][0];
    found([
        (
            selects(&workload["spec"]["selector"], labels),
            "does not select its own pods",
        ),
        (
            budgets.len() == 1 && budgets[0]["spec"]["maxUnavailable"] == 1,
            "not exactly one budget that lets one member go",
        ),
        (has_account, "its account does not exist or has a token"),
        (restricted, "its namespace admits anything"),
        (bounded, "its namespace has no bounds"),
        (exceptions, "an exception without a reason"),
        (apart(workload, template), "members are not kept apart"),
        (
            spread["topologyKey"] == "topology.kubernetes.io/zone" && selects(&spread["labelSelector"], labels),
            "members are not spread over zones",
        ),
        (rolls(workload), "an update takes members away"),
    ])
}

/// Members of a store must not share a node, others should not.
fn apart(workload: &Value, template: &Value) -> bool {
    let rule = &template["spec"]["affinity"]["podAntiAffinity"];
    let term = if workload["kind"] == "StatefulSet" {
        &rule["requiredDuringSchedulingIgnoredDuringExecution"][0]
    } else {
        &rule["preferredDuringSchedulingIgnoredDuringExecution"][0]["podAffinityTerm"]
    };
    term["topologyKey"] == "kubernetes.io/hostname"
        && selects(&term["labelSelector"], &template["metadata"]["labels"])
        && term["labelSelector"].is_object()
}

fn rolls(workload: &Value) -> bool {
    if workload["kind"] == "StatefulSet" {
        return workload["spec"]["updateStrategy"]["type"] == "RollingUpdate";
    }
    let strategy = &workload["spec"]["strategy"];
    strategy["type"] == "RollingUpdate" && strategy["rollingUpdate"] == json!({"maxSurge": 1, "maxUnavailable": 0})
}

/// The words of a list that is one text.
fn texts_of(list: &Value) -> Vec<&str> {
    let words: Vec<&str> = list.as_str().map(|list| list.split(',').collect()).unwrap_or_default();
    if words.is_empty() { texts(list) } else { words }
}

fn found<const N: usize>(rules: [(bool, &'static str); N]) -> Vec<&'static str> {
    rules
        .into_iter()
        .filter(|(holds, _)| !holds)
        .map(|(_, wrong)| wrong)
        .collect()
}
