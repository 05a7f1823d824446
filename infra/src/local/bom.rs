//! The bill of materials of the image: every crate that its binaries are built from, with its licence and its dependencies, as JSON of
//! CycloneDX 1.5. Only the fields that scanners read are there.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    process::Stdio,
};

use anyhow::{Context as _, ensure};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{cargo, workspace};

/// The packages whose binaries are in the image.
const ROOTS: [&str; 2] = ["ingress", "workers"];

/// The output of `cargo metadata`, as far as it is used.
#[derive(Debug, Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    resolve: Resolve,
}

#[derive(Debug, Deserialize)]
struct Package {
    id: String,
    name: String,
    version: String,
    /// SPDX expression; older crates have `/` for `OR`.
    license: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Debug, Deserialize)]
struct Node {
    id: String,
    deps: Vec<NodeDependency>,
}

#[derive(Debug, Deserialize)]
struct NodeDependency {
    pkg: String,
    dep_kinds: Vec<DependencyKind>,
}

#[derive(Debug, Deserialize)]
struct DependencyKind {
    /// `null` for what is linked, else `build` or `dev`.
    kind: Option<String>,
}

/// The bill of materials as JSON. It has neither time nor serial number: the same sources have the same one.
///
/// # Errors
/// Cargo does not resolve the workspace, or a crate states no licence.
pub(super) async fn bill_of_materials() -> anyhow::Result<Vec<u8>> {
    let mut command = cargo();
    let platform = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    command.args(["metadata", "--format-version", "1", "--locked", "--filter-platform", &platform]);
    let command = command.current_dir(workspace()).stdin(Stdio::null());
    let output = command.output().await.context("cannot run cargo metadata")?;
    ensure!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: Metadata = serde_json::from_slice(&output.stdout).context("cannot read cargo metadata")?;
    serde_json::to_vec(&of(&metadata)?).context("the bill of materials is JSON")
}

fn of(metadata: &Metadata) -> anyhow::Result<Value> {
    let packages: HashMap<&str, &Package> =
        metadata.packages.iter().map(|package| (package.id.as_str(), package)).collect();
    let nodes: HashMap<&str, &Node> =
        metadata.resolve.nodes.iter().map(|node| (node.id.as_str(), node)).collect();
    let roots = metadata.packages.iter().filter(|package| ROOTS.contains(&package.name.as_str()));
    let mut waiting: Vec<&str> = roots.map(|package| package.id.as_str()).collect();
    let mut components = BTreeMap::new();
    let mut dependencies = BTreeMap::new();
    while let Some(id) = waiting.pop() {
        let package = packages.get(id).context("every resolved package is described")?;
        let reference = purl(package);
        if components.contains_key(&reference) {
            continue;
        }
        let used: Vec<&str> = nodes.get(id).map(|node| linked(node)).unwrap_or_default();
        let of_used: BTreeSet<String> =
            used.iter().filter_map(|id| packages.get(id)).map(|package| purl(package)).collect();
        components.insert(reference.clone(), component(package)?);
        dependencies.insert(reference.clone(), json!({ "ref": reference, "dependsOn": of_used }));
        waiting.extend(used);
    }
    Ok(json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": { "component": { "type": "application", "name": "nova-english" } },
        "components": components.into_values().collect::<Vec<_>>(),
        "dependencies": dependencies.into_values().collect::<Vec<_>>(),
    }))
}

/// The dependencies that are part of the program, not those of its build or its tests.
fn linked(node: &Node) -> Vec<&str> {
    let normal = |one: &&NodeDependency| one.dep_kinds.iter().any(|kind| kind.kind.is_none());
    node.deps.iter().filter(normal).map(|one| one.pkg.as_str()).collect()
}

fn component(package: &Package) -> anyhow::Result<Value> {
    let licence = package.license.as_ref();
    let licence =
        licence.with_context(|| format!("{} states no licence", package.name))?.replace('/', " OR ");
    let reference = purl(package);
    Ok(json!({
        "type": "library",
        "bom-ref": reference,
        "name": package.name,
        "version": package.version,
        "purl": reference,
        "licenses": [{ "expression": licence }],
    }))
}

/// The package URL. A version may have a build in it, after a plus sign.
fn purl(package: &Package) -> String {
    format!("pkg:cargo/{}@{}", package.name, package.version.replace('+', "%2B"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn bill_of_materials_has_each_linked_crate_with_its_licence_and_is_always_the_same() {
        let json = bill_of_materials().await.unwrap();
        assert_eq!(json, bill_of_materials().await.unwrap());
        let bom: Value = serde_json::from_slice(&json).unwrap();
        let components = bom["components"].as_array().unwrap();
        let named = |name: &str| components.iter().find(|component| component["name"] == name);
        for linked in ["ingress", "events", "tokio", "rustls", "aws-sdk-s3"] {
            let licence = &named(linked).expect(linked)["licenses"][0]["expression"];
            assert!(licence.as_str().is_some_and(|licence| !licence.contains('/')), "{linked}: {licence}");
        }
        // Of the runner and of tests.
        for other in ["infra", "proptest", "tempfile"] {
            assert!(named(other).is_none(), "{other}");
        }
        let refs: BTreeSet<&str> = components.iter().filter_map(|one| one["bom-ref"].as_str()).collect();
        assert!(refs.len() == components.len() && refs.len() > 100, "{}", refs.len());
        for dependency in bom["dependencies"].as_array().unwrap() {
            let used = dependency["dependsOn"].as_array().unwrap().iter().filter_map(Value::as_str);
            assert!(used.chain(dependency["ref"].as_str()).all(|one| refs.contains(one)), "{dependency}");
        }
    }
}
