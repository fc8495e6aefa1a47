//! One etcd, and what Patroni would write into it.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nova_platform::endpoints::HostPort;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::free_port;
use super::process::{self, Process};

/// A running member of its own cluster.
pub(crate) struct Etcd {
    pub(crate) address: HostPort,
    http: reqwest::Client,
    _process: Process,
    /// Removed after the process has ended: fields are dropped in this order.
    _directory: tempfile::TempDir,
}

impl Etcd {
    pub(crate) async fn start() -> Self {
        let directory = process::directory();
        let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
        let address = HostPort::new("127.0.0.1", free_port());
        let (client, peer) = (format!("http://{address}"), format!("http://127.0.0.1:{}", free_port()));
        let arguments = [
            "--name=test".to_owned(),
            format!("--data-dir={}", path("data")),
            format!("--listen-client-urls={client}"),
            format!("--advertise-client-urls={client}"),
            format!("--listen-peer-urls={peer}"),
            format!("--initial-advertise-peer-urls={peer}"),
            format!("--initial-cluster=test={peer}"),
        ];
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let etcd = Self {
            _process: Process::start(&directory.path().join("log"), "etcd", &arguments),
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
            address,
            _directory: directory,
        };
        let end = Instant::now() + Duration::from_secs(30);
        while etcd
            .try_ask("kv/range", &json!({ "key": STANDARD.encode("/") }))
            .await
            .is_none()
        {
            assert!(Instant::now() < end, "etcd does not answer");
            sleep(Duration::from_millis(20)).await;
        }
        etcd
    }

    async fn try_ask(&self, path: &str, body: &Value) -> Option<Value> {
        let request = self.http.post(format!("http://{}/v3/{path}", self.address)).json(body);
        let answer = request.send().await.ok()?.error_for_status().ok()?;
        answer.json().await.ok()
    }

    async fn ask(&self, path: &str, body: &Value) -> Value {
        self.try_ask(path, body).await.unwrap()
    }

    /// A session of a minute.
    pub(crate) async fn session(&self) -> String {
        let granted = self.ask("lease/grant", &json!({ "TTL": 60 })).await;
        granted["ID"].as_str().unwrap().to_owned()
    }

    /// Writes a key, bound to a session or to none.
    pub(crate) async fn put(&self, key: &str, value: &str, session: Option<&str>) {
        let mut put = json!({ "key": STANDARD.encode(key), "value": STANDARD.encode(value) });
        if let Some(session) = session {
            put["lease"] = json!(session);
        }
        self.ask("kv/put", &put).await;
    }

    pub(crate) async fn delete(&self, key: &str) {
        self.ask("kv/deleterange", &json!({ "key": STANDARD.encode(key) }))
            .await;
    }

    pub(crate) async fn get(&self, key: &str) -> Option<String> {
        let found = self.ask("kv/range", &json!({ "key": STANDARD.encode(key) })).await;
        let value = found["kvs"][0]["value"].as_str()?;
        Some(String::from_utf8(STANDARD.decode(value).unwrap()).unwrap())
    }
}
