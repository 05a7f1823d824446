//! The container image of the built binaries.

use std::path::PathBuf;

use anyhow::Context as _;

use super::{Binaries, bom::bill_of_materials};
use crate::image::{Compression, ContainerImage, ImageSource};

/// Makes the image of `binaries` in the folder `layout`: compressed if they are release builds, because compressing debug builds takes
/// minutes.
///
/// # Errors
/// Cargo does not resolve the workspace; see [`ImageSource::write`].
pub async fn container_image(binaries: &Binaries, layout: PathBuf) -> anyhow::Result<ContainerImage> {
    let compression = if binaries.is_release() { Compression::Gzip } else { Compression::None };
    let bom = bill_of_materials().await?;
    let source = ImageSource { programs: binaries.folder().to_owned(), bom, compression };
    let written = tokio::task::spawn_blocking(move || source.write(&layout));
    written.await.context("the making of the image failed")?
}
