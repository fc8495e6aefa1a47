//! The modules of this crate point one way: none of them needs, over whatever way, one that needs it.

#![allow(clippy::unwrap_used, reason = "a failing unwrap is a failing test")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

type Needs = BTreeMap<String, BTreeSet<String>>;

#[test]
fn no_module_needs_one_that_needs_it() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let needs = needs(&source);
    assert!(needs["campaign"].contains("report"), "nothing was read: {needs:?}");
    let circles: Vec<&String> = needs
        .keys()
        .filter(|module| reach(&needs, module).contains(*module))
        .collect();
    assert!(circles.is_empty(), "in a circle: {circles:?} of {needs:#?}");
}

#[test]
fn a_circle_is_seen_however_long_it_is() {
    let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    let needs = Needs::from([
        ("a".to_owned(), set(&["b"])),
        ("b".to_owned(), set(&["c"])),
        ("c".to_owned(), set(&["b"])),
    ]);
    let round = |module: &str| reach(&needs, module).contains(module);
    assert_eq!([round("a"), round("b"), round("c")], [false, true, true]);
    let text = "use crate::a::X;\nuse crate::{b, c::Y};\n#[cfg(test)]\nmod tests { use crate::d::Z; }";
    assert_eq!(named(text), set(&["a", "b", "c", "Y"]));
}

/// Everything that a module needs, directly or not.
fn reach(needs: &Needs, module: &str) -> BTreeSet<String> {
    let mut reached = BTreeSet::new();
    let mut open = vec![module.to_owned()];
    while let Some(next) = open.pop() {
        for needed in needs.get(&next).into_iter().flatten() {
            if reached.insert(needed.clone()) {
                open.push(needed.clone());
            }
        }
    }
    reached
}

/// What each module of the crate's root names of the others, its own submodules included, its tests not.
fn needs(source: &Path) -> Needs {
    let mut needs = Needs::new();
    for file in files(source) {
        let of = file.strip_prefix(source).unwrap().iter().next().unwrap();
        let module = Path::new(of).file_stem().unwrap().to_string_lossy().into_owned();
        if module == "lib" || file.file_stem().is_some_and(|name| name == "tests") {
            continue;
        }
        let text = std::fs::read_to_string(&file).unwrap();
        let others = named(&text).into_iter().filter(|name| *name != module);
        let modules = others.filter(|name| source.join(format!("{name}.rs")).exists());
        let modules: BTreeSet<String> = modules.collect();
        needs.entry(module).or_default().extend(modules);
    }
    needs
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let (directories, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    let sources = files
        .into_iter()
        .filter(|path| path.extension().is_some_and(|end| end == "rs"));
    sources
        .chain(directories.iter().flat_map(|below| self::files(below)))
        .collect()
}

/// The names behind `crate::`, before the tests.
fn named(text: &str) -> BTreeSet<String> {
    let text = text.split("#[cfg(test)]").next().unwrap_or_default();
    let word = |text: &str| -> String {
        text.chars()
            .take_while(|character| character.is_alphanumeric() || *character == '_')
            .collect()
    };
    let behind = text.split("crate::").skip(1);
    let names = behind.flat_map(|behind| match behind.strip_prefix('{') {
        Some(group) => {
            let group = group.split('}').next().unwrap_or_default();
            group.split([',', ':']).map(|name| word(name.trim())).collect()
        }
        None => vec![word(behind)],
    });
    names.filter(|name| !name.is_empty()).collect()
}
