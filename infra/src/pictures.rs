//! The pictures that learners talk about: the catalogue, an illustration of each, photographs that a model makes in their
//! place, and the way of all of it into the Images table and the bucket of pictures.
//!
//! Illustrations are drawn as SVG (`infra/pictures`) and published as PNG. Nothing here is a part of the service: it
//! reads what was published.

mod cache;
mod catalogue;
mod gallery;
mod generate;
mod photograph;
mod publish;
mod raster;

pub use cache::illustration;
pub use catalogue::{ALT_CHARS_MAX, DESCRIPTION_CHARS_MAX, Picture, catalogue, catalogue_version};
pub use gallery::{Gallery, ILLUSTRATION, Image, Item, Source, Stored};
pub use generate::{Photographer, Taken};
pub use photograph::{
    CANVAS_PROMPT_CHARS_MAX, ImageModel, Made, NotMade, Quality, SEED_MAX, STABILITY_PROMPT_CHARS_MAX, Shape,
    TITAN_PROMPT_CHARS_MAX, UnknownModel, is_filtered, seed_of,
};
pub use publish::{Published, publish, publish_pictures};
pub use raster::{SIZE, png_size, rasterise};
