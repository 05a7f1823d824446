//! PURE. Renders an illustration to the PNG that learners see.
//!
//! The same document gives the same bytes on every machine: no fonts or other resources of the machine are used.

use anyhow::Context as _;
use resvg::{
    tiny_skia::{Color, Pixmap, Transform},
    usvg::{Options, Tree},
};

/// Width and height of every picture, in pixels.
pub const SIZE: u32 = 1024;

/// The renderer and its version: another version may give other bytes.
pub(super) const RENDERER: &str = "resvg 0.49.0";

/// The beginning of a PNG: signature, length and name of the header, then width and height.
const PNG_START: &[u8] = b"\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR";

/// Renders the SVG document `svg` on white, [`SIZE`] wide and high, and returns a PNG.
///
/// # Errors
/// It is not an SVG document.
pub fn rasterise(svg: &str) -> anyhow::Result<Vec<u8>> {
    let tree = Tree::from_str(svg, &Options::default()).context("not an SVG document")?;
    let mut pixels = Pixmap::new(SIZE, SIZE).context("a picture has a size")?;
    pixels.fill(Color::WHITE);
    #[expect(clippy::cast_precision_loss, reason = "1024 is exact")]
    let size = SIZE as f32;
    let scale = Transform::from_scale(size / tree.size().width(), size / tree.size().height());
    resvg::render(&tree, scale, &mut pixels.as_mut());
    pixels.encode_png().context("a picture cannot be written as PNG")
}

/// Width and height of a PNG in pixels; `None` for other bytes.
#[must_use]
pub fn png_size(bytes: &[u8]) -> Option<(u32, u32)> {
    let (width, rest) = bytes.strip_prefix(PNG_START)?.split_first_chunk::<4>()?;
    let (height, _) = rest.split_first_chunk::<4>()?;
    Some((u32::from_be_bytes(*width), u32::from_be_bytes(*height)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use resvg::tiny_skia::PremultipliedColorU8;

    use super::*;
    use crate::pictures::{catalogue, illustration};

    #[test]
    fn drawing_is_deterministic() {
        let svg = catalogue().unwrap()[0].illustration().unwrap();
        assert_eq!(rasterise(svg).unwrap(), rasterise(svg).unwrap());
    }

    #[tokio::test]
    async fn every_illustration_is_a_png_of_1024_by_1024_with_something_in_every_quarter() {
        let mut all = BTreeSet::new();
        for picture in catalogue().unwrap() {
            let id = &picture.image_id;
            let png = illustration(&picture).await.unwrap();
            assert_eq!(png_size(&png), Some((SIZE, SIZE)), "{id}");
            let pixels = Pixmap::decode_png(&png).unwrap();
            assert!(pixels.pixels().iter().all(PremultipliedColorU8::is_opaque), "{id}");
            // Every quarter shows something. One pixel in 16 suffices.
            for (left, top) in [(0, 0), (512, 0), (0, 512), (512, 512)] {
                let seen = (0..128 * 128).filter_map(|n| pixels.pixel(left + n % 128 * 4, top + n / 128 * 4));
                let colours: BTreeSet<[u8; 3]> = seen.map(|p| [p.red(), p.green(), p.blue()]).collect();
                assert!(colours.len() > 100, "{id} at {left}, {top}: {} colours", colours.len());
            }
            assert!(all.insert(png), "{id} looks like another one");
        }
    }

    #[test]
    fn every_shape_of_an_illustration_has_an_extent() {
        for picture in catalogue().unwrap() {
            let svg = picture.illustration().unwrap();
            for name in ["width", "height", "r", "rx", "ry"] {
                let none = format!(" {name}=\"0\"");
                assert!(!svg.contains(&none), "{}: a shape with{none} is drawn nowhere", picture.image_id);
            }
        }
    }

    #[test]
    fn name_of_the_renderer_is_that_of_the_lock() {
        let (name, version) = RENDERER.split_once(' ').unwrap();
        let lock = include_str!("../../../Cargo.lock");
        assert!(lock.contains(&format!("name = \"{name}\"\nversion = \"{version}\"\n")), "{RENDERER}");
    }

    #[test]
    fn what_is_no_picture_is_refused() {
        assert!(rasterise("<html/>").is_err());
        assert_eq!(png_size(b"GIF89a"), None);
        assert_eq!(png_size(&PNG_START[..10]), None);
        assert_eq!(png_size(PNG_START), None);
    }
}
