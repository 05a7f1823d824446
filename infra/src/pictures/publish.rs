//! Publishes the catalogue and its illustrations.

use anyhow::Context as _;
use aws_config::SdkConfig;
use futures_util::{StreamExt as _, stream};

use super::{
    Picture, catalogue,
    gallery::{Gallery, Image, Source, Stored, texts},
    illustration,
};
use crate::progress::Progress;

/// Pictures that are rendered and published at the same time.
const AT_A_TIME: usize = 4;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Published {
    pub pictures: usize,
    /// New objects.
    pub uploaded: usize,
    /// Items that changed.
    pub written: usize,
    /// Pictures that keep their photograph.
    pub photographs: usize,
}

/// Publishes `pictures` with their illustrations; what is up to date stays. A photograph of the current description stays,
/// unless `again`.
///
/// # Errors
/// The first read, rendering or write that failed. Another publication does the rest.
pub async fn publish(
    gallery: &Gallery,
    pictures: Vec<Picture>,
    again: bool,
    progress: &Progress,
) -> anyhow::Result<Published> {
    let total = pictures.len();
    progress.part(0, total);
    let one = |picture: Picture| publish_one(gallery, picture, again);
    let mut published = Published { pictures: total, ..Published::default() };
    let mut all = stream::iter(pictures).map(one).buffer_unordered(AT_A_TIME).enumerate();
    while let Some((done, picture)) = all.next().await {
        let (title, stored, photograph) = picture?;
        published.uploaded += usize::from(stored.uploaded);
        published.written += usize::from(stored.written);
        published.photographs += usize::from(photograph);
        progress.detail(&title);
        progress.part(done + 1, total);
    }
    Ok(published)
}

/// Writes only the texts of the catalogue into a new Images table, for uses without images. Returns the number of
/// pictures.
///
/// # Errors
/// The table cannot be written.
pub async fn publish_pictures(sdk: &SdkConfig, table: &str, progress: &Progress) -> anyhow::Result<usize> {
    let dynamodb = aws_sdk_dynamodb::Client::new(sdk);
    let pictures = catalogue()?;
    for picture in &pictures {
        progress.detail(&picture.title);
        let put = dynamodb.put_item().table_name(table).set_item(Some(texts(picture))).send().await;
        put.with_context(|| format!("cannot write the picture {} into {table}", picture.image_id))?;
    }
    Ok(pictures.len())
}

async fn publish_one(
    gallery: &Gallery,
    picture: Picture,
    again: bool,
) -> anyhow::Result<(String, Stored, bool)> {
    let before = gallery.item(&picture.image_id).await?;
    let photograph = match &before {
        Some(before) if !again => gallery.has_photograph(&picture, before).await?,
        _ => false,
    };
    let image = if photograph {
        None
    } else {
        Some(Image { png: illustration(&picture).await?, source: Source::Illustration })
    };
    let stored = gallery.put(&picture, image, before.as_ref()).await?;
    Ok((picture.title, stored, photograph))
}
