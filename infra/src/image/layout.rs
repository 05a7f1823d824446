//! The folder of an image: the OCI layout.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    str::FromStr as _,
};

use anyhow::{Context as _, ensure};
use oci_spec::image::{Descriptor, ImageIndexBuilder, MediaType, SCHEMA_VERSION, Sha256Digest};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

/// What marks a folder as a layout; written last.
const MARK: &str = "oci-layout";

/// Where the blobs of a layout are, by hash.
pub(super) fn blobs(layout: &Path) -> PathBuf {
    layout.join("blobs/sha256")
}

/// Removes an earlier image.
///
/// # Errors
/// The folder holds something else.
pub(super) fn clear(layout: &Path) -> anyhow::Result<()> {
    let Ok(mut entries) = fs::read_dir(layout) else { return Ok(()) };
    let is_ours = layout.join(MARK).is_file() || layout.join("blobs").is_dir() || entries.next().is_none();
    ensure!(is_ours, "{} holds something else than an image", layout.display());
    fs::remove_dir_all(layout).with_context(|| format!("cannot remove {}", layout.display()))
}

/// Stores `value` as a blob.
///
/// # Errors
/// It cannot be written.
pub(super) fn put_json<T: Serialize>(
    layout: &Path,
    value: &T,
    media_type: MediaType,
) -> anyhow::Result<Descriptor> {
    let json = serde_json::to_vec(value).context("an image is described in JSON")?;
    let digest = hex::encode(Sha256::digest(&json));
    fs::write(blobs(layout).join(&digest), &json).context("cannot write a blob")?;
    let digest = Sha256Digest::from_str(&digest).context("a hash is a digest")?;
    Ok(Descriptor::new(media_type, json.len() as u64, digest))
}

/// Makes `manifest` the one image of the layout.
///
/// # Errors
/// It cannot be written.
pub(super) fn finish(layout: &Path, manifest: &Descriptor, tag: &str) -> anyhow::Result<()> {
    let mut named = manifest.clone();
    named.set_annotations(Some(HashMap::from([(
        "org.opencontainers.image.ref.name".to_owned(),
        tag.to_owned(),
    )])));
    let index = ImageIndexBuilder::default().schema_version(SCHEMA_VERSION).manifests(vec![named]).build()?;
    fs::write(layout.join("index.json"), serde_json::to_vec(&index)?).context("cannot write index.json")?;
    fs::write(layout.join(MARK), r#"{"imageLayoutVersion":"1.0.0"}"#).context("cannot mark the layout")
}
