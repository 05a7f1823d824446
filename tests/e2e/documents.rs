//! The published AsyncAPI document fits the official schema.

use std::{fs, path::Path, time::Duration};

/// The longest time of an installation from a registry.
const INSTALL_LIMIT: Duration = Duration::from_secs(300);

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
