//! Completions and manual pages: what needs neither a description nor a platform.

use std::process::Command;

use crate::support::Call;

fn nova(arguments: &[&str]) -> Call {
    let elsewhere = tempfile::tempdir().unwrap();
    // It would be refused, were it read.
    std::fs::write(elsewhere.path().join("nova.toml"), "[platform\n").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_nova"));
    Call::of(&command.args(arguments).current_dir(elsewhere.path()).output().unwrap())
}

#[test]
fn each_shell_gets_its_completions() {
    for (shell, begins, has) in [
        ("bash", "_nova()", "--previous"),
        ("zsh", "#compdef nova", "--previous"),
        ("fish", "", "-l previous"),
    ] {
        let text = nova(&["completion", shell]).expect_code(0).stdout;
        assert!(text.starts_with(begins) && text.contains(has), "{shell}: {text}");
        // What only the platform itself calls is not offered.
        assert!(!text.contains("The platform's state directory"), "{shell}: {text}");
    }
    let bash = nova(&["completion", "bash"]).stdout;
    let sourced = Command::new("bash")
        .args(["-euc", &format!("{bash}\ncomplete -p nova")])
        .output();
    let sourced = Call::of(&sourced.unwrap()).expect_code(0);
    assert!(sourced.stdout.contains("_nova"), "{}", sourced.stdout);
    nova(&["completion", "tcsh"]).expect_code(2);
}

#[test]
fn every_command_has_its_manual_page() {
    let page = nova(&["man"]).expect_code(0).stdout;
    assert!(
        page.contains(".TH nova 1") && page.contains("nova\\-deploy(1)"),
        "{page}"
    );
    let page = nova(&["man", "drill"]).expect_code(0).stdout;
    assert!(
        page.contains(".TH nova-drill 1") && page.contains("\\-\\-seed"),
        "{page}"
    );
    let unknown = nova(&["man", "explode"]).expect_code(2);
    assert!(unknown.stderr.contains("explode"), "{}", unknown.stderr);
    nova(&["man", "supervise"]).expect_code(2);
}
