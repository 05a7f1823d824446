//! PURE. `InvokeModel` of the image models: validation of requests, and responses in the shape of each model.
//!
//! It generates nothing: the response holds the bundled illustration that shares most words with the prompt, and says that
//! it is simulated. The service's responses have no such field; clients ignore it.

use std::collections::BTreeSet;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Deserialize;
use serde_json::{Value, json};

use super::faults::Filter;
use crate::pictures::{ImageModel, Picture, SEED_MAX, SIZE, Shape};

/// Images of one request at the most.
const IMAGES_MAX: usize = 5;

/// The range of `cfgScale`: how closely a model follows the prompt.
const CFG_SCALE: std::ops::RangeInclusive<f64> = 1.1..=10.0;

/// Words shorter than this are in every prompt.
const WORD_CHARS_MIN: usize = 4;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ImageRequest {
    prompt: String,
    images: usize,
    seed: u32,
}

/// Why a request is rejected, with the messages of a `ValidationException`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ImageRequestError {
    #[error("Malformed input request: {0}, please reformat your input and try again.")]
    Malformed(String),
    #[error(
        "This request has been blocked by our content filters. Please adjust your text prompt to submit a new request."
    )]
    Blocked,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Canvas {
    task_type: String,
    text_to_image_params: TextToImage,
    image_generation_config: Config,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct TextToImage {
    text: String,
    #[serde(default)]
    negative_text: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Config {
    #[serde(default = "one")]
    number_of_images: usize,
    #[serde(default = "size")]
    width: u32,
    #[serde(default = "size")]
    height: u32,
    #[serde(default = "standard")]
    quality: String,
    #[serde(default = "cfg_scale")]
    cfg_scale: f64,
    #[serde(default)]
    seed: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stability {
    prompt: String,
    #[serde(default)]
    negative_prompt: Option<String>,
    #[serde(default = "square")]
    aspect_ratio: String,
    #[serde(default = "png")]
    output_format: String,
    #[serde(default)]
    seed: u32,
}

pub(crate) fn read(model: &ImageModel, body: &Value) -> Result<ImageRequest, ImageRequestError> {
    let malformed = |error: serde_json::Error| ImageRequestError::Malformed(error.to_string());
    let (request, unwanted) = match model.shape {
        Shape::Canvas => read_canvas(Canvas::deserialize(body).map_err(malformed)?)?,
        Shape::Stability => read_stability(Stability::deserialize(body).map_err(malformed)?)?,
    };
    let limit = model.prompt_chars_max;
    for (text, least) in [(&request.prompt, 1), (&unwanted.unwrap_or_else(|| "-".to_owned()), 1)] {
        let length = text.chars().count();
        if !(least..=limit).contains(&length) {
            return Err(ImageRequestError::Malformed(format!(
                "expected a text of 1 to {limit} characters, actual: {length}"
            )));
        }
    }
    Ok(request)
}

/// The picture of `pictures` that has most words in common with the prompt, the first of several.
pub(crate) fn closest<'a>(request: &ImageRequest, pictures: &'a [Picture]) -> Option<&'a Picture> {
    let wanted = words(&request.prompt);
    let common = |picture: &&Picture| {
        words(&format!("{} {}", picture.title, picture.description)).intersection(&wanted).count()
    };
    // Of several, `max_by_key` takes the last.
    pictures.iter().rev().max_by_key(common)
}

pub(crate) fn answer(shape: Shape, request: &ImageRequest, png: &[u8]) -> Value {
    let images = vec![STANDARD.encode(png); request.images];
    match shape {
        Shape::Canvas => json!({ "images": images, "error": null, "simulated": true }),
        Shape::Stability => json!({
            "images": images, "seeds": [request.seed], "finish_reasons": [null], "simulated": true,
        }),
    }
}

/// The response of a model whose safety filter rejects `filter`.
pub(crate) fn filtered(shape: Shape, filter: Filter) -> Result<Value, ImageRequestError> {
    match (shape, filter) {
        (Shape::Canvas, Filter::Prompt) => Err(ImageRequestError::Blocked),
        (Shape::Canvas, Filter::Image) => {
            let error = "All of the generated images have been blocked by our content filters.";
            Ok(json!({ "images": null, "error": error, "simulated": true }))
        }
        (Shape::Stability, Filter::Prompt) => {
            Ok(json!({ "finish_reasons": ["Filter reason: prompt"], "simulated": true }))
        }
        (Shape::Stability, Filter::Image) => {
            Ok(json!({ "finish_reasons": ["Filter reason: output image"], "simulated": true }))
        }
    }
}

fn read_canvas(request: Canvas) -> Result<(ImageRequest, Option<String>), ImageRequestError> {
    let Canvas { task_type, text_to_image_params, image_generation_config: config } = request;
    let sensible = [
        (task_type == "TEXT_IMAGE", "taskType TEXT_IMAGE is the only one simulated"),
        ((1..=IMAGES_MAX).contains(&config.number_of_images), "numberOfImages is from 1 to 5"),
        ((config.width, config.height) == (SIZE, SIZE), "1024 x 1024 is the only size simulated"),
        (["standard", "premium"].contains(&config.quality.as_str()), "quality is standard or premium"),
        (CFG_SCALE.contains(&config.cfg_scale), "cfgScale is from 1.1 to 10"),
        (config.seed <= SEED_MAX, "seed is from 0 to 858993459"),
    ];
    check(&sensible)?;
    let TextToImage { text, negative_text } = text_to_image_params;
    Ok((ImageRequest { prompt: text, images: config.number_of_images, seed: config.seed }, negative_text))
}

fn read_stability(request: Stability) -> Result<(ImageRequest, Option<String>), ImageRequestError> {
    let Stability { prompt, negative_prompt, aspect_ratio, output_format, seed } = request;
    let sensible = [
        (aspect_ratio == "1:1", "aspect_ratio 1:1 is the only one simulated"),
        (output_format == "png", "output_format png is the only one simulated"),
    ];
    check(&sensible)?;
    Ok((ImageRequest { prompt, images: 1, seed }, negative_prompt))
}

fn check(sensible: &[(bool, &str)]) -> Result<(), ImageRequestError> {
    match sensible.iter().find(|(holds, _)| !holds) {
        Some((_, rule)) => Err(ImageRequestError::Malformed((*rule).to_owned())),
        None => Ok(()),
    }
}

fn words(text: &str) -> BTreeSet<String> {
    let words =
        text.split(|letter: char| !letter.is_alphanumeric()).filter(|word| word.len() >= WORD_CHARS_MIN);
    words.map(str::to_lowercase).collect()
}

fn one() -> usize {
    1
}

fn size() -> u32 {
    SIZE
}

fn standard() -> String {
    "standard".to_owned()
}

fn cfg_scale() -> f64 {
    6.5
}

fn square() -> String {
    "1:1".to_owned()
}

fn png() -> String {
    "png".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pictures::{Quality, catalogue, seed_of};

    const MODELS: [&str; 3] =
        ["amazon.nova-canvas-v1:0", "amazon.titan-image-generator-v2:0", "stability.stable-image-core-v1:1"];

    #[test]
    fn what_the_product_asks_for_is_answered_with_the_illustration_of_that_picture() {
        let pictures = catalogue().unwrap();
        for model in MODELS.map(|id| ImageModel::of(id).unwrap()) {
            for picture in &pictures {
                let body = model.request(picture, Quality::Premium, seed_of(picture));
                let request = read(&model, &body).unwrap();
                assert_eq!(closest(&request, &pictures).unwrap().image_id, picture.image_id, "{}", model.id);
            }
        }
    }

    #[test]
    fn what_the_service_would_refuse_is_refused_with_the_reason() {
        let model = ImageModel::of(MODELS[0]).unwrap();
        let picture = catalogue().unwrap().remove(0);
        let refused = |change: &dyn Fn(&mut Value)| {
            let mut body = model.request(&picture, Quality::Standard, 1);
            change(&mut body);
            read(&model, &body).unwrap_err().to_string()
        };
        let long = "a".repeat(1025);
        let told = [
            (
                refused(&|body| body["textToImageParams"]["text"] = json!(long)),
                "1 to 1024 characters, actual: 1025",
            ),
            (refused(&|body| body["textToImageParams"]["text"] = json!("")), "actual: 0"),
            (refused(&|body| body["textToImageParams"]["negativeText"] = json!(long)), "actual: 1025"),
            (refused(&|body| body["imageGenerationConfig"]["cfgScale"] = json!(11)), "cfgScale"),
            (refused(&|body| body["imageGenerationConfig"]["seed"] = json!(858_993_460)), "seed"),
            (refused(&|body| body["imageGenerationConfig"]["width"] = json!(512)), "1024 x 1024"),
            (refused(&|body| body["imageGenerationConfig"]["numberOfImages"] = json!(6)), "numberOfImages"),
            (refused(&|body| body["prompt"] = json!("a park")), "unknown field `prompt`"),
            (refused(&|body| body["taskType"] = json!("INPAINTING")), "TEXT_IMAGE"),
        ];
        for (said, expected) in told {
            assert!(said.starts_with("Malformed input request") && said.contains(expected), "{said}");
        }
    }
}
