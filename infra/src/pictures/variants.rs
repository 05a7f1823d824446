//! PURE. The forms of an image that browsers show: WebP in three widths. The PNG stays the original.

use anyhow::Context as _;
use bytes::Bytes;
use image::{ImageFormat, imageops::FilterType};

/// Widths of the variants, in pixels: a tile of the gallery, a sharp tile or a small page, the whole page.
pub const VARIANT_WIDTHS: [u32; 3] = [320, 640, 1024];

/// Quality of the WebP encoder, of 100.
const QUALITY: f32 = 75.0;

/// The encoder and its settings: others may give other bytes.
pub(super) const ENCODER: &str = "libwebp 75, Lanczos3";

/// One form of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variant {
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    pub webp: Bytes,
}

impl Variant {
    /// A WebP image with its size; `None` for other bytes.
    pub(super) fn of_webp(webp: Vec<u8>) -> Option<Self> {
        let features = webp::BitstreamFeatures::new(&webp)?;
        let (width, height) = (features.width(), features.height());
        Some(Self { width, height, webp: webp.into() })
    }
}

/// The variants of a PNG, the smallest first.
///
/// # Errors
/// It is not a PNG.
pub fn variants(png: &[u8]) -> anyhow::Result<Vec<Variant>> {
    let original = image::load_from_memory_with_format(png, ImageFormat::Png).context("not a PNG")?.to_rgb8();
    VARIANT_WIDTHS.iter().map(|width| variant(&original, *width)).collect()
}

fn variant(original: &image::RgbImage, width: u32) -> anyhow::Result<Variant> {
    let height = (original.height() * width).div_ceil(original.width().max(1)).max(1);
    let scaled = image::imageops::resize(original, width, height, FilterType::Lanczos3);
    let encoded = webp::Encoder::from_rgb(&scaled, width, height).encode_simple(false, QUALITY);
    let encoded = encoded.map_err(|error| anyhow::anyhow!("WebP cannot be written: {error:?}"))?;
    Ok(Variant { width, height, webp: Bytes::copy_from_slice(&encoded) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pictures::{cache::kept_variants, catalogue, illustration};

    /// Longest tile of the gallery, in bytes. A tile is at most 640 pixels wide, on a screen with two pixels in one.
    const TILE_BYTES_MAX: usize = 60 * 1024;

    #[tokio::test]
    async fn every_tile_of_the_gallery_is_small_and_every_variant_smaller_than_the_original() {
        for picture in catalogue().unwrap() {
            let id = &picture.image_id;
            let png = illustration(&picture).await.unwrap();
            let variants = kept_variants(png.clone()).await.unwrap();
            let widths: Vec<u32> = variants.iter().map(|variant| variant.width).collect();
            assert_eq!(widths, VARIANT_WIDTHS, "{id}");
            for Variant { width, height, webp } in &variants {
                assert_eq!(width, height, "{id}");
                assert!(webp.len() < png.len(), "{id} at {width}: {} bytes", webp.len());
                assert!(
                    *width > 640 || webp.len() <= TILE_BYTES_MAX,
                    "{id} at {width}: {} bytes",
                    webp.len()
                );
            }
            assert_eq!(kept_variants(png).await.unwrap(), variants, "{id}");
        }
    }

    #[test]
    fn bytes_that_are_no_image_are_an_error() {
        assert!(variants(b"no image").is_err());
        assert_eq!(Variant::of_webp(b"no image".to_vec()), None);
    }
}
