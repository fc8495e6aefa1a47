//! What can go wrong with images, said so that the next step is clear.

use std::io;
use std::path::PathBuf;

use super::command::CommandError;

/// Why images could not be named, built or loaded.
#[derive(Debug, thiserror::Error)]
pub enum ImagesError {
    /// Nothing builds images here.
    #[error(
        "no program that builds images works here: buildah and podman are not installed, and docker is not installed or \
         its daemon does not answer; install one, for instance with: apt-get install buildah"
    )]
    NoBuilder,
    /// Nova's own program for an image is missing.
    #[error(
        "the image {image} holds {}, which is not there: build all of Nova's programs into one directory \
         (cargo build --release --workspace --bins)", .path.display()
    )]
    NoProgram {
        /// The image.
        image: String,
        /// Where the program was looked for.
        path: PathBuf,
    },
    /// Kafka's jars are not on this machine.
    #[error(
        "the image kafka holds Kafka's jars, which are not on this machine; fetch them with: nova doctor --install"
    )]
    NoJars,
    /// It cannot be told how this cluster's nodes get images.
    #[error(
        "cannot tell how the nodes of context {context:?} get images: set kubernetes.registry in nova.toml to where images \
         are pushed to and pulled from, or kubernetes.image_load to the command that loads an image into the nodes, such \
         as [\"k3d\", \"image\", \"import\"]"
    )]
    NoLoader {
        /// Context of the kubeconfig.
        context: String,
    },
    /// An image was not built.
    #[error("the image {image} was not built")]
    Build {
        /// The image.
        image: String,
        /// What the builder said.
        #[source]
        source: CommandError,
    },
    /// An image did not reach the nodes or the registry.
    #[error("{reference} was not loaded into the cluster")]
    Load {
        /// The image.
        reference: String,
        /// What the loading program said.
        #[source]
        source: CommandError,
    },
    /// Patroni's packages could not be fetched.
    #[error("Patroni's packages for the image postgres were not fetched")]
    Wheels(#[source] CommandError),
    /// A file of a build could not be read or written.
    #[error("cannot prepare {}", .path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// There is no kubeconfig that names the cluster.
    #[error(
        "no kubeconfig tells which cluster is meant; set KUBECONFIG, or kubernetes.context in nova.toml to one of its contexts"
    )]
    Context(#[source] Box<kube::config::KubeconfigError>),
    /// The cluster did not answer.
    #[error("the cluster of context {context:?} did not answer within {} s", .after.as_secs())]
    Silent {
        /// Context of the kubeconfig.
        context: String,
        /// The limit.
        after: std::time::Duration,
    },
    /// The cluster did not say which images its nodes have.
    #[error("cannot ask the cluster which images its nodes have")]
    Nodes(#[source] Box<kube::Error>),
}

impl ImagesError {
    /// Whether something must be installed or set on this machine first.
    #[must_use]
    pub fn is_prerequisite(&self) -> bool {
        match self {
            Self::NoBuilder | Self::NoProgram { .. } | Self::NoJars => true,
            Self::Build { source, .. } | Self::Load { source, .. } | Self::Wheels(source) => {
                matches!(source, CommandError::Missing { .. })
            }
            Self::NoLoader { .. } | Self::Context(_) | Self::Silent { .. } | Self::File { .. } | Self::Nodes(_) => {
                false
            }
        }
    }

    pub(super) fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }
}
