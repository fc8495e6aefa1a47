//! `nova render`: files that are nova's alone.

use std::fs;
use std::path::Path;
use std::process::Command;

const MARK: &str = "# Written by `nova render`; changes are overwritten.";

fn render(here: &Path, arguments: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_nova"))
        .arg("render")
        .args(arguments)
        .current_dir(here)
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[test]
fn both_profiles_are_written_and_written_again_the_same() {
    let here = tempfile::tempdir().unwrap();
    let (code, told, _) = render(here.path(), &[]);
    assert_eq!(code, 0);
    let files: Vec<&str> = told.lines().collect();
    assert_eq!(files.len(), 20, "{told}");
    let content = || {
        files
            .iter()
            .map(|file| fs::read(here.path().join(file)).unwrap())
            .collect::<Vec<_>>()
    };
    let first = content();
    assert!(first.iter().all(|text| text.starts_with(MARK.as_bytes())));
    assert_eq!(render(here.path(), &[]).0, 0);
    assert_eq!(content(), first);
}

#[test]
fn somebody_elses_file_stays_and_nothing_is_written_beside_it() {
    let here = tempfile::tempdir().unwrap();
    let own = here.path().join("out/kustomization.yaml");
    fs::create_dir(here.path().join("out")).unwrap();
    fs::write(&own, "resources: [mine.yaml]\n").unwrap();
    let (code, _, told) = render(here.path(), &["--profile", "small", "--out", "out"]);
    assert_eq!(code, 1);
    assert!(
        told.contains("out/kustomization.yaml") && told.contains("--out"),
        "{told}"
    );
    assert_eq!(fs::read_to_string(&own).unwrap(), "resources: [mine.yaml]\n");
    assert_eq!(fs::read_dir(here.path().join("out")).unwrap().count(), 1);
}

#[test]
fn one_directory_is_for_one_profile() {
    let here = tempfile::tempdir().unwrap();
    let (code, _, told) = render(here.path(), &["--out", "out"]);
    assert_eq!(code, 2);
    assert!(told.contains("--profile production"), "{told}");
    fs::write(here.path().join("nova.toml"), "[kubernetes]\nprofile = \"small\"\n").unwrap();
    let (code, told, _) = render(here.path(), &["--out", "out", "-o", "json"]);
    assert_eq!(code, 0);
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["schema"], "nova.render/v1");
    assert_eq!(told["files"].as_array().unwrap().len(), 10);
    assert!(
        fs::read_to_string(here.path().join("out/agent.yaml"))
            .unwrap()
            .contains("# Profile small.")
    );
}
