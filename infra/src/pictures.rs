//! The pictures that learners talk about: the catalogue, an illustration of each, photographs by an image model in their
//! place, and their publication to the Images table and the image bucket.
//!
//! Illustrations are SVG (`infra/pictures`), published as PNG. The service does not depend on this module; it reads what
//! was published.

mod cache;
mod catalogue;
mod gallery;
mod generate;
mod photograph;
mod publish;
mod raster;
mod variants;

pub use cache::illustration;
pub use catalogue::{ALT_CHARS_MAX, DESCRIPTION_CHARS_MAX, Picture, catalogue, catalogue_version};
pub use gallery::{Gallery, ILLUSTRATION, Image, Item, Source, Stored};
pub use generate::{PhotographOutcome, Photographer};
pub use photograph::{
    CANVAS_PROMPT_CHARS_MAX, ImageModel, Photograph, PhotographError, Quality, SEED_MAX,
    STABILITY_PROMPT_CHARS_MAX, Shape, TITAN_PROMPT_CHARS_MAX, UnknownModelError, is_filtered, seed_of,
};
pub use publish::{Published, publish, publish_pictures};
pub use raster::{SIZE, png_size, rasterise};
pub use variants::{VARIANT_WIDTHS, Variant, variants};
