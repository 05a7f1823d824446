//! What the documents claim: each guarantee of the README names tests, and these tests exist.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

#[test]
fn every_test_that_the_readme_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let readme = fs::read_to_string(root.join("README.md")).expect("the README is readable");
    let (_, guarantees) = readme.split_once("## What is guaranteed").expect("the README has its guarantees");
    let named: BTreeSet<&str> = guarantees
        .lines()
        .filter_map(|line| line.strip_suffix('|')?.rsplit('|').next())
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .collect();
    assert!(named.len() > 20, "the table of guarantees was not found: {named:?}");
    let mut sources = Vec::new();
    for package in ["events", "ingress", "workers", "infra", "tests"] {
        collect(&root.join(package), &mut sources);
    }
    let sources: Vec<String> = sources.iter().filter_map(|path| fs::read_to_string(path).ok()).collect();
    let missing: Vec<&&str> = named
        .iter()
        .filter(|name| !sources.iter().any(|source| source.contains(&format!("fn {name}("))))
        .collect();
    assert!(missing.is_empty(), "the README names tests that do not exist: {missing:?}");
}

/// The Rust files below `folder`.
fn collect(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of the project is readable").flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}
