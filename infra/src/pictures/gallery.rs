//! Where pictures are published: an object in S3 for each image, an item in the Images table for each picture.
//!
//! The key of an object holds the hash of its content, so an object is never changed and a URL that a learner was given
//! stays good. The table says which object is a picture's; it is written after the object.

use anyhow::Context as _;
use aws_config::SdkConfig;
use aws_sdk_s3::{operation::head_object::HeadObjectError, primitives::ByteStream};
use bytes::Bytes;
use events::{
    dynamo::{self, to_item},
    runtime::failure::describe,
};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::{Picture, SIZE, catalogue_version, photograph::ImageModel};
use crate::local::Outputs;

/// What `imageSource` says of an illustration. Of a photograph it is the id of its model.
pub const ILLUSTRATION: &str = "illustration";

/// The media type of every image.
const CONTENT_TYPE: &str = "image/png";

/// Browsers may keep an image: under this key there is never another one. It is for its learner alone.
const CACHE_CONTROL: &str = "private, max-age=31536000, immutable";

/// How many of the 64 digits of an image's hash are in its key.
const KEY_DIGITS: usize = 32;

/// Names of the attributes that are about the image: they stay where a picture keeps its image.
const IMAGE_ATTRIBUTES: [&str; 8] = [
    "imageKey",
    "imageSha256",
    "width",
    "height",
    "contentType",
    "imageSource",
    "imagePromptSha256",
    "imageSimulated",
];

/// An item of the Images table.
pub use events::dynamo::Item;

/// The Images table and the bucket of pictures.
#[derive(Clone, Debug)]
pub struct Gallery {
    dynamodb: aws_sdk_dynamodb::Client,
    s3: aws_sdk_s3::Client,
    table: String,
    bucket: String,
}

/// An image for a picture.
#[derive(Clone, Debug)]
pub struct Image {
    /// A PNG of 1024 x 1024.
    pub png: Bytes,
    /// Where it is from.
    pub source: Source,
}

/// Where an image is from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Drawn for the product.
    Illustration,
    /// Made by a model.
    Photograph {
        /// The id of the model.
        model: String,
        /// [`ImageModel::prompt_sha256`].
        prompt_sha256: String,
        /// Whether the model was a simulated one.
        simulated: bool,
    },
}

/// What publishing a picture took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    /// Whether the object was not there yet.
    pub uploaded: bool,
    /// Whether the item was another one.
    pub written: bool,
}

impl Gallery {
    /// The gallery of what is deployed. `path_style` says whether S3 is addressed as `host/bucket`.
    #[must_use]
    pub fn new(sdk: &SdkConfig, outputs: &Outputs, path_style: bool) -> Self {
        let s3 = aws_sdk_s3::config::Builder::from(sdk).force_path_style(path_style).build();
        Self {
            dynamodb: aws_sdk_dynamodb::Client::new(sdk),
            s3: aws_sdk_s3::Client::from_conf(s3),
            table: outputs.images_table.clone(),
            bucket: outputs.images_bucket.clone(),
        }
    }

    /// The item of a picture.
    ///
    /// # Errors
    /// The table cannot be read.
    pub async fn item(&self, image_id: &str) -> anyhow::Result<Option<Item>> {
        let key = dynamo::text(image_id);
        let get = self.dynamodb.get_item().table_name(&self.table).key("imageId", key).consistent_read(true);
        let got = get.send().await.map_err(|error| describe(&error));
        Ok(got.with_context(|| format!("cannot read the picture {image_id} in {}", self.table))?.item)
    }

    /// Whether the picture whose item is `before` has a photograph of what its description says now, and it is still there.
    ///
    /// # Errors
    /// The bucket cannot be read.
    pub async fn has_photograph(&self, picture: &Picture, before: &Item) -> anyhow::Result<bool> {
        let model = text(before, "imageSource").and_then(|source| ImageModel::of(source).ok());
        let same_prompt = model.is_some_and(|model| {
            text(before, "imagePromptSha256") == Some(model.prompt_sha256(picture).as_str())
        });
        match text(before, "imageKey") {
            Some(key) if same_prompt => self.exists(key).await,
            _ => Ok(false),
        }
    }

    /// Publishes the texts of `picture` with `image`, or with the image that is there already. `before` is its item; what
    /// is as it should be is not written again.
    ///
    /// # Errors
    /// The bucket or the table cannot be written.
    pub async fn put(
        &self,
        picture: &Picture,
        image: Option<Image>,
        before: Option<&Item>,
    ) -> anyhow::Result<Stored> {
        let mut item = texts(picture);
        let mut stored = Stored::default();
        if let Some(Image { png, source }) = image {
            let hash = hex::encode(Sha256::digest(&png));
            let key = format!("pictures/{}/{}.png", picture.image_id, &hash[..KEY_DIGITS]);
            if !self.exists(&key).await? {
                self.upload(&key, png).await?;
                stored.uploaded = true;
            }
            item.extend(about_image(key, hash, source));
        } else if let Some(before) = before {
            let kept = IMAGE_ATTRIBUTES
                .iter()
                .filter_map(|name| Some(((*name).to_owned(), before.get(*name)?.clone())));
            item.extend(kept);
        }
        if before != Some(&item) {
            let put = self.dynamodb.put_item().table_name(&self.table).set_item(Some(item)).send().await;
            let put = put.map_err(|error| describe(&error));
            put.with_context(|| {
                format!("cannot write the picture {} into {}", picture.image_id, self.table)
            })?;
            stored.written = true;
        }
        Ok(stored)
    }

    async fn exists(&self, key: &str) -> anyhow::Result<bool> {
        match self.s3.head_object().bucket(&self.bucket).key(key).send().await {
            Ok(_) => Ok(true),
            Err(error) if error.as_service_error().is_some_and(HeadObjectError::is_not_found) => Ok(false),
            Err(error) => Err(describe(&error))
                .with_context(|| format!("cannot look at the object {key} of the bucket {}", self.bucket)),
        }
    }

    async fn upload(&self, key: &str, png: Bytes) -> anyhow::Result<()> {
        let put = self.s3.put_object().bucket(&self.bucket).key(key).body(ByteStream::from(png));
        let put = put.content_type(CONTENT_TYPE).cache_control(CACHE_CONTROL).send().await;
        put.map_err(|error| describe(&error))
            .with_context(|| format!("cannot write the object {key} into the bucket {}", self.bucket))?;
        Ok(())
    }
}

/// The attributes of `picture` that are in the catalogue.
pub(super) fn texts(picture: &Picture) -> Item {
    let mut item = to_item(picture);
    item.insert("catalogueVersion".to_owned(), dynamo::text(&catalogue_version()));
    item
}

/// The attributes of an item that are about its image.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ImageAttributes {
    image_key: String,
    image_sha256: String,
    width: u32,
    height: u32,
    content_type: &'static str,
    image_source: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    image_prompt_sha256: Option<String>,
    /// `true` or absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    image_simulated: Option<bool>,
}

fn about_image(image_key: String, image_sha256: String, source: Source) -> Item {
    let (image_source, image_prompt_sha256, simulated) = match source {
        Source::Illustration => (ILLUSTRATION.to_owned(), None, false),
        Source::Photograph { model, prompt_sha256, simulated } => (model, Some(prompt_sha256), simulated),
    };
    to_item(&ImageAttributes {
        image_key,
        image_sha256,
        width: SIZE,
        height: SIZE,
        content_type: CONTENT_TYPE,
        image_source,
        image_prompt_sha256,
        image_simulated: simulated.then_some(true),
    })
}

/// The text of an attribute.
pub(super) fn text<'a>(item: &'a Item, name: &str) -> Option<&'a str> {
    item.get(name)?.as_s().ok().map(String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_of_an_image_are_those_that_are_kept_with_it() {
        let source =
            Source::Photograph { model: "m".to_owned(), prompt_sha256: "p".to_owned(), simulated: true };
        let attributes = about_image("k".to_owned(), "h".to_owned(), source);
        let mut names: Vec<&str> = attributes.keys().map(String::as_str).collect();
        let mut kept = IMAGE_ATTRIBUTES.to_vec();
        names.sort_unstable();
        kept.sort_unstable();
        assert_eq!(names, kept);
    }
}
