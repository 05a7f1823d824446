//! The cache of illustrations as PNG and of the variants of an image: each is made once and kept in the private cache folder
//! under the hash of its source.

use std::{fs, io::Write as _, path::Path};

use anyhow::Context as _;
use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use super::{
    Picture,
    raster::{RENDERER, SIZE, png_size, rasterise},
    variants::{ENCODER, VARIANT_WIDTHS, Variant, variants},
};
use crate::cache_folder::cache_folder;

/// The illustration of `picture` as PNG.
///
/// # Errors
/// It cannot be rendered, or there is no cache folder.
pub async fn illustration(picture: &Picture) -> anyhow::Result<Bytes> {
    let svg = picture.illustration()?;
    let folder = cache_folder()?.join("pictures");
    let drawn = tokio::task::spawn_blocking(move || kept_in(&folder, svg)).await;
    let drawn = drawn.context("the rendering of a picture was cancelled")?;
    drawn.with_context(|| format!("cannot render the picture {}", picture.image_id))
}

fn kept_in(folder: &Path, svg: &str) -> anyhow::Result<Bytes> {
    let file = folder.join(format!("{}.png", name(RENDERER, svg.as_bytes())));
    if let Ok(png) = fs::read(&file)
        && png_size(&png) == Some((SIZE, SIZE))
    {
        return Ok(png.into());
    }
    let png = rasterise(svg)?;
    keep(folder, &file, &png)?;
    Ok(png.into())
}

/// The variants of an image, a PNG.
///
/// # Errors
/// It is not a PNG, or there is no cache folder.
pub(super) async fn kept_variants(png: Bytes) -> anyhow::Result<Vec<Variant>> {
    let folder = cache_folder()?.join("pictures");
    let made = tokio::task::spawn_blocking(move || variants_in(&folder, &png)).await;
    made.context("the work on an image was cancelled")?
}

fn variants_in(folder: &Path, png: &[u8]) -> anyhow::Result<Vec<Variant>> {
    let name = name(ENCODER, png);
    let file = |width: u32| folder.join(format!("{name}-{width}.webp"));
    let read = |width: &u32| {
        let webp = fs::read(file(*width)).ok()?;
        Variant::of_webp(webp).filter(|variant| variant.width == *width)
    };
    if let Some(kept) = VARIANT_WIDTHS.iter().map(read).collect() {
        return Ok(kept);
    }
    let made = variants(png)?;
    for variant in &made {
        keep(folder, &file(variant.width), &variant.webp)?;
    }
    Ok(made)
}

/// The name of what `maker` makes of `source`.
fn name(maker: &str, source: &[u8]) -> String {
    hex::encode(Sha256::new().chain_update(maker).chain_update([0]).chain_update(source).finalize())
}

/// Writes under a temporary name first, so that a file with the final name is complete.
fn keep(folder: &Path, file: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let write = || -> anyhow::Result<()> {
        fs::create_dir_all(folder)?;
        let mut part = tempfile::NamedTempFile::new_in(folder)?;
        part.write_all(bytes)?;
        part.persist(file)?;
        Ok(())
    };
    write().with_context(|| {
        format!("cannot write {}; set NOVA_CACHE_DIR to a folder that can be written", file.display())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SQUARE: &str = r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8"><path d="M0 0h8v8H0Z" fill="#f00"/></svg>"##;

    #[test]
    fn a_picture_is_drawn_once_and_again_when_its_drawing_is_another_or_what_was_kept_is_broken() {
        let folder = tempfile::tempdir().unwrap();
        let files = || {
            let files = fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().path());
            let mut files: Vec<_> = files.collect();
            files.sort();
            files
        };
        let png = kept_in(folder.path(), SQUARE).unwrap();
        let [file] = files().try_into().unwrap();
        // A mark that only what was kept has.
        fs::write(&file, [&png[..], b"kept"].concat()).unwrap();
        assert!(kept_in(folder.path(), SQUARE).unwrap().ends_with(b"kept"));
        fs::write(&file, "broken").unwrap();
        assert_eq!(kept_in(folder.path(), SQUARE).unwrap(), png);
        assert_eq!(fs::read(&file).unwrap(), png);
        assert_ne!(kept_in(folder.path(), &SQUARE.replace("f00", "0f0")).unwrap(), png);
        assert_eq!(files().len(), 2);
    }
}
