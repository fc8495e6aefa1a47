//! Wrong surroundings and wrong input: one clear block each, the right exit code, nothing half-owned.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::{Call, Cluster, Platform, names, wait_for};

/// A deploy that must end with this code and say all of this.
#[track_caller]
fn refused(call: Call, code: i32, says: &[&str]) {
    let call = call.expect_code(code);
    for word in says {
        assert!(call.stderr.contains(word), "{word:?} is not in:\n{}", call.stderr);
    }
}

fn nothing_was_made(platform: &Platform) {
    let there = names(&platform.cluster.get(&["namespaces"]));
    let made: Vec<&String> = there
        .iter()
        .filter(|name| platform.namespaces().contains(name))
        .collect();
    assert!(made.is_empty(), "{made:?}");
}

#[test]
fn a_cluster_that_cannot_be_used_is_told_before_anything_is_made() {
    let Some(cluster) = Cluster::given() else { return };
    let platform = Platform::new(&cluster, "k8s-bad", "");
    let with_kubeconfig = |path: &str| {
        let mut command = platform.command(&["deploy", "--yes"]);
        Call::of(&command.env("KUBECONFIG", path).output().unwrap())
    };
    let words = ["kubeconfig", "docs/guide.md#no-cluster-answers"];
    refused(with_kubeconfig("/nonexistent/kubeconfig"), 5, &words);

    let nobody = platform.directory().join("nobody-there");
    let text = "apiVersion: v1\nkind: Config\ncurrent-context: x\ncontexts: [{name: x, context: {cluster: x, user: x}}]\n\
                clusters: [{name: x, cluster: {server: \"http://127.0.0.1:1\"}}]\nusers: [{name: x, user: {}}]\n";
    std::fs::write(&nobody, text).unwrap();
    refused(with_kubeconfig(nobody.to_str().unwrap()), 5, &["127.0.0.1:1"]);

    let with_setting = |setting: &str| {
        let described = std::fs::read_to_string(platform.directory().join("nova.toml")).unwrap();
        let described = described.replace("[kubernetes]\n", &format!("[kubernetes]\n{setting}\n"));
        std::fs::write(platform.directory().join("other.toml"), described).unwrap();
        platform.nova(&["deploy", "--yes", "-f", "other.toml"])
    };
    refused(with_setting("context = \"absent\""), 5, &["absent", "context"]);
    refused(
        with_setting("storage_class = \"absent\""),
        5,
        &["absent", "storage class"],
    );
    nothing_was_made(&platform);

    let nodes = cluster.nodes();
    for node in &nodes[1..] {
        cluster.kubectl(&["cordon", node]).expect_code(0);
    }
    let call = platform.nova(&["deploy", "--yes"]);
    for node in &nodes[1..] {
        cluster.kubectl(&["uncordon", node]).expect_code(0);
    }
    refused(call, 5, &["nodes"]);
    nothing_was_made(&platform);

    let weak = user_without_permissions(&platform);
    refused(with_kubeconfig(&weak), 5, &["permission"]);
    nothing_was_made(&platform);
}

/// A kubeconfig of a service account that may do nothing.
fn user_without_permissions(platform: &Platform) -> String {
    let cluster = &platform.cluster;
    let account = "nova-test-nobody";
    let made = cluster.kubectl(&["create", "serviceaccount", account, "-n", "default"]);
    assert!(made.code == 0 || made.stderr.contains("exists"), "{}", made.stderr);
    let token = cluster
        .kubectl(&["create", "token", account, "-n", "default"])
        .expect_code(0)
        .stdout;
    let view = cluster
        .kubectl(&["config", "view", "--raw", "--minify", "-o", "json"])
        .expect_code(0)
        .json();
    let mut config = view;
    config["users"][0]["user"] = serde_json::json!({"token": token.trim()});
    let path = platform.directory().join("nobody");
    std::fs::write(&path, config.to_string()).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn what_goes_wrong_on_the_way_is_one_clear_block_and_the_next_deploy_goes_on() {
    let Some(cluster) = Cluster::given() else { return };
    let platform = Platform::new(&cluster, "k8s-way", "");
    a_foreign_namespace_is_left_alone(&platform);
    an_interrupted_deploy_says_how_to_go_on(&platform);

    an_image_that_no_node_has_is_named(&platform);

    platform.describe("[services.user-service]\nenv = { NOVA_DATABASE_POOL = \"many\" }\n");
    let call = platform.nova(&["deploy", "--yes"]);
    let words = [
        "user-service",
        "--database-pool",
        "next",
        "docs/guide.md#a-pod-keeps-ending",
    ];
    refused(call, 1, &words);

    let file = platform.directory().join("nova.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let (mended, _) = text.split_once("[services.user-service]").unwrap();
    std::fs::write(&file, mended).unwrap();
    platform.nova(&["deploy", "--yes"]).expect_code(0);
    a_field_of_someone_else_is_not_taken(&platform);
}

fn a_foreign_namespace_is_left_alone(platform: &Platform) {
    let foreign = platform.namespace("redis");
    platform
        .cluster
        .kubectl(&["create", "namespace", &foreign])
        .expect_code(0);
    refused(platform.nova(&["deploy", "--yes"]), 5, &[&foreign]);
    let there = names(&platform.cluster.get(&["namespaces"]));
    let made = there.iter().filter(|name| platform.namespaces().contains(name)).count();
    assert_eq!(made, 1, "{there:?}");
    // Neither does a cleanup touch it.
    platform.nova(&["cleanup", "--data", "--yes"]).expect_code(0);
    platform.cluster.get(&["namespace", &foreign]);
    platform
        .cluster
        .kubectl(&["delete", "namespace", &foreign])
        .expect_code(0);
}

fn an_interrupted_deploy_says_how_to_go_on(platform: &Platform) {
    let mut command = platform.command(&["deploy", "--yes"]);
    let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let namespace = platform.namespace("database");
    wait_for("pods of PostgreSQL", Duration::from_secs(240), || {
        let pods = platform
            .cluster
            .kubectl(&["get", "pods", "-n", &namespace, "-o", "name"]);
        pods.stdout.contains("postgres-1")
    });
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGINT).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{said}");
    assert!(said.contains("nova deploy"), "{said}");
}

/// A new image of auth-service is built, and what loads images says that it did and did not.
fn an_image_that_no_node_has_is_named(platform: &Platform) {
    let programs = Path::new(env!("CARGO_BIN_EXE_nova")).parent().unwrap();
    let copies = platform.directory().join("programs");
    std::fs::create_dir(&copies).unwrap();
    for program in ["nova", "nova-member", "auth-service", "user-service", "cdc-service"] {
        std::fs::copy(programs.join(program), copies.join(program)).unwrap();
    }
    let mut changed = OpenOptions::new()
        .append(true)
        .open(copies.join("auth-service"))
        .unwrap();
    changed.write_all(b"another").unwrap();
    drop(changed);

    let described = std::fs::read_to_string(platform.directory().join("nova.toml")).unwrap();
    let (head, tail) = described.split_once("image_load = ").unwrap();
    let (_, tail) = tail.split_once('\n').unwrap();
    let unloaded = format!("{head}image_load = [\"true\"]\n{tail}");
    std::fs::write(platform.directory().join("unloaded.toml"), unloaded).unwrap();
    let mut deploy = platform.command_of(&copies.join("nova"), &["deploy", "--yes", "-f", "unloaded.toml"]);
    let call = Call::of(&deploy.output().unwrap());
    let words = [
        "auth-service",
        "ErrImagePull",
        "docs/guide.md#an-image-cannot-be-pulled",
    ];
    refused(call, 1, &words);
}

fn a_field_of_someone_else_is_not_taken(platform: &Platform) {
    let namespace = platform.namespace("database");
    let patch = platform.directory().join("patch.yaml");
    let text = format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: gateway, namespace: {namespace}}}\nspec: {{minReadySeconds: 7, \
         replicas: 1}}\n"
    );
    std::fs::write(&patch, text).unwrap();
    let patch = patch.to_str().unwrap();
    let apply = [
        "apply",
        "--server-side",
        "--force-conflicts",
        "--field-manager=somebody",
        "-f",
        patch,
    ];
    platform.cluster.kubectl(&apply).expect_code(0);
    refused(
        platform.nova(&["deploy", "--yes"]),
        1,
        &["somebody", "gateway", "replicas"],
    );
}
