//! The programs that build and keep images, and how each is asked.

use std::path::Path;
use std::time::Duration;

use super::command::Invocation;
use super::error::ImagesError;

/// How long a builder may take to say whether it works or has an image.
const ANSWER: Duration = Duration::from_secs(15);
/// How long one image may take to build: its packages come through the network.
const BUILD: Duration = Duration::from_secs(20 * 60);
/// How long an image may take to be written into a file or sent to a registry.
const COPY: Duration = Duration::from_secs(10 * 60);

/// A program that builds and keeps images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Builder {
    /// Needs no daemon.
    Buildah,
    /// Needs no daemon.
    Podman,
    /// Needs its daemon.
    Docker,
}

impl Builder {
    /// In the order in which they are tried.
    pub const ALL: [Self; 3] = [Self::Buildah, Self::Podman, Self::Docker];

    /// Its name and that of its program.
    #[must_use]
    pub const fn program(self) -> &'static str {
        match self {
            Self::Buildah => "buildah",
            Self::Podman => "podman",
            Self::Docker => "docker",
        }
    }

    /// The first that works on this machine.
    pub(super) async fn find() -> Result<Self, ImagesError> {
        first(async |builder| builder.probe().succeeds().await).await
    }

    /// Fails where it does not work: a docker without its daemon.
    fn probe(self) -> Invocation {
        let arguments: &[&str] = match self {
            Self::Buildah | Self::Podman => &["--version"],
            Self::Docker => &["version", "--format", "{{.Server.Version}}"],
        };
        self.invocation(arguments, ANSWER)
    }

    /// Succeeds when its store has the image.
    pub(super) fn has(self, reference: &str) -> Invocation {
        let arguments: &[&str] = match self {
            Self::Buildah => &["inspect", "--type", "image", "--format", "{{.FromImageID}}", reference],
            Self::Podman => &["image", "exists", reference],
            Self::Docker => &["image", "inspect", "--format", "{{.Id}}", reference],
        };
        self.invocation(arguments, ANSWER)
    }

    /// Builds the context in `directory`.
    pub(super) fn build(self, reference: &str, arguments: &[(&str, String)], directory: &Path) -> Invocation {
        let file = directory.join("Containerfile").display().to_string();
        let directory = directory.display().to_string();
        let mut words = vec!["build", "--file", &file, "--tag", reference];
        match self {
            // Works everywhere, also inside of containers and without privileges; layers, so that what is the same in two
            // images is made once.
            Self::Buildah => words.extend(["--isolation", "chroot", "--layers", "--force-rm"]),
            Self::Podman => words.extend(["--isolation", "chroot", "--force-rm"]),
            Self::Docker => {}
        }
        let given: Vec<String> = arguments
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        for argument in &given {
            words.extend(["--build-arg", argument]);
        }
        words.push(&directory);
        self.invocation(&words, BUILD)
    }

    /// Writes an image into a file.
    pub(super) fn archive(self, reference: &str, file: &Path) -> Invocation {
        let path = file.display().to_string();
        let buildah = format!("docker-archive:{path}:{reference}");
        let arguments: &[&str] = match self {
            Self::Buildah => &["push", "--quiet", reference, &buildah],
            Self::Podman => &[
                "save",
                "--quiet",
                "--format",
                "docker-archive",
                "--output",
                &path,
                reference,
            ],
            Self::Docker => &["save", "--output", &path, reference],
        };
        self.invocation(arguments, COPY)
    }

    /// Sends an image to the registry that its name names.
    pub(super) fn push(self, reference: &str) -> Invocation {
        self.invocation(&["push", "--quiet", reference], COPY)
    }

    fn invocation(self, arguments: &[&str], limit: Duration) -> Invocation {
        Invocation::new(self.program(), arguments.iter().copied(), limit)
    }
}

async fn first(works: impl AsyncFn(Builder) -> bool) -> Result<Builder, ImagesError> {
    for builder in Builder::ALL {
        if works(builder).await {
            return Ok(builder);
        }
    }
    Err(ImagesError::NoBuilder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_that_works_is_taken() {
        let only = async |wanted: &[Builder]| first(async |builder| wanted.contains(&builder)).await;
        assert_eq!(only(&Builder::ALL).await.ok(), Some(Builder::Buildah));
        assert_eq!(
            only(&[Builder::Docker, Builder::Podman]).await.ok(),
            Some(Builder::Podman)
        );
        assert_eq!(only(&[Builder::Docker]).await.ok(), Some(Builder::Docker));
    }

    #[tokio::test]
    async fn without_one_it_is_told_what_to_install() {
        let error = first(async |_| false).await.expect_err("none works");
        assert!(error.is_prerequisite());
        assert!(error.to_string().contains("apt-get install buildah"), "{error}");
    }

    #[test]
    fn a_service_is_told_to_its_build() {
        for builder in Builder::ALL {
            let build = builder.build(
                "a/b:c",
                &[("service", "user-service".to_owned())],
                Path::new("/context"),
            );
            let text = build.to_string();
            assert!(
                text.contains("--tag a/b:c") && text.ends_with("--build-arg service=user-service /context"),
                "{text}"
            );
        }
    }
}
