//! The catalogue of pictures as learners see it, cached in memory. After [`FRESH`] one request reads it again while the
//! others wait; while that fails, the old catalogue is served for [`STALE_MAX`]. It does not contain the description for the
//! tutor's prompt, which would spoil the exercise.

use std::{collections::BTreeMap, fmt, str::FromStr, sync::Arc, time::Duration};

use anyhow::{Context as _, anyhow};
use axum::response::Response;
use events::{
    contract::Level,
    dynamo::{Item, read_item},
    runtime::failure::describe,
    text::{nfc, shown},
};
use serde::Deserialize;
use tokio::{sync::Mutex, time::Instant};

use super::{
    images::{IMAGE_ID_BYTES_MAX, nearest},
    objects::{self, ObjectError},
};
use crate::metrics::Metrics;

/// Age at which the catalogue is read again.
pub const FRESH: Duration = Duration::from_secs(60);

/// Maximum age of a catalogue that is served while the table cannot be read.
pub const STALE_MAX: Duration = Duration::from_secs(15 * 60);

/// Maximum number of pictures. Further items of the table are not served, and an error is logged.
pub const PICTURES_MAX: usize = 1_000;

/// Hexadecimal digits in the name of an image file.
const HASH_DIGITS: usize = 32;

/// Maximum number of pages of the scan.
const PAGES_MAX: usize = 64;

/// A picture as learners see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The key in the Images table.
    pub image_id: String,
    pub category: String,
    pub title: String,
    /// Alternative text for screen readers.
    pub alt: String,
    /// Learning objectives.
    pub objectives: Vec<String>,
    /// Words to practise.
    pub vocabulary: Vec<String>,
    /// The original image, once it is published.
    pub original: Option<File>,
    /// Smaller forms of it, the narrowest first.
    pub variants: Vec<File>,
    questions: BTreeMap<Level, Vec<String>>,
}

/// A form of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    pub name: FileName,
    /// Width and height in pixels, if known.
    pub size: Option<(u32, u32)>,
}

/// The name of an image file: a hash of its content, so the file of a name never changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileName {
    /// Hexadecimal digits.
    pub hash: String,
    pub format: Format,
}

/// The format of an image file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Png,
    WebP,
}

/// Reads and caches the catalogue.
#[derive(Debug)]
pub struct Pictures {
    dynamodb: aws_sdk_dynamodb::Client,
    table: String,
    s3: aws_sdk_s3::Client,
    bucket: String,
    cached: Mutex<Option<Catalogue>>,
    metrics: Arc<Metrics>,
}

#[derive(Clone, Debug)]
struct Catalogue {
    read_at: Instant,
    entries: Arc<[Entry]>,
}

impl Pictures {
    /// Uses `table` and the image objects in `bucket`.
    #[must_use]
    pub fn new(
        dynamodb: aws_sdk_dynamodb::Client,
        table: String,
        s3: aws_sdk_s3::Client,
        bucket: String,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self { dynamodb, table, s3, bucket, cached: Mutex::default(), metrics }
    }

    /// All pictures, by category and title.
    ///
    /// # Errors
    /// The table cannot be read, and no cached catalogue is recent enough.
    pub async fn all(&self) -> anyhow::Result<Arc<[Entry]>> {
        let mut cached = self.cached.lock().await;
        let old = cached.as_ref().map(|cached| (cached.read_at.elapsed(), Arc::clone(&cached.entries)));
        if let Some((age, entries)) = &old
            && *age < FRESH
        {
            self.metrics.picture_hits.increment();
            return Ok(Arc::clone(entries));
        }
        self.metrics.picture_reads.increment();
        match self.read().await {
            Ok(entries) => {
                let entries: Arc<[Entry]> = entries.into();
                *cached = Some(Catalogue { read_at: Instant::now(), entries: Arc::clone(&entries) });
                Ok(entries)
            }
            Err(error) => {
                self.metrics.failed_picture_reads.increment();
                match old {
                    Some((age, entries)) if may_be_served(age) => {
                        tracing::warn!(
                            error = format!("{error:#}"),
                            "the catalogue of pictures cannot be read: an old one is served"
                        );
                        Ok(entries)
                    }
                    _ => Err(error),
                }
            }
        }
    }

    /// The image file of a picture, streamed from S3.
    ///
    /// # Errors
    /// See [`ObjectError`].
    pub async fn file(&self, image_id: &str, file: &FileName) -> Result<Response, ObjectError> {
        if !is_image_id(image_id) {
            return Err(ObjectError::NotFound);
        }
        let key = format!("pictures/{image_id}/{file}");
        objects::response(&self.s3, &self.bucket, &key, file.format.media_type(), None).await
    }

    async fn read(&self) -> anyhow::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        let mut after = None;
        for _ in 0..PAGES_MAX {
            let scan = self.dynamodb.scan().table_name(&self.table).set_exclusive_start_key(after);
            let page = scan.send().await.map_err(|error| describe(&error));
            let page = page.context("failed to read the catalogue of pictures")?;
            for item in page.items.unwrap_or_default() {
                match entry(item) {
                    Ok(entry) => entries.push(entry),
                    // One broken item must not hide the others.
                    Err(error) => tracing::error!(
                        error = format!("{error:#}"),
                        "an unreadable picture is left out of the catalogue"
                    ),
                }
            }
            after = page.last_evaluated_key;
            if after.is_none() || entries.len() > PICTURES_MAX {
                break;
            }
        }
        Ok(ordered(entries))
    }
}

/// An id without a character that could lead out of its folder.
fn is_image_id(id: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=IMAGE_ID_BYTES_MAX).contains(&id.len()) && id.bytes().all(is_plain)
}

impl Format {
    #[must_use]
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::WebP => "image/webp",
        }
    }

    fn extension(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::WebP => "webp",
        }
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.hash, self.format.extension())
    }
}

impl FromStr for FileName {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (hash, extension) = text.split_once('.').ok_or(())?;
        let is_hash =
            hash.len() == HASH_DIGITS && hash.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let format = [Format::Png, Format::WebP].into_iter().find(|format| format.extension() == extension);
        let format = format.filter(|_| is_hash).ok_or(())?;
        Ok(Self { hash: hash.to_owned(), format })
    }
}

/// Whether a catalogue of this age is served while the table cannot be read.
fn may_be_served(age: Duration) -> bool {
    age < STALE_MAX
}

/// Sorted by category and title, at most [`PICTURES_MAX`].
fn ordered(mut entries: Vec<Entry>) -> Vec<Entry> {
    if entries.len() > PICTURES_MAX {
        tracing::error!(most = PICTURES_MAX, "the Images table has more pictures than are served");
        entries.truncate(PICTURES_MAX);
    }
    entries.sort_by_key(|entry| (entry.category.clone(), entry.title.clone(), entry.image_id.clone()));
    entries
}

impl Entry {
    /// A picture without learning material.
    #[cfg(test)]
    pub(crate) fn of_test(image_id: &str, category: &str) -> Self {
        Self {
            image_id: image_id.to_owned(),
            category: category.to_owned(),
            title: image_id.to_owned(),
            alt: String::new(),
            objectives: Vec::new(),
            vocabulary: Vec::new(),
            original: None,
            variants: Vec::new(),
            questions: BTreeMap::new(),
        }
    }

    /// The questions for `level`, or else those of the nearest level with questions; of two, the easier.
    #[must_use]
    pub fn questions_for(&self, level: Level) -> &[String] {
        nearest(&self.questions, level)
    }
}

/// An item of the Images table.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PictureItem {
    category: String,
    title: String,
    alt: String,
    #[serde(default)]
    objectives: Vec<String>,
    #[serde(default)]
    vocabulary: Vec<String>,
    #[serde(default)]
    questions: BTreeMap<Level, Vec<String>>,
    image_key: Option<String>,
    width: Option<u32>,
    height: Option<u32>,
    #[serde(default)]
    image_variants: Vec<VariantItem>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct VariantItem {
    key: String,
    width: u32,
    height: u32,
}

/// The file under `key`, `pictures/<id>/<name>`. A key of another form is of no file that can be served.
fn file(image_id: &str, key: &str, size: Option<(u32, u32)>) -> Option<File> {
    let name = key.strip_prefix("pictures/")?.strip_prefix(image_id)?.strip_prefix('/')?.parse().ok()?;
    Some(File { name, size })
}

fn entry(item: Item) -> anyhow::Result<Entry> {
    let image_id = item.get("imageId").and_then(|id| id.as_s().ok()).cloned();
    let image_id = image_id.context("a picture has no id")?;
    let PictureItem {
        category,
        title,
        alt,
        objectives,
        vocabulary,
        questions,
        image_key,
        width,
        height,
        image_variants,
    } = read_item(item).map_err(|error| anyhow!("the picture {image_id}: {error}"))?;
    let original = image_key.and_then(|key| file(&image_id, &key, width.zip(height)));
    let of_variant =
        |variant: &VariantItem| file(&image_id, &variant.key, Some((variant.width, variant.height)));
    let mut variants: Vec<File> = image_variants.iter().filter_map(of_variant).collect();
    variants.sort_by_key(|variant| variant.size);
    // The operator enters the texts into the table, and every learner sees them.
    let text = |text: String| shown(&nfc(&text));
    let texts = |all: Vec<String>| all.into_iter().map(text).collect();
    Ok(Entry {
        image_id,
        category: text(category),
        title: text(title),
        alt: text(alt),
        objectives: texts(objectives),
        vocabulary: texts(vocabulary),
        questions: questions.into_iter().map(|(level, all)| (level, texts(all))).collect(),
        original,
        variants,
    })
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::types::AttributeValue;

    use super::*;

    fn item(more: &[(&str, AttributeValue)]) -> Item {
        let texts = [("imageId", "market"), ("category", "city"), ("title", "A market"), ("alt", "Stalls.")];
        let texts = texts.map(|(name, text)| (name.to_owned(), AttributeValue::S(text.to_owned())));
        let more = more.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
        texts.into_iter().chain(more).collect()
    }

    #[test]
    fn a_picture_without_a_key_has_no_file() {
        assert_eq!(entry(item(&[])).unwrap().original, None);
        let number = |digits: &str| AttributeValue::N(digits.to_owned());
        let text = |text: String| AttributeValue::S(text);
        let hash = "0123456789abcdef0123456789abcdef";
        let variant = |width: &str, extension: &str| {
            AttributeValue::M(
                [
                    ("key".to_owned(), text(format!("pictures/market/{hash}.{extension}"))),
                    ("width".to_owned(), number(width)),
                    ("height".to_owned(), number(width)),
                ]
                .into(),
            )
        };
        let variants =
            AttributeValue::L(vec![variant("640", "webp"), variant("320", "webp"), variant("9", "exe")]);
        let published = entry(item(&[
            ("imageKey", text(format!("pictures/market/{hash}.png"))),
            ("width", number("1024")),
            ("height", number("768")),
            ("imageVariants", variants),
        ]));
        let published = published.unwrap();
        let original = published.original.unwrap();
        assert_eq!((original.size, original.name.to_string()), (Some((1024, 768)), format!("{hash}.png")));
        let widths: Vec<_> = published.variants.iter().map(|variant| variant.size).collect();
        assert_eq!(widths, [Some((320, 320)), Some((640, 640))]);
    }

    #[test]
    fn file_name_is_a_hash_with_a_known_extension() {
        let hash = "0123456789abcdef0123456789abcdef";
        for name in [format!("{hash}.png"), format!("{hash}.webp")] {
            assert_eq!(name.parse::<FileName>().unwrap().to_string(), name);
        }
        for other in ["", ".png", "a.png", &format!("{hash}.svg"), &format!("{}.png", hash.to_uppercase())] {
            assert!(other.parse::<FileName>().is_err(), "{other}");
        }
        assert!(
            is_image_id("street-market") && !is_image_id("") && !is_image_id("../x") && !is_image_id("a/b")
        );
    }

    #[test]
    fn texts_of_a_picture_are_in_nfc_and_hide_nothing() {
        let hiding = |text: &str| AttributeValue::S(text.to_owned());
        let list = AttributeValue::L(vec![hiding("De\u{202e}scribe")]);
        let questions = AttributeValue::M([("B1".to_owned(), list.clone())].into());
        let entry = entry(item(&[
            ("title", hiding("A cafe\u{301}")),
            ("alt", hiding("Two\u{200b} cups.")),
            ("objectives", list.clone()),
            ("vocabulary", list),
            ("questions", questions),
        ]))
        .unwrap();
        assert_eq!((entry.title.as_str(), entry.alt.as_str()), ("A café", "Two cups."));
        for texts in [&entry.objectives, &entry.vocabulary, &entry.questions[&Level::B1]] {
            assert_eq!(*texts, ["Describe"]);
        }
    }

    #[test]
    fn an_old_catalogue_serves_for_a_quarter_of_an_hour() {
        assert!(may_be_served(FRESH) && may_be_served(STALE_MAX - Duration::from_millis(1)));
        assert!(!may_be_served(STALE_MAX));
    }

    #[test]
    fn pictures_are_in_order_and_bounded() {
        let entry = entry(item(&[])).unwrap();
        let of = |category: &str| Entry { category: category.to_owned(), ..entry.clone() };
        let pictures = ordered(vec![of("street"), of("beach")]);
        assert_eq!(pictures[0].category, "beach");
        assert_eq!(ordered(vec![entry; PICTURES_MAX + 1]).len(), PICTURES_MAX);
    }

    #[test]
    fn an_item_that_is_no_picture_is_named() {
        let mut item = item(&[]);
        item.remove("alt");
        let error = entry(item).unwrap_err().to_string();
        assert!(error.contains("market") && error.contains("alt"), "{error}");
    }
}
