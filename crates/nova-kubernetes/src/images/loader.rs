//! How images get from the builder's store into the nodes of a cluster, or to where these pull them from.

use std::path::Path;
use std::time::Duration;

use nova_platform::spec::KubernetesSpec;

use super::command::{CommandError, Invocation};
use super::error::ImagesError;

/// How long one image may take into all nodes.
const LIMIT: Duration = Duration::from_secs(10 * 60);

/// A way into the nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Loader {
    /// Sent to the registry in the images' names.
    Registry,
    /// A command of the operator's, to which the image's name is appended.
    Command(Vec<String>),
    /// A cluster made by kind, by its name.
    Kind(String),
    /// The cluster made by minikube.
    Minikube,
    /// A cluster made by k3d, by its name.
    K3d(String),
}

impl Loader {
    /// As the settings say; without any, as the name of the kubeconfig's context gives away.
    ///
    /// # Errors
    ///
    /// When neither tells.
    pub fn choose(settings: &KubernetesSpec, context: &str) -> Result<Self, ImagesError> {
        if !settings.registry.is_empty() {
            return Ok(Self::Registry);
        }
        if !settings.image_load.is_empty() {
            return Ok(Self::Command(settings.image_load.clone()));
        }
        match (context.strip_prefix("kind-"), context.strip_prefix("k3d-")) {
            (Some(cluster), _) => Ok(Self::Kind(cluster.to_owned())),
            (_, Some(cluster)) => Ok(Self::K3d(cluster.to_owned())),
            _ if context == "minikube" => Ok(Self::Minikube),
            _ => Err(ImagesError::NoLoader {
                context: context.to_owned(),
            }),
        }
    }

    /// Whether it takes an image from a file rather than by its name.
    pub(super) const fn takes_archive(&self) -> bool {
        matches!(self, Self::Kind(_) | Self::Minikube | Self::K3d(_))
    }

    /// What loads an image; `None` for a registry, to which the builder sends it.
    pub(super) fn invocation(&self, reference: &str, archive: &Path) -> Option<Invocation> {
        let archive = archive.display().to_string();
        let words: Vec<&str> = match self {
            Self::Registry => return None,
            Self::Command(words) => words.iter().map(String::as_str).chain([reference]).collect(),
            Self::Kind(cluster) => vec!["kind", "load", "image-archive", &archive, "--name", cluster],
            Self::Minikube => vec!["minikube", "image", "load", &archive],
            Self::K3d(cluster) => vec!["k3d", "image", "import", &archive, "--cluster", cluster],
        };
        let (program, arguments) = words.split_first()?;
        Some(Invocation::new(program, arguments.iter().copied(), LIMIT))
    }

    /// For people, such as `kind load`.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Registry => "push".to_owned(),
            Self::Command(words) => words.join(" "),
            Self::Kind(_) => "kind load".to_owned(),
            Self::Minikube => "minikube image load".to_owned(),
            Self::K3d(_) => "k3d image import".to_owned(),
        }
    }
}

/// An error of loading, with the image.
pub(super) fn failed(reference: &str) -> impl FnOnce(CommandError) -> ImagesError {
    let reference = reference.to_owned();
    move |source| ImagesError::Load { reference, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(registry: &str, image_load: &[&str]) -> KubernetesSpec {
        let mut settings = super::super::fixtures::spec().kubernetes;
        settings.registry = registry.to_owned();
        settings.image_load = image_load.iter().map(|word| (*word).to_owned()).collect();
        settings
    }

    fn words(loader: &Loader) -> String {
        loader
            .invocation("localhost/nova/redis:1", Path::new("/redis.tar"))
            .map_or_else(String::new, |invocation| invocation.to_string())
    }

    #[test]
    fn settings_come_before_the_context() {
        let both = settings("registry.example/nova", &["load"]);
        assert_eq!(Loader::choose(&both, "kind-a").ok(), Some(Loader::Registry));
        let own = Loader::choose(&settings("", &["cluster", "load"]), "kind-a").expect("set");
        assert_eq!(words(&own), "cluster load localhost/nova/redis:1");
    }

    #[test]
    fn contexts_of_local_clusters_are_known() {
        let none = settings("", &[]);
        let of = |context| words(&Loader::choose(&none, context).expect(context));
        assert_eq!(of("kind-dev"), "kind load image-archive /redis.tar --name dev");
        assert_eq!(of("k3d-dev"), "k3d image import /redis.tar --cluster dev");
        assert_eq!(of("minikube"), "minikube image load /redis.tar");
    }

    #[test]
    fn an_unknown_context_names_both_settings() {
        let error = Loader::choose(&settings("", &[]), "production")
            .expect_err("unknown")
            .to_string();
        for part in ["\"production\"", "kubernetes.registry", "kubernetes.image_load"] {
            assert!(error.contains(part), "{error}");
        }
    }
}
