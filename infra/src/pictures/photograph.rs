//! PURE. Photographs in place of illustrations: the image models of Bedrock, their requests and responses.
//!
//! Two shapes of `InvokeModel` are supported: that of Amazon's models (Nova Canvas and Titan Image Generator; the user guide of
//! Amazon Nova, "Generating images") and that of Stability AI's (the user guide of Amazon Bedrock, "Stability AI models").

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{
    Picture,
    raster::{SIZE, png_size},
};

pub const CANVAS_PROMPT_CHARS_MAX: usize = 1024;

/// The longest prompt of Titan Image Generator in characters.
pub const TITAN_PROMPT_CHARS_MAX: usize = 512;

/// The longest prompt of Stability AI's models in characters.
pub const STABILITY_PROMPT_CHARS_MAX: usize = 10_000;

/// The largest seed that every model accepts: that of Nova Canvas.
pub const SEED_MAX: u32 = 858_993_459;

/// How closely Amazon's models follow the prompt, from 1.1 to 10.
const CFG_SCALE: f64 = 7.0;

/// The beginning of every prompt.
const STYLE: &str = "Photograph, natural light, everything in focus. ";

/// The negative prompt.
const UNWANTED: &str = "drawing, cartoon, painting, text, watermark, blurred faces, deformed hands";

/// Price of a photograph of 1024 x 1024 in millionths of a US dollar: by the prefix of the model's id, in standard and
/// in premium quality. List prices of us-east-1, which may change; `--price-usd` overrides them.
const PRICES_USD_MICROS: [(&str, u64, u64); 6] = [
    ("amazon.nova-canvas-", 40_000, 60_000),
    ("amazon.titan-image-generator-", 10_000, 12_000),
    ("stability.stable-image-core-", 40_000, 40_000),
    ("stability.stable-image-ultra-", 140_000, 140_000),
    ("stability.sd3-5-large-", 80_000, 80_000),
    ("stability.sd3-large-", 80_000, 80_000),
];

/// A shape of request and response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// `{taskType, textToImageParams, imageGenerationConfig}`, response `{images, error}`.
    Canvas,
    /// `{prompt, negative_prompt, aspect_ratio, output_format, seed}`, response `{images, seeds, finish_reasons}`.
    Stability,
}

/// Image quality; only Amazon's models have a choice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Quality {
    /// Faster and cheaper.
    #[default]
    Standard,
    /// More detail.
    Premium,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageModel {
    /// Model id, or the id of an inference profile.
    pub id: String,
    /// Shape of its requests and responses.
    pub shape: Shape,
    pub prompt_chars_max: usize,
}

/// The model is not a supported image model.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no model that makes images; choose one whose id begins with amazon.nova-canvas, amazon.titan-image or \
     stability."
)]
pub struct UnknownModelError(String);

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Photograph {
    /// A PNG of 1024 x 1024.
    pub png: Vec<u8>,
    /// Whether the response says that it is simulated.
    pub simulated: bool,
}

/// Why a response has no photograph.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PhotographError {
    #[error("the safety filter rejected it: {0}")]
    Filtered(String),
    #[error("{0}")]
    Unusable(String),
}

impl ImageModel {
    /// The model with the id `id`.
    ///
    /// # Errors
    /// It is not an image model.
    pub fn of(id: &str) -> Result<Self, UnknownModelError> {
        let known = [
            ("amazon.nova-canvas-", Shape::Canvas, CANVAS_PROMPT_CHARS_MAX),
            ("amazon.titan-image-", Shape::Canvas, TITAN_PROMPT_CHARS_MAX),
            ("stability.", Shape::Stability, STABILITY_PROMPT_CHARS_MAX),
        ];
        // An inference profile puts its region in front.
        let name = ["us.", "eu.", "apac.", "global."]
            .iter()
            .find_map(|region| id.strip_prefix(region))
            .unwrap_or(id);
        let found = known.iter().find(|(start, ..)| name.starts_with(start));
        let (_, shape, prompt_chars_max) = *found.ok_or_else(|| UnknownModelError(id.to_owned()))?;
        Ok(Self { id: id.to_owned(), shape, prompt_chars_max })
    }

    /// Price of one photograph in millionths of a US dollar, if known.
    #[must_use]
    pub fn price_usd_micros(&self, quality: Quality) -> Option<u64> {
        let (_, standard, premium) = PRICES_USD_MICROS.iter().find(|(start, ..)| self.id.contains(start))?;
        Some(if quality == Quality::Premium { *premium } else { *standard })
    }

    /// The prompt: as many sentences of the description of `picture` as fit.
    #[must_use]
    pub fn prompt(&self, picture: &Picture) -> String {
        let mut prompt = format!("{STYLE}{}.", picture.title);
        for sentence in picture.description.split_inclusive(". ") {
            if prompt.chars().count() + 1 + sentence.trim_end().chars().count() > self.prompt_chars_max {
                break;
            }
            prompt.push(' ');
            prompt.push_str(sentence.trim_end());
        }
        prompt
    }

    /// The SHA-256 of the prompt in hexadecimal digits; it changes with the description.
    #[must_use]
    pub fn prompt_sha256(&self, picture: &Picture) -> String {
        hex::encode(Sha256::digest(self.prompt(picture)))
    }

    /// The body of the request for one photograph. `seed` is at most [`SEED_MAX`].
    #[must_use]
    pub fn request(&self, picture: &Picture, quality: Quality, seed: u32) -> Value {
        let prompt = self.prompt(picture);
        match self.shape {
            Shape::Canvas => json!({
                "taskType": "TEXT_IMAGE",
                "textToImageParams": { "text": prompt, "negativeText": UNWANTED },
                "imageGenerationConfig": {
                    "numberOfImages": 1,
                    "width": SIZE,
                    "height": SIZE,
                    "quality": if quality == Quality::Premium { "premium" } else { "standard" },
                    "cfgScale": CFG_SCALE,
                    "seed": seed,
                },
            }),
            // A square is 1024 x 1024 for these models.
            Shape::Stability => json!({
                "prompt": prompt,
                "negative_prompt": UNWANTED,
                "aspect_ratio": "1:1",
                "output_format": "png",
                "seed": seed,
            }),
        }
    }

    /// Parses the body of a response.
    ///
    /// # Errors
    /// It contains no photograph of 1024 x 1024.
    pub fn answer(&self, body: &[u8]) -> Result<Photograph, PhotographError> {
        let unusable = |what: &str| PhotographError::Unusable(format!("the answer of {} {what}", self.id));
        let answer: Answer =
            serde_json::from_slice(body).map_err(|_| unusable("is not of the known shape"))?;
        let reasons = answer.finish_reasons.unwrap_or_default();
        if let Some(reason) = reasons.into_iter().flatten().chain(answer.error).next() {
            return Err(if is_filtered(&reason) {
                PhotographError::Filtered(reason)
            } else {
                PhotographError::Unusable(reason)
            });
        }
        let image = answer.images.unwrap_or_default().into_iter().next();
        let image = image.ok_or_else(|| unusable("holds no image"))?;
        let png = STANDARD.decode(image).map_err(|_| unusable("holds an image that is no base64"))?;
        match png_size(&png) {
            Some((SIZE, SIZE)) => Ok(Photograph { png, simulated: answer.simulated }),
            Some((width, height)) => Err(unusable(&format!("holds an image of {width} x {height} pixels"))),
            None => Err(unusable("holds an image that is no PNG")),
        }
    }
}

/// Whether `message` says that the model's safety filter rejected the photograph: Amazon's models name content filters,
/// also in a `ValidationException`; Stability AI's give a filter reason.
#[must_use]
pub fn is_filtered(message: &str) -> bool {
    message.contains("content filter") || message.starts_with("Filter reason")
}

/// A seed that depends on the picture alone.
#[must_use]
pub fn seed_of(picture: &Picture) -> u32 {
    let hash = Sha256::digest(&picture.image_id);
    u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]) % (SEED_MAX + 1)
}

/// Both shapes: they share `images`.
#[derive(Deserialize)]
struct Answer {
    images: Option<Vec<String>>,
    error: Option<String>,
    finish_reasons: Option<Vec<Option<String>>>,
    #[serde(default)]
    simulated: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pictures::{catalogue, rasterise};

    const CANVAS: &str = "amazon.nova-canvas-v1:0";
    const TITAN: &str = "amazon.titan-image-generator-v2:0";
    const ULTRA: &str = "stability.stable-image-ultra-v1:1";

    fn model(id: &str) -> ImageModel {
        ImageModel::of(id).unwrap()
    }

    #[test]
    fn models_are_known_by_their_ids_and_others_are_refused_with_the_choices() {
        assert_eq!((model(CANVAS).shape, model(CANVAS).prompt_chars_max), (Shape::Canvas, 1024));
        assert_eq!((model(TITAN).shape, model(TITAN).prompt_chars_max), (Shape::Canvas, 512));
        assert_eq!(
            (model(ULTRA).shape, model(&format!("us.{ULTRA}")).shape),
            (Shape::Stability, Shape::Stability)
        );
        let error = ImageModel::of("anthropic.claude").unwrap_err().to_string();
        assert!(error.contains("amazon.nova-canvas") && error.contains("stability."), "{error}");
    }

    #[test]
    fn prices_follow_model_and_quality_and_unknown_ones_are_none() {
        assert_eq!(model(CANVAS).price_usd_micros(Quality::Standard), Some(40_000));
        assert_eq!(model(CANVAS).price_usd_micros(Quality::Premium), Some(60_000));
        assert_eq!(model(&format!("us.{ULTRA}")).price_usd_micros(Quality::Standard), Some(140_000));
        assert_eq!(model("stability.poet-v1:0").price_usd_micros(Quality::Standard), None);
    }

    #[test]
    fn every_prompt_is_whole_sentences_within_the_limit_of_its_model() {
        for picture in catalogue().unwrap() {
            for id in [CANVAS, TITAN, ULTRA] {
                let (model, id) = (model(id), &picture.image_id);
                let prompt = model.prompt(&picture);
                let length = prompt.chars().count();
                assert!(length <= model.prompt_chars_max, "{id}: {length}");
                let (_, shown) = prompt.split_once(&format!("{}. ", picture.title)).unwrap();
                assert!(picture.description.starts_with(shown) && shown.ends_with('.'), "{id}: {shown}");
                // What is left out would not have fitted.
                let rest = picture.description[shown.len()..].trim_start();
                let next = rest.split_inclusive(". ").next().unwrap_or_default().trim_end();
                let fits = !next.is_empty() && length + 1 + next.chars().count() <= model.prompt_chars_max;
                assert!(!fits, "{id}: {next}");
            }
        }
    }

    #[test]
    fn prompt_of_another_description_has_another_hash() {
        let mut picture = catalogue().unwrap().remove(0);
        let before = model(CANVAS).prompt_sha256(&picture);
        assert_eq!(before, model(CANVAS).prompt_sha256(&picture));
        picture.description = picture.description.replacen("pale yellow", "blue", 1);
        assert_ne!(before, model(CANVAS).prompt_sha256(&picture));
    }

    #[test]
    fn requests_have_the_shape_of_their_model() {
        let picture = catalogue().unwrap().remove(0);
        let canvas = model(CANVAS).request(&picture, Quality::Premium, 7);
        assert_eq!(canvas["taskType"], "TEXT_IMAGE");
        assert_eq!(canvas["textToImageParams"]["text"], model(CANVAS).prompt(&picture));
        assert_eq!(canvas["textToImageParams"]["negativeText"], UNWANTED);
        let expected = json!({
            "numberOfImages": 1, "width": 1024, "height": 1024, "quality": "premium", "cfgScale": 7.0, "seed": 7,
        });
        assert_eq!(canvas["imageGenerationConfig"], expected);
        let stability = model(ULTRA).request(&picture, Quality::Standard, 7);
        let expected = json!({
            "prompt": model(ULTRA).prompt(&picture), "negative_prompt": UNWANTED, "aspect_ratio": "1:1",
            "output_format": "png", "seed": 7,
        });
        assert_eq!(stability, expected);
    }

    #[test]
    fn answers_of_both_shapes_are_read() {
        let png = rasterise(catalogue().unwrap()[0].illustration().unwrap()).unwrap();
        let image = STANDARD.encode(&png);
        let read = |id: &str, body: &Value| model(id).answer(body.to_string().as_bytes());
        let made = Photograph { png, simulated: false };
        assert_eq!(read(CANVAS, &json!({ "images": [image], "error": null })), Ok(made.clone()));
        let stability = json!({ "images": [image], "seeds": [7], "finish_reasons": [null] });
        assert_eq!(read(ULTRA, &stability), Ok(made.clone()));
        let simulated = json!({ "images": [image], "simulated": true });
        assert_eq!(read(CANVAS, &simulated), Ok(Photograph { simulated: true, ..made }));
    }

    #[test]
    fn what_the_filter_kept_and_what_cannot_be_used_are_told_apart() {
        let read = |id: &str, body: Value| model(id).answer(body.to_string().as_bytes()).unwrap_err();
        let all = "All of the generated images have been blocked by our content filters.";
        assert_eq!(
            read(CANVAS, json!({ "images": null, "error": all })),
            PhotographError::Filtered(all.to_owned())
        );
        for reason in ["Filter reason: prompt", "Filter reason: output image"] {
            assert_eq!(
                read(ULTRA, json!({ "finish_reasons": [reason] })),
                PhotographError::Filtered(reason.to_owned())
            );
        }
        let unusable = [
            json!({ "finish_reasons": ["Inference error"] }),
            json!({ "images": [] }),
            json!({ "images": ["%"] }),
            json!({ "images": [STANDARD.encode("GIF89a")] }),
            json!({ "images": [STANDARD.encode(b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\x02\0\0\0\x02\0")] }),
            json!([]),
        ];
        for body in unusable {
            assert!(matches!(read(ULTRA, body.clone()), PhotographError::Unusable(_)), "{body}");
        }
    }

    #[test]
    fn seeds_are_the_same_each_time_and_within_the_range_of_every_model() {
        let pictures = catalogue().unwrap();
        let seeds: std::collections::BTreeSet<u32> = pictures.iter().map(seed_of).collect();
        assert_eq!(seeds.len(), pictures.len());
        assert!(seeds.iter().all(|seed| *seed <= SEED_MAX));
        assert_eq!(seed_of(&pictures[0]), seed_of(&pictures[0]));
    }
}
