//! The way to a cluster: a context of the kubeconfig, its API server, and whether that is one of this machine's or network's own.

use std::net::IpAddr;
use std::time::Duration;

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use nova_platform::explained::explained;

use super::KubernetesError;

/// Time in which the API server must answer the first question.
pub const FIRST_ANSWER: Duration = Duration::from_secs(5);
/// Time to connect to the API server.
const CONNECT: Duration = Duration::from_secs(5);
/// Prefixes of contexts that tools for local clusters make.
const LOCAL_CONTEXTS: [&str; 3] = ["kind-", "minikube", "k3d-"];

/// A cluster that can be talked to.
#[derive(Clone)]
pub struct Cluster {
    /// Its API.
    pub client: Client,
    /// The context that names it.
    pub context: String,
    /// Its API server's URL.
    pub server: String,
    /// Whether it is one of this machine's or network's own, so that nobody need be asked.
    pub is_local: bool,
}

impl Cluster {
    /// Of this context of the kubeconfig; of the current one when it is empty. Asks the server nothing yet.
    ///
    /// # Errors
    /// When the kubeconfig cannot be read or has no such context.
    pub async fn of(context: &str) -> Result<Self, KubernetesError> {
        let kubeconfig = Kubeconfig::read().map_err(|error| KubernetesError::Kubeconfig(explained(&error)))?;
        let known: Vec<String> = kubeconfig.contexts.iter().map(|context| context.name.clone()).collect();
        let current = kubeconfig.current_context.clone().unwrap_or_default();
        let context = if context.is_empty() {
            current
        } else {
            context.to_owned()
        };
        if !known.contains(&context) {
            return Err(KubernetesError::Context {
                wanted: context,
                known: if known.is_empty() {
                    "none".to_owned()
                } else {
                    known.join(", ")
                },
            });
        }
        let options = KubeConfigOptions {
            context: Some(context.clone()),
            ..KubeConfigOptions::default()
        };
        let mut config = Config::from_custom_kubeconfig(kubeconfig, &options)
            .await
            .map_err(|error| KubernetesError::Kubeconfig(explained(&error)))?;
        config.connect_timeout = Some(CONNECT);
        let server = config.cluster_url.to_string().trim_end_matches('/').to_owned();
        let client = Client::try_from(config).map_err(|error| KubernetesError::Kubeconfig(super::explain(&error)))?;
        Ok(Self {
            is_local: is_local(&context, &server),
            client,
            context,
            server,
        })
    }

    /// The server's version, such as (1, 36).
    ///
    /// # Errors
    /// When it does not answer within [`FIRST_ANSWER`].
    pub async fn version(&self) -> Result<(u32, u32), KubernetesError> {
        let silent = |why: String| KubernetesError::Silent {
            server: self.server.clone(),
            context: self.context.clone(),
            why,
        };
        let version = tokio::time::timeout(FIRST_ANSWER, self.client.apiserver_version())
            .await
            .map_err(|_| silent(format!("no answer within {} s", FIRST_ANSWER.as_secs())))?
            .map_err(|error| silent(super::explain(&error)))?;
        // Some providers write "31+".
        let number = |text: &str| {
            let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
            digits.parse().unwrap_or(0)
        };
        Ok((number(&version.major), number(&version.minor)))
    }
}

/// Whether a cluster is this machine's or network's own: by the context's name, or a loopback or private address.
#[must_use]
pub fn is_local(context: &str, server: &str) -> bool {
    if LOCAL_CONTEXTS.iter().any(|prefix| context.starts_with(prefix)) {
        return true;
    }
    let uri: Option<http::Uri> = server.parse().ok();
    let host = uri.as_ref().and_then(http::Uri::host).unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    match host.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => address.is_loopback() || address.is_private(),
        Ok(IpAddr::V6(address)) => address.is_loopback() || address.is_unique_local(),
        Err(_) => host == "localhost",
    }
}

#[cfg(test)]
mod tests {
    use super::is_local;

    #[test]
    fn private_addresses_and_local_tools_are_local() {
        for (context, server) in [
            ("a", "https://127.0.0.1:6443"),
            ("a", "https://[::1]:6443"),
            ("a", "https://localhost:6443"),
            ("a", "https://10.89.0.1:6443"),
            ("a", "https://172.16.3.4"),
            ("a", "https://192.168.49.2:8443"),
            ("kind-x", "https://example.org"),
            ("minikube", "https://example.org"),
            ("k3d-x", "https://example.org"),
        ] {
            assert!(is_local(context, server), "{context} {server}");
        }
        for (context, server) in [
            ("a", "https://172.32.0.1"),
            ("a", "https://8.8.8.8:6443"),
            ("a", "https://localhost.example.org"),
            ("mykind-x", "https://example.org"),
            ("a", "https://10.0.0.1.example.org"),
        ] {
            assert!(!is_local(context, server), "{context} {server}");
        }
    }
}
