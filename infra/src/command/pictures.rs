//! `nova pictures`: publishes the catalogue with its illustrations, or has photographs made in their place.

use std::process::ExitCode;

use anyhow::bail;
use infra::pictures::{
    Gallery, ImageModel, PhotographOutcome, Photographer, Picture, Quality, SEED_MAX, catalogue, publish,
    seed_of,
};
use rand::RngExt as _;

use super::ops::target::{Reached, TargetOptions};
use crate::console::Console;

/// Millionths of a US dollar in one.
const USD_MICROS: f64 = 1_000_000.0;

/// The highest price of a photograph that is believed, in US dollars.
const PRICE_USD_MAX: f64 = 100.0;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  nova pictures
  nova pictures --aws
  nova pictures --aws --generate --model amazon.nova-canvas-v1:0
  nova pictures --generate --model stability.stable-image-core-v1:1 --picture street-market --again --yes

Publishing compares with what is there: nothing is uploaded or written twice. A photograph stays until the
description of its picture is changed, or until --again. What was generated is published at once, so a run that was
stopped goes on where it was. A picture that a safety filter keeps back is reported and the others go on; the exit
code is then 1.

Without --aws it works on the service that `cargo run` runs in this workspace. There the models are simulated: their
photographs are the illustrations again, and are marked as simulated.")]
pub(super) struct PicturesOptions {
    #[command(flatten)]
    target: TargetOptions,
    /// Have photographs made by a model of Amazon Bedrock, which costs money.
    #[arg(long, requires = "model")]
    generate: bool,
    /// With --generate: the model, one whose id begins with amazon.nova-canvas, amazon.titan-image or stability.
    #[arg(long, env = "NOVA_IMAGE_MODEL", value_name = "ID")]
    model: Option<String>,
    /// With --generate: how much care the model takes; only Amazon's models have a choice.
    #[arg(long, value_enum, default_value_t)]
    quality: Quality,
    /// With --generate: what one photograph costs in US dollars [default: AWS's list price of the model]
    #[arg(long, env = "NOVA_IMAGE_PRICE_USD", value_name = "USD", value_parser = price)]
    price_usd: Option<f64>,
    /// Only this picture; may be given several times.
    #[arg(long = "picture", value_name = "ID")]
    pictures: Vec<String>,
    /// Also replace photographs that are there: by illustrations, or with --generate by new photographs.
    #[arg(long)]
    again: bool,
    /// With --generate: do not ask whether the cost is all right.
    #[arg(long)]
    yes: bool,
}

pub(super) async fn run(options: PicturesOptions, console: &Console) -> anyhow::Result<ExitCode> {
    let pictures = chosen(&options.pictures)?;
    let model = options.model.as_deref().filter(|_| options.generate).map(ImageModel::of).transpose()?;
    let Some(model) = model else {
        return publish_all(&options, pictures, console).await;
    };
    let Some(price) = options.price_usd.or_else(|| list_price(&model, options.quality)) else {
        bail!("the price of {} is not known here; say with --price-usd what one photograph costs", model.id);
    };
    let target = Reached::by(&options.target).await?;
    let gallery = gallery(&target);
    let Some(bedrock) = &target.bedrock else {
        bail!(
            "the service runs with the models of an account, for which only its processes have credentials; start it without \
             `--bedrock aws`, or work on AWS with --aws"
        );
    };
    let photographer = Photographer::new(bedrock, model, options.quality);
    let wanted = pictures.len();
    let pictures = if options.again { pictures } else { photographer.missing(&gallery, pictures).await? };
    console.line(&cost(&photographer.model().id, wanted, pictures.len(), price));
    if pictures.is_empty() || !agreed(options.yes, console)? {
        return Ok(ExitCode::SUCCESS);
    }
    generate(&photographer, &gallery, &pictures, options.again, console).await
}

async fn publish_all(
    options: &PicturesOptions,
    pictures: Vec<Picture>,
    console: &Console,
) -> anyhow::Result<ExitCode> {
    let target = Reached::by(&options.target).await?;
    let gallery = gallery(&target);
    let progress = console.progress();
    progress.begin("Publishing the pictures");
    let published = publish(&gallery, pictures, options.again, &progress).await?;
    progress.end(&format!(
        "{} pictures, {} uploaded, {} written, {} photographs kept",
        published.pictures, published.uploaded, published.written, published.photographs,
    ));
    Ok(ExitCode::SUCCESS)
}

async fn generate(
    photographer: &Photographer,
    gallery: &Gallery,
    pictures: &[Picture],
    again: bool,
    console: &Console,
) -> anyhow::Result<ExitCode> {
    let progress = console.progress();
    let mut without = Vec::new();
    for (index, picture) in pictures.iter().enumerate() {
        progress.begin(&format!("{}/{} {}", index + 1, pictures.len(), picture.title));
        // The same seed would make the same photograph again.
        let seed = if again { rand::rng().random_range(0..=SEED_MAX) } else { seed_of(picture) };
        match photographer.take(gallery, picture, seed).await? {
            PhotographOutcome::Published { bytes, simulated } => {
                let simulated = if simulated { ", simulated" } else { "" };
                progress.end(&format!("{} KB{simulated}", bytes / 1000));
            }
            PhotographOutcome::PhotographError(reason) => {
                progress.fail(&reason.to_string());
                without.push(picture.image_id.as_str());
            }
        }
    }
    if without.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    console.line(&format!(
        "{} of {} pictures have no new photograph: {}; another model or another description may do",
        without.len(),
        pictures.len(),
        without.join(", "),
    ));
    Ok(ExitCode::FAILURE)
}

fn gallery(target: &Reached) -> Gallery {
    let outputs = &target.outputs;
    Gallery::new(&target.sdk, &outputs.images_table, &outputs.images_bucket, target.path_style)
}

/// The pictures with these ids, all without any.
fn chosen(ids: &[String]) -> anyhow::Result<Vec<Picture>> {
    let all = catalogue()?;
    if let Some(unknown) = ids.iter().find(|id| !all.iter().any(|picture| picture.image_id == **id)) {
        let known: Vec<&str> = all.iter().map(|picture| picture.image_id.as_str()).collect();
        bail!("there is no picture `{unknown}`; choose from {}", known.join(", "));
    }
    let wanted = |picture: &Picture| ids.is_empty() || ids.contains(&picture.image_id);
    Ok(all.into_iter().filter(wanted).collect())
}

/// In US dollars.
fn list_price(model: &ImageModel, quality: Quality) -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "prices are far below 2^52 millionths of a dollar")]
    model.price_usd_micros(quality).map(|micros| micros as f64 / USD_MICROS)
}

fn cost(model: &str, wanted: usize, missing: usize, price_usd: f64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "pictures are few")]
    let total = missing as f64 * price_usd;
    let there = wanted - missing;
    format!(
        "{missing} photographs by {model} at ${price_usd:.3} each: ${total:.2}. {there} of {wanted} are there already."
    )
}

/// Whether the operator agrees to the cost.
fn agreed(yes: bool, console: &Console) -> anyhow::Result<bool> {
    if yes {
        return Ok(true);
    }
    if !console.can_ask() {
        bail!("there is no terminal to agree to the cost; give --yes");
    }
    console.agrees()
}

fn price(text: &str) -> Result<f64, String> {
    let price = text.parse::<f64>().ok().filter(|price| (0.0..=PRICE_USD_MAX).contains(price));
    price.ok_or_else(|| format!("a price is a number of US dollars from 0 to {PRICE_USD_MAX}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cost_is_that_of_what_is_missing() {
        assert_eq!(
            cost("m", 25, 20, 0.04),
            "20 photographs by m at $0.040 each: $0.80. 5 of 25 are there already."
        );
    }

    #[test]
    fn prices_are_numbers_of_dollars() {
        assert_eq!(price("0.08"), Ok(0.08));
        for text in ["-1", "free", "NaN", "101"] {
            assert!(price(text).unwrap_err().contains("from 0 to 100"), "{text}");
        }
        let canvas = ImageModel::of("amazon.nova-canvas-v1:0").unwrap();
        assert_eq!(list_price(&canvas, Quality::Premium), Some(0.06));
    }

    #[test]
    fn pictures_are_chosen_by_their_ids_and_unknown_ones_are_named() {
        assert_eq!(chosen(&[]).unwrap().len(), 25);
        let two = ["street-market".to_owned(), "birthday-party".to_owned()];
        assert_eq!(chosen(&two).unwrap().len(), 2);
        let error = chosen(&["moon".to_owned()]).unwrap_err().to_string();
        assert!(error.contains("`moon`") && error.contains("street-market"), "{error}");
    }
}
