//! The content tag: twelve hexadecimal digits that change when anything does that goes into an image.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::definition::{Content, Definition};
use super::error::ImagesError;

/// Digits of a tag.
const LENGTH: usize = 12;

/// Digests of files, each read once.
#[derive(Debug, Default)]
pub(super) struct Digests(BTreeMap<PathBuf, Vec<u8>>);

impl Digests {
    fn of(&mut self, path: &Path) -> io::Result<&[u8]> {
        if !self.0.contains_key(path) {
            self.0.insert(path.to_owned(), digest(path)?);
        }
        Ok(self.0.get(path).map_or(&[], Vec::as_slice))
    }
}

/// The tag of an image: over its Containerfile, its arguments, and of every ingredient the name, mode and content. Times do
/// not count. What a list with checksums names is counted by that list.
pub(super) fn tag(image: &Definition, digests: &mut Digests) -> Result<String, ImagesError> {
    let mut hash = Sha256::new();
    field(&mut hash, image.containerfile.as_bytes());
    for (name, value) in &image.arguments {
        field(&mut hash, name.as_bytes());
        field(&mut hash, value.as_bytes());
    }
    let mut ingredients: Vec<_> = image.ingredients.iter().collect();
    ingredients.sort_by(|a, b| a.name.cmp(&b.name));
    for ingredient in ingredients {
        field(&mut hash, ingredient.name.as_bytes());
        field(&mut hash, &ingredient.mode.to_be_bytes());
        match &ingredient.content {
            Content::Program(path) => {
                let digest = digests.of(path).map_err(|source| {
                    if source.kind() == io::ErrorKind::NotFound {
                        ImagesError::NoProgram {
                            image: image.name.clone(),
                            path: path.clone(),
                        }
                    } else {
                        ImagesError::file(path)(source)
                    }
                })?;
                field(&mut hash, digest);
            }
            Content::List(text) => field(&mut hash, text.as_bytes()),
            Content::Jars | Content::Wheels => field(&mut hash, b"listed"),
        }
    }
    Ok(hexadecimal(&hash.finalize())[..LENGTH].to_owned())
}

/// With its length first, so that no two sequences of fields give the same bytes.
fn field(hash: &mut Sha256, bytes: &[u8]) {
    hash.update((bytes.len() as u64).to_be_bytes());
    hash.update(bytes);
}

fn digest(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 18];
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok(hash.finalize().to_vec());
        }
        hash.update(&buffer[..read]);
    }
}

pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::super::definition::Ingredient;
    use super::*;

    fn image(program: &Path) -> Definition {
        Definition {
            name: "redis".to_owned(),
            containerfile: "FROM scratch\nCOPY program /program\n",
            arguments: vec![("service", "redis".to_owned())],
            ingredients: vec![
                Ingredient {
                    name: "program".to_owned(),
                    mode: 0o755,
                    content: Content::Program(program.to_owned()),
                },
                Ingredient {
                    name: "list".to_owned(),
                    mode: 0o644,
                    content: Content::List("a\nb\n"),
                },
            ],
        }
    }

    fn tag_of(image: &Definition) -> String {
        tag(image, &mut Digests::default()).expect("the file is there")
    }

    #[test]
    fn a_tag_is_twelve_hexadecimal_digits_and_stays() {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        let image = image(file.path());
        let first = tag_of(&image);
        assert_eq!(first.len(), 12);
        assert!(first.chars().all(|digit| digit.is_ascii_hexdigit()));
        assert_eq!(first, tag_of(&image));
    }

    #[test]
    fn times_and_the_order_of_ingredients_do_not_count() {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        let mut image = image(file.path());
        let before = tag_of(&image);
        let other = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        file.as_file().set_modified(other).expect("times can be set");
        assert_eq!(before, tag_of(&image));
        image.ingredients.reverse();
        assert_eq!(before, tag_of(&image));
    }

    #[test]
    fn content_mode_name_argument_and_containerfile_count() {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        let plain = image(file.path());
        let mut tags = vec![tag_of(&plain)];

        let mut changed = plain.clone();
        changed.ingredients[0].mode = 0o555;
        tags.push(tag_of(&changed));

        let mut changed = plain.clone();
        changed.ingredients[0].name = "programs".to_owned();
        tags.push(tag_of(&changed));

        let mut changed = plain.clone();
        changed.ingredients[1].content = Content::List("a\nc\n");
        tags.push(tag_of(&changed));

        let mut changed = plain.clone();
        changed.arguments[0].1 = "sentinel".to_owned();
        tags.push(tag_of(&changed));

        let mut changed = plain.clone();
        changed.containerfile = "FROM scratch\n";
        tags.push(tag_of(&changed));

        std::fs::write(file.path(), "other").expect("the file can be written");
        tags.push(tag_of(&plain));

        let all = tags.len();
        tags.sort();
        tags.dedup();
        assert_eq!(tags.len(), all, "{tags:?}");
    }

    #[test]
    fn a_missing_program_is_named_with_its_image() {
        let error = tag(&image(Path::new("/nowhere/program")), &mut Digests::default()).expect_err("it is not there");
        assert!(
            error.to_string().contains("image redis holds /nowhere/program"),
            "{error}"
        );
        assert!(error.is_prerequisite());
    }
}
