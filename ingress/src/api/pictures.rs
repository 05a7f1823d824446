//! `GET /api/pictures`: the pictures for conversations, and `GET /api/pictures/{id}`: one of them. The tutor's description of a
//! picture is left out: it would spoil the exercise.

use std::{sync::Arc, time::Duration};

use axum::{
    extract::State,
    response::{IntoResponse as _, Response},
};
use events::{contract::Level, text::nfc};
use http::{StatusCode, header};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    cache::{Cached, EntityTag, Freshness, IfNoneMatch},
    caller::Learner,
    extract::{Path, Query},
    problem::{ApiError, Limit, Unit},
    response::Binary,
    route::{Route, get},
};
use crate::{
    app::AppState,
    store::{
        objects::ObjectError,
        pictures::{Entry, File, FileName},
    },
};

/// How long a response is fresh.
const FRESHNESS: Freshness = Freshness::Private(Duration::from_secs(5 * 60));

const CATEGORY_BYTES_MAX: usize = 64;

/// A filter of pictures.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PicturesQuery {
    /// Only pictures of this category.
    #[schemars(length(max = 64))]
    category: Option<String>,
}

/// Options for a picture.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PictureQuery {
    /// The level of the questions.
    #[serde(default)]
    level: Level,
}

/// Pictures, sorted by category and title.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PictureList {
    /// The pictures.
    items: Vec<PictureSummary>,
}

/// A picture in a list.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PictureSummary {
    /// The id.
    image_id: String,
    /// The category.
    category: String,
    /// The title.
    title: String,
    /// Alternative text.
    alt: String,
    /// The image file; absent if it is not published yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<PictureFile>,
}

/// A picture with its learning material.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PictureDetails {
    /// The summary.
    #[serde(flatten)]
    summary: PictureSummary,
    /// Learning objectives.
    objectives: Vec<String>,
    /// Vocabulary to practise.
    vocabulary: Vec<String>,
    /// Guiding questions for the level, or for the nearest level that has questions.
    questions: Vec<String>,
}

/// The image of a picture, in several forms. A URL contains a hash of its file, so what it returns never changes.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PictureFile {
    /// The original.
    #[serde(flatten)]
    original: ImageForm,
    /// Smaller forms for browsers, the narrowest first. Empty until they are published.
    variants: Vec<ImageForm>,
}

/// A form of an image.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ImageForm {
    /// The path of the file, which needs no token.
    url: String,
    /// The media type.
    content_type: &'static str,
    /// Width in pixels.
    #[serde(skip_serializing_if = "Option::is_none")]
    width: Option<u32>,
    /// Height in pixels.
    #[serde(skip_serializing_if = "Option::is_none")]
    height: Option<u32>,
}

pub fn routes() -> Vec<Route> {
    vec![
        get("/api/pictures", "listPictures", list)
            .summary("List pictures", "Sorted by category and title. An unknown category has no pictures."),
        get("/api/pictures/{id}", "getPicture", one)
            .summary("Get a picture", "With its learning material and questions for a level."),
        get("/api/pictures/{id}/images/{file}", "getPictureImage", image)
            .summary(
                "Get an image file of a picture",
                "The paths are in `image` of a picture. A file never changes, so a browser may keep it for a year.",
            )
            .returns_content::<Binary>(200, "image/png", "The image.")
            .returns_content::<Binary>(200, "image/webp", "The image."),
    ]
}

async fn list(
    State(app): State<Arc<AppState>>,
    Learner(_): Learner,
    Query(query): Query<PicturesQuery>,
    have: IfNoneMatch,
) -> Result<Cached<PictureList>, ApiError> {
    if query.category.as_ref().is_some_and(|category| category.len() > CATEGORY_BYTES_MAX) {
        let limit = Limit::at_most(CATEGORY_BYTES_MAX, Unit::Bytes);
        return Err(ApiError::query("category", limit, format!("at most {CATEGORY_BYTES_MAX} bytes")));
    }
    let all = app.stores.pictures.all().await.map_err(ApiError::Internal)?;
    let category = query.category.as_deref().map(nfc);
    let matches = |entry: &&Entry| category.as_ref().is_none_or(|category| entry.category == *category);
    let items = all.iter().filter(matches).map(summary).collect();
    have.json(FRESHNESS, &PictureList { items })
}

async fn one(
    State(app): State<Arc<AppState>>,
    Learner(_): Learner,
    Path(id): Path<String>,
    Query(query): Query<PictureQuery>,
    have: IfNoneMatch,
) -> Result<Cached<PictureDetails>, ApiError> {
    let all = app.stores.pictures.all().await.map_err(ApiError::Internal)?;
    let entry = all.iter().find(|entry| entry.image_id == id).ok_or(ApiError::NotFound("picture"))?;
    let picture = PictureDetails {
        summary: summary(entry),
        objectives: entry.objectives.clone(),
        vocabulary: entry.vocabulary.clone(),
        questions: entry.questions_for(query.level).to_vec(),
    };
    have.json(FRESHNESS, &picture)
}

async fn image(
    State(app): State<Arc<AppState>>,
    Path((id, file)): Path<(String, String)>,
    have: IfNoneMatch,
) -> Result<Response, ApiError> {
    let name: FileName = file.parse().map_err(|()| ApiError::NotFound(IMAGE))?;
    let tag = EntityTag::of_hash(&name.hash);
    let kept = [(header::ETAG, tag.header()), (header::CACHE_CONTROL, Freshness::Immutable.header())];
    if have.includes(&tag) {
        return Ok((StatusCode::NOT_MODIFIED, kept).into_response());
    }
    match app.stores.pictures.file(&id, &name).await {
        Ok(file) => Ok((kept, file).into_response()),
        Err(ObjectError::NotFound | ObjectError::Range) => Err(ApiError::NotFound(IMAGE)),
        Err(ObjectError::Failed(error)) => Err(ApiError::Internal(error)),
    }
}

/// The name of the resource in problem documents.
const IMAGE: &str = "image";

pub(super) fn summary(entry: &Entry) -> PictureSummary {
    let form = |file: &File| ImageForm {
        url: format!("/api/pictures/{}/images/{}", entry.image_id, file.name),
        content_type: file.name.format.media_type(),
        width: file.size.map(|(width, _)| width),
        height: file.size.map(|(_, height)| height),
    };
    let variants = || entry.variants.iter().map(form).collect();
    let image =
        entry.original.as_ref().map(|file| PictureFile { original: form(file), variants: variants() });
    PictureSummary {
        image_id: entry.image_id.clone(),
        category: entry.category.clone(),
        title: entry.title.clone(),
        alt: entry.alt.clone(),
        image,
    }
}
