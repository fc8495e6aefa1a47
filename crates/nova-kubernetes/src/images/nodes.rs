//! Which images the nodes of a cluster have already.

use std::collections::BTreeSet;
use std::time::Duration;

use k8s_openapi::api::core::v1::Node;
use kube::api::{Api, ListParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config, ResourceExt};
use nova_platform::spec::KubernetesSpec;

use super::error::ImagesError;

/// How long the cluster may take.
const ANSWER: Duration = Duration::from_secs(10);

/// A node and the names of the images that it says it has. Nodes tell at most their 50 largest, some seconds late.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeImages {
    /// Its name.
    pub node: String,
    /// References.
    pub images: BTreeSet<String>,
}

/// The context of the kubeconfig that the settings mean: theirs, or the current one. Empty when there is none.
#[must_use]
pub fn context_name(settings: &KubernetesSpec) -> String {
    if settings.context.is_empty() {
        let current = Kubeconfig::read()
            .ok()
            .and_then(|kubeconfig| kubeconfig.current_context);
        current.unwrap_or_default()
    } else {
        settings.context.clone()
    }
}

/// Asks the cluster that the settings mean for all of its nodes.
///
/// # Errors
///
/// When no kubeconfig names it, it does not answer in ten seconds, or it does not permit it.
pub async fn node_images(settings: &KubernetesSpec) -> Result<Vec<NodeImages>, ImagesError> {
    let context = Some(&settings.context).filter(|context| !context.is_empty()).cloned();
    let options = KubeConfigOptions {
        context,
        ..KubeConfigOptions::default()
    };
    let config = Config::from_kubeconfig(&options)
        .await
        .map_err(|error| ImagesError::Context(Box::new(error)))?;
    let client = Client::try_from(config).map_err(|error| ImagesError::Nodes(Box::new(error)))?;
    let nodes = Api::<Node>::all(client);
    let list = ListParams::default();
    match tokio::time::timeout(ANSWER, nodes.list(&list)).await {
        Ok(Ok(nodes)) => Ok(nodes.items.into_iter().map(of).collect()),
        Ok(Err(error)) => Err(ImagesError::Nodes(Box::new(error))),
        Err(_) => Err(ImagesError::Silent {
            context: context_name(settings),
            after: ANSWER,
        }),
    }
}

fn of(node: Node) -> NodeImages {
    let name = node.name_any();
    let images = node.status.and_then(|status| status.images).unwrap_or_default();
    NodeImages {
        node: name,
        images: images.into_iter().filter_map(|image| image.names).flatten().collect(),
    }
}

/// The nodes that do not have an image.
#[must_use]
pub fn lacking<'a>(nodes: &'a [NodeImages], reference: &str) -> Vec<&'a str> {
    nodes
        .iter()
        .filter(|node| !node.images.contains(reference))
        .map(|node| node.node.as_str())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_that_lacks_an_image_is_named() {
        let node = |name: &str, images: &[&str]| NodeImages {
            node: name.to_owned(),
            images: images.iter().map(|image| (*image).to_owned()).collect(),
        };
        let nodes = [node("node-1", &["a:1", "b:1"]), node("node-2", &["a:1"])];
        assert_eq!(lacking(&nodes, "a:1"), Vec::<&str>::new());
        assert_eq!(lacking(&nodes, "b:1"), ["node-2"]);
        assert_eq!(lacking(&nodes, "a:2"), ["node-1", "node-2"]);
    }

    #[test]
    fn all_names_of_an_image_count_and_silence_is_none() {
        let node = serde_json::json!({
            "metadata": {"name": "node-1"},
            "status": {"images": [{"names": ["a@sha256:0", "a:1"], "sizeBytes": 1}, {"sizeBytes": 2}]},
        });
        let images = of(serde_json::from_value(node).expect("a node")).images;
        assert!(images.contains("a:1") && images.contains("a@sha256:0"));
        assert!(of(Node::default()).images.is_empty());
    }
}
