//! Who is only a viewer sees everything but secrets, and changes nothing.

use serde_json::json;

use crate::support::{Call, Platform};

/// Binds a user to the viewer's roles, as decision 8 shows it, and tries.
pub(crate) fn a_viewer_reads_and_does_not_write(platform: &Platform) {
    let cluster = &platform.cluster;
    for namespace in platform.namespaces() {
        let bind = [
            "create",
            "rolebinding",
            "viewer",
            "--role=nova-viewer",
            "--user=viewer",
            "-n",
            &namespace,
        ];
        cluster.kubectl(&bind).expect_code(0);
    }
    let (name, role) = (platform.namespace("viewer-test"), platform.namespace("nova-viewer"));
    cluster
        .kubectl(&["delete", "clusterrolebinding", &name, "--ignore-not-found"])
        .expect_code(0);
    let bind = [
        "create",
        "clusterrolebinding",
        &name,
        &format!("--clusterrole={role}"),
        "--user=viewer",
    ];
    cluster.kubectl(&bind).expect_code(0);

    let namespace = platform.namespace("database");
    // First: after "--" they would be words of a command in the pod.
    let as_viewer = |args: &[&str]| cluster.kubectl(&[&["-n", &namespace, "--as", "viewer"], args].concat());
    as_viewer(&["get", "pods,services,statefulsets,configmaps,networkpolicies"]).expect_code(0);
    as_viewer(&["logs", "postgres-1", "--tail=1"]).expect_code(0);
    let refused: [&[&str]; 5] = [
        &["get", "secrets"],
        &["delete", "pod", "postgres-1"],
        &["scale", "statefulset", "postgres", "--replicas=1"],
        &["annotate", "configmap", "postgres-config", "a=b"],
        &["exec", "postgres-1", "--", "true"],
    ];
    for args in refused {
        let call = as_viewer(args);
        assert!(call.code != 0 && call.stderr.contains("orbidden"), "{args:?}: {call:?}");
    }

    // The tool itself, as that user.
    let view = cluster
        .kubectl(&["config", "view", "--raw", "--minify", "-o", "json"])
        .expect_code(0);
    let mut config = view.json();
    config["users"][0]["user"]["as"] = json!("viewer");
    let path = platform.directory().join("viewer");
    std::fs::write(&path, config.to_string()).unwrap();
    let mut status = platform.command(&["status", "-o", "json"]);
    let status = Call::of(&status.env("KUBECONFIG", &path).output().unwrap()).expect_code(0);
    assert_eq!(status.json()["verdict"], "healthy", "{}", status.stdout);
    let mut deploy = platform.command(&["deploy", "--yes"]);
    let deploy = Call::of(&deploy.env("KUBECONFIG", &path).output().unwrap()).expect_code(5);
    assert!(deploy.stderr.contains("permission"), "{}", deploy.stderr);
    cluster.kubectl(&["delete", "clusterrolebinding", &name]).expect_code(0);
    for namespace in platform.namespaces() {
        cluster
            .kubectl(&["delete", "rolebinding", "viewer", "-n", &namespace])
            .expect_code(0);
    }
}
