//! The given cluster, a platform of a test's own on it, and what breaks things there.

pub(crate) mod session;
pub(crate) mod watch;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

pub(crate) use crate::call::Call;

/// Everything that heals must have healed after this.
pub(crate) const WHOLE_AGAIN: Duration = Duration::from_secs(180);

/// The cluster that was given to the tests.
#[derive(Debug, Clone)]
pub(crate) struct Cluster {
    kubeconfig: PathBuf,
    image_load: Vec<String>,
    node_power: Option<PathBuf>,
    volumes: Vec<String>,
}

impl Cluster {
    /// `None`, and a word about it, when none was given.
    pub(crate) fn given() -> Option<Self> {
        let Some(kubeconfig) = std::env::var_os("NOVA_TEST_KUBECONFIG") else {
            eprintln!("NOVA_TEST_KUBECONFIG names no cluster: this test did nothing");
            return None;
        };
        let words = |name| -> Vec<String> {
            let command = std::env::var(name).unwrap_or_default();
            command.split_whitespace().map(str::to_owned).collect()
        };
        let cluster = Self {
            kubeconfig: kubeconfig.into(),
            image_load: words("NOVA_TEST_IMAGE_LOAD"),
            volumes: words("NOVA_TEST_VOLUMES"),
            node_power: std::env::var_os("NOVA_TEST_NODE_POWER").map(PathBuf::from),
        };
        // A node that has just started is Ready some seconds before its taint goes.
        wait_for("every node schedulable", WHOLE_AGAIN, || cluster.nodes_take_pods());
        Some(cluster)
    }

    /// Whether the cluster itself keeps pods from none of its nodes; what else a node is tainted with is its owner's affair.
    fn nodes_take_pods(&self) -> bool {
        let nodes = self.get(&["nodes"]);
        let nodes = nodes["items"].as_array().into_iter().flatten();
        let mut taints = nodes.flat_map(|node| node["spec"]["taints"].as_array().into_iter().flatten());
        !taints.any(|taint| {
            taint["key"]
                .as_str()
                .is_some_and(|key| key.starts_with("node.kubernetes.io/"))
        })
    }

    pub(crate) fn kubectl(&self, args: &[&str]) -> Call {
        Call::of(&self.kubectl_command(args).output().unwrap())
    }

    pub(crate) fn kubectl_command(&self, args: &[&str]) -> Command {
        let mut command = Command::new("kubectl");
        command
            .args(args)
            .env("KUBECONFIG", &self.kubeconfig)
            .stdin(Stdio::null());
        command
    }

    /// What the API server says, as JSON.
    #[track_caller]
    pub(crate) fn get(&self, args: &[&str]) -> Value {
        self.kubectl(&[&["get", "-o", "json"], args].concat())
            .expect_code(0)
            .json()
    }

    /// Whether nodes can be taken away here.
    pub(crate) fn has_power(&self) -> bool {
        self.node_power.is_some()
    }

    /// Takes a node's power away, or gives it back.
    #[track_caller]
    pub(crate) fn power(&self, on: bool, node: &str) {
        let output = self.switch(on, node).output().unwrap();
        Call::of(&output).expect_code(0);
    }

    /// For a test that has failed already.
    pub(crate) fn restore_power(&self, node: &str) {
        let _ = self.switch(true, node).output();
    }

    fn switch(&self, on: bool, node: &str) -> Command {
        let program = self.node_power.as_ref().expect("NOVA_TEST_NODE_POWER is set");
        let mut command = Command::new(program);
        command.args([if on { "on" } else { "off" }, node]);
        command
    }

    /// Makes volumes whose claims are gone fit for new ones.
    fn free_volumes(&self) {
        if let [program, arguments @ ..] = self.volumes.as_slice() {
            let output = Command::new(program).args(arguments).output().unwrap();
            Call::of(&output).expect_code(0);
        }
    }

    pub(crate) fn nodes(&self) -> Vec<String> {
        names(&self.get(&["nodes"]))
    }
}

/// A platform of a test's own; what is left of it goes with it.
pub(crate) struct Platform {
    pub(crate) cluster: Cluster,
    directory: tempfile::TempDir,
    name: String,
}

impl Platform {
    /// Described, and not deployed yet.
    pub(crate) fn new(cluster: &Cluster, name: &str, more: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let load: Vec<String> = cluster.image_load.iter().map(|word| format!("{word:?}")).collect();
        let text = format!(
            "[platform]\nname = \"{name}\"\n[kubernetes]\nimage_load = [{}]\n{more}\n",
            load.join(", ")
        );
        std::fs::write(directory.path().join("nova.toml"), text).unwrap();
        Self {
            cluster: cluster.clone(),
            directory,
            name: name.to_owned(),
        }
    }

    /// Adds lines to its nova.toml.
    pub(crate) fn describe(&self, more: &str) {
        let file = self.directory.path().join("nova.toml");
        let described = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, format!("{described}{more}")).unwrap();
    }

    pub(crate) fn directory(&self) -> PathBuf {
        self.directory.path().to_owned()
    }

    pub(crate) fn namespace(&self, area: &str) -> String {
        format!("{}-{area}", self.name)
    }

    /// All namespaces that it may have.
    pub(crate) fn namespaces(&self) -> Vec<String> {
        ["system", "redis", "database", "kafka", "services"]
            .map(|area| self.namespace(area))
            .into()
    }

    /// A call that is not started yet.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        self.command_of(Path::new(env!("CARGO_BIN_EXE_nova")), args)
    }

    /// The same, of another build.
    pub(crate) fn command_of(&self, nova: &Path, args: &[&str]) -> Command {
        let mut command = Command::new(nova);
        command
            .args(args)
            .args(["--target", "kubernetes"])
            .current_dir(self.directory.path())
            .env("KUBECONFIG", &self.cluster.kubeconfig)
            .env("XDG_STATE_HOME", self.directory.path().join("state"));
        command
    }

    /// A drill whose ledger goes with the platform.
    pub(crate) fn drill(&self, args: &[&str]) -> Command {
        let mut command = self.command(&[&["drill"], args, &["-o", "json"]].concat());
        command.env("TMPDIR", self.directory.path());
        command
    }

    pub(crate) fn nova(&self, args: &[&str]) -> Call {
        Call::of(&self.command(args).output().unwrap())
    }

    /// `status -o json`, whatever it says.
    pub(crate) fn status(&self) -> Value {
        self.nova(&["status", "-o", "json"]).json()
    }

    /// Waits until the platform is whole.
    #[track_caller]
    pub(crate) fn wait_until_healthy(&self, what: &str) {
        let limit = format!("{}s", WHOLE_AGAIN.as_secs());
        let call = self.nova(&["status", "--wait", "--timeout", &limit]);
        assert_eq!(call.code, 0, "not healthy {what}:\n{}{}", call.stdout, call.stderr);
    }

    /// The pods of one area: name, node, uid and labels.
    pub(crate) fn pods(&self, area: &str) -> Vec<Value> {
        let pods = self.cluster.get(&["pods", "-n", &self.namespace(area)]);
        pods["items"].as_array().cloned().unwrap_or_default()
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        let call = self.nova(&["cleanup", "--data", "--yes"]);
        if std::thread::panicking() {
            self.cluster.free_volumes();
            return;
        }
        assert_eq!(call.code, 0, "cleanup left something: {}{}", call.stdout, call.stderr);
        if call.stdout.contains("removed:") {
            let volumes = self.cluster.get(&["persistentvolumes"]);
            let retained = volumes["items"].as_array().into_iter().flatten().any(|volume| {
                let namespace = volume["spec"]["claimRef"]["namespace"].as_str();
                volume["spec"]["persistentVolumeReclaimPolicy"] == "Retain"
                    && namespace.is_some_and(|namespace| self.namespaces().contains(&namespace.to_owned()))
            });
            assert_eq!(
                call.stdout.contains("reclaim policy is Retain"),
                retained,
                "{}",
                call.stdout
            );
        }
        let left = names(&self.cluster.get(&["namespaces"]));
        let left: Vec<&String> = left.iter().filter(|left| self.namespaces().contains(left)).collect();
        assert!(left.is_empty(), "these namespaces are still there: {left:?}");
        self.cluster.free_volumes();
    }
}

/// The names in a list of the API server.
pub(crate) fn names(list: &Value) -> Vec<String> {
    let items = list["items"].as_array().into_iter().flatten();
    items
        .filter_map(|item| item["metadata"]["name"].as_str().map(str::to_owned))
        .collect()
}

/// Waits until the condition holds.
#[track_caller]
pub(crate) fn wait_for(what: &str, limit: Duration, mut condition: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !condition() {
        assert!(begin.elapsed() < limit, "not {what} within {limit:?}");
        std::thread::sleep(Duration::from_millis(300));
    }
}
