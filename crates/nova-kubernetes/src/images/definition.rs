//! What goes into each image. All of it is embedded here or lies beside the running program, so that an installed `nova`
//! builds the same images as one in its repository.

use std::path::{Path, PathBuf};

use nova_platform::components::{ComponentId, Holds, Image, facts};
use nova_platform::spec::Spec;

const SERVICE: &str = include_str!("../../../../deploy/images/service/Containerfile");

// The same lists from which the local target installs.
pub(super) const PATRONI: &str = include_str!("../../../nova-local/install/patroni-requirements.txt");
pub(super) const PATRONI_BUILD: &str = include_str!("../../../nova-local/install/patroni-build-requirements.txt");
const KAFKA_CHECKSUMS: &str = include_str!("../../../nova-local/install/kafka-sha256.txt");

/// An image: how it is built and of what.
#[derive(Debug, Clone)]
pub(super) struct Definition {
    pub(super) name: String,
    pub(super) containerfile: &'static str,
    /// Build arguments.
    pub(super) arguments: Vec<(&'static str, String)>,
    /// What lies beside the Containerfile.
    pub(super) ingredients: Vec<Ingredient>,
}

/// A file or a directory of an image's build context.
#[derive(Debug, Clone)]
pub(super) struct Ingredient {
    pub(super) name: String,
    pub(super) mode: u32,
    pub(super) content: Content,
}

/// Where an ingredient comes from.
#[derive(Debug, Clone)]
pub(super) enum Content {
    /// One of Nova's own programs. Its debug information stays behind.
    Program(PathBuf),
    /// A list of names and checksums, which the build holds the files to.
    List(&'static str),
    /// Kafka's jars, which such a list names: they are not looked at to name the image.
    Jars,
    /// Patroni's packages, which such lists name.
    Wheels,
}

/// Every image of a platform, by name.
pub(super) fn all(spec: &Spec, programs: &Path) -> Vec<Definition> {
    let program = |name: &str| Ingredient {
        name: name.to_owned(),
        mode: 0o755,
        content: Content::Program(programs.join(name)),
    };
    let plain = |name: &str, content| Ingredient {
        name: name.to_owned(),
        mode: 0o644,
        content,
    };
    let image = |name: &str, containerfile, ingredients| Definition {
        name: name.to_owned(),
        containerfile,
        arguments: Vec::new(),
        ingredients,
    };
    let own = own().map(|of| {
        let mut ingredients = match of.holds {
            Holds::Nothing => Vec::new(),
            Holds::KafkaJars => vec![
                plain("kafka-sha256.txt", Content::List(KAFKA_CHECKSUMS)),
                plain("libs", Content::Jars),
            ],
            Holds::PatroniWheels => vec![
                plain("build-requirements.txt", Content::List(PATRONI_BUILD)),
                plain("requirements.txt", Content::List(PATRONI)),
                plain("wheels", Content::Wheels),
            ],
        };
        ingredients.push(program(of.starter));
        image(of.name, of.containerfile, ingredients)
    });
    let mut images: Vec<Definition> = own.collect();
    for service in spec.services.keys() {
        let mut definition = image(service, SERVICE, vec![program("nova-member"), program(service)]);
        definition.arguments = vec![("service", service.clone())];
        images.push(definition);
    }
    images.sort_by(|a, b| a.name.cmp(&b.name));
    images
}

/// The images of the stores, the gateway and the tool; each service has one of its own besides.
pub(super) fn own() -> impl Iterator<Item = Image> {
    let ids = ComponentId::OWN.iter().chain([&ComponentId::Agent]);
    ids.filter_map(|id| facts(id).image)
}

/// File names of Kafka's jars.
pub(super) fn jars() -> impl Iterator<Item = &'static str> {
    KAFKA_CHECKSUMS
        .lines()
        .filter_map(|line| Some(line.split_once("  ")?.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_that_a_containerfile_copies_is_an_ingredient() {
        let spec = super::super::fixtures::spec();
        for image in all(&spec, Path::new("/programs")) {
            for line in image
                .containerfile
                .lines()
                .filter(|line| line.starts_with("COPY") && !line.contains("--from"))
            {
                let words: Vec<&str> = line.split(' ').skip(1).filter(|word| !word.starts_with("--")).collect();
                for copied in &words[..words.len() - 1] {
                    let copied = copied.replace("${service}", &image.name);
                    let there = image.ingredients.iter().any(|ingredient| ingredient.name == copied);
                    assert!(there, "{}: nothing gives {copied}", image.name);
                }
            }
        }
    }

    #[test]
    fn every_argument_that_a_containerfile_takes_is_given() {
        let spec = super::super::fixtures::spec();
        for image in all(&spec, Path::new("/programs")) {
            let taken: Vec<&str> = image
                .containerfile
                .lines()
                .filter_map(|line| line.strip_prefix("ARG "))
                .collect();
            let given: Vec<&str> = image.arguments.iter().map(|(name, _)| *name).collect();
            assert_eq!(taken, given, "{}", image.name);
        }
    }

    #[test]
    fn the_class_archive_is_made_with_the_class_path_of_brokers() {
        // A broker's is all jars by name; the archive's is this list as it stands.
        assert!(jars().is_sorted());
    }

    #[test]
    fn every_image_runs_as_the_same_user_without_a_shell() {
        let spec = super::super::fixtures::spec();
        for image in all(&spec, Path::new("/programs")) {
            assert!(
                image.containerfile.trim_end().ends_with("USER 10001:10001"),
                "{}",
                image.name
            );
            let begin = |text: &'static str| text.split("RUN ").nth(1).map(str::trim);
            assert!(
                image.containerfile.contains(begin(SERVICE).unwrap_or("?")),
                "{} does not share the first layer",
                image.name
            );
        }
    }
}
