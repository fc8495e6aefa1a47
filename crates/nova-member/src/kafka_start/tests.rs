//! A new data directory is formatted once, and one that was cut short again.
#![allow(clippy::unwrap_used, reason = "a failing unwrap is a failing test")]

use super::*;

/// A stand-in for Java that writes down how it was called and formats when asked to.
const JAVA: &str = r#"
echo "$CLASSPATH $*" >> calls
grep -q second format.properties && { echo oops >&2; echo >&2; exit 1; }
mkdir -p ../data/kafka.new && touch ../data/kafka.new/meta.properties
"#;

fn place(root: &Path) -> (Place, Start) {
    for directory in ["config", "data", "run", "libs"] {
        fs::create_dir(root.join(directory)).unwrap();
    }
    let script = root.join("java.sh");
    fs::write(&script, JAVA).unwrap();
    for (name, content) in [("kafka-1.format.properties", "first"), ("log4j2.properties", "")] {
        fs::write(root.join("config").join(name), content).unwrap();
    }
    for jar in ["b.jar", "a.jar", "kafka.jsa"] {
        fs::write(root.join("libs").join(jar), "").unwrap();
    }
    let place = Place::Mounted {
        config: root.join("config"),
        member: "kafka-1".into(),
        secrets: "".into(),
        data: root.join("data"),
        run: root.join("run"),
    };
    let start = Start {
        java: "/bin/sh".into(),
        options: vec![script.display().to_string(), "-Xmx1m".into()],
        format: vec!["format".into(), "--config=format.properties".into()],
        libs: Some(root.join("libs")),
        controllers: Vec::new(),
    };
    (place, start)
}

#[test]
fn a_format_is_moved_to_its_place_when_it_is_done() {
    let root = tempfile::tempdir().unwrap();
    let (place, start) = place(root.path());
    place.bring(&["format.properties", "log4j2.properties"]).unwrap();
    let data = place.data("kafka");
    // What an earlier format left behind.
    fs::create_dir_all(root.path().join("data/kafka.new/rest")).unwrap();
    format(&start, &place, &data).unwrap();
    assert!(data.join("meta.properties").exists());
    assert!(!data.join("rest").exists() && !root.path().join("data/kafka.new").exists());
    let libs = root.path().join("libs").display().to_string();
    let run = root.path().join("run").display().to_string();
    assert_eq!(
        fs::read_to_string(root.path().join("run/calls")).unwrap(),
        format!(
            "{libs}/a.jar:{libs}/b.jar -Xmx1m -Djava.io.tmpdir={run} kafka.tools.StorageTool format --config=format.properties\n"
        )
    );
}

#[test]
fn a_format_that_fails_says_why_and_leaves_no_data() {
    let root = tempfile::tempdir().unwrap();
    let (place, start) = place(root.path());
    fs::write(root.path().join("config/kafka-1.format.properties"), "second").unwrap();
    place.bring(&["format.properties"]).unwrap();
    let error = format(&start, &place, &place.data("kafka")).unwrap_err().to_string();
    assert_eq!(error, "kafka.tools.StorageTool failed: oops");
    assert!(!place.data("kafka").exists());
}

#[test]
fn a_directory_without_jars_is_an_error_that_names_it() {
    let root = tempfile::tempdir().unwrap();
    let error = class_path(root.path()).unwrap_err().to_string();
    assert!(error.contains(&root.path().display().to_string()), "{error}");
}
