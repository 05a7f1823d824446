//! What the documents claim: each guarantee of the README and each limit of the architecture names tests, and these
//! tests exist; the AsyncAPI document is one.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

/// Installing from a registry, on a slow line.
const INSTALL_LIMIT: Duration = Duration::from_secs(300);

#[test]
fn every_test_that_the_readme_names_exists() {
    check_tests_of("README.md", "## What is guaranteed", 20);
}

#[test]
fn every_test_that_the_table_of_limits_names_exists() {
    check_tests_of("ARCHITECTURE.md", "## Limits of the ingress", 30);
}

/// The last cells of the table of a section name at least so many tests, and each exists.
fn check_tests_of(document: &str, section: &str, least: usize) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let text = fs::read_to_string(root.join(document)).expect("the document is readable");
    let (_, text) = text.split_once(section).expect("the document has the section");
    let named: BTreeSet<&str> = text
        .split("\n## ")
        .next()
        .unwrap_or_default()
        .lines()
        .filter_map(|line| line.strip_suffix('|')?.rsplit('|').next())
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .collect();
    assert!(named.len() > least, "the table of {document} was not found: {named:?}");
    let mut sources = Vec::new();
    for package in ["events", "ingress", "workers", "infra", "tests"] {
        collect(&root.join(package), &mut sources);
    }
    let sources: Vec<String> = sources.iter().filter_map(|path| fs::read_to_string(path).ok()).collect();
    let missing: Vec<&&str> = named
        .iter()
        .filter(|name| !sources.iter().any(|source| source.contains(&format!("fn {name}("))))
        .collect();
    assert!(missing.is_empty(), "{document} names tests that do not exist: {missing:?}");
}

#[tokio::test]
async fn the_asyncapi_document_fits_the_official_schema() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("specifications");
    fs::create_dir_all(&folder).unwrap();
    for name in ["package.json", "package-lock.json"] {
        fs::copy(root.join("js/specs").join(name), folder.join(name)).unwrap();
    }
    let schema = folder.join("node_modules/@asyncapi/specs/schemas/3.0.0.json");
    if !schema.exists() {
        let mut npm = tokio::process::Command::new("npm");
        npm.args(["ci", "--no-audit", "--no-fund", "--loglevel=error"])
            .current_dir(&folder)
            .kill_on_drop(true);
        let output =
            tokio::time::timeout(INSTALL_LIMIT, npm.output()).await.expect("npm ci ends in time").unwrap();
        assert!(output.status.success(), "npm ci: {}", String::from_utf8_lossy(&output.stderr));
    }
    let read = |path: &Path| -> serde_json::Value {
        serde_json::from_slice(&fs::read(path).unwrap()).expect("the file is JSON")
    };
    let validator = jsonschema::validator_for(&read(&schema)).expect("the official schema is one");
    let mut document = read(&root.join("../schemas/live/asyncapi.v1.json"));
    let errors: Vec<String> = validator
        .iter_errors(&document)
        .map(|error| format!("{} at {}", error, error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{errors:#?}");
    document["operations"]["speak"]["action"] = "shout".into();
    assert!(!validator.is_valid(&document), "the official schema takes anything");
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
