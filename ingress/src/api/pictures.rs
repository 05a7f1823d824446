//! `GET /api/pictures`: the pictures for conversations, and `GET /api/pictures/{id}`: one of them. The tutor's description of a
//! picture is left out: it would spoil the exercise.

use std::{sync::Arc, time::Duration};

use axum::extract::State;
use events::{contract::Level, text::nfc};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    cache::{Cached, Freshness, IfNoneMatch},
    caller::Learner,
    extract::{Path, Query},
    problem::{ApiError, Limit, Unit},
    route::{Route, get},
};
use crate::{
    app::AppState,
    store::{pictures::Entry, signed::SignedUrl},
};

/// How long a response is fresh: short compared with the lifetime of the URLs in it.
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

/// An image file.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PictureFile {
    /// The URL.
    #[serde(flatten)]
    at: SignedUrl,
    /// The media type.
    content_type: String,
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
    let mut items = Vec::new();
    for entry in all.iter().filter(matches) {
        items.push(summary(&app, entry).await?);
    }
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
        summary: summary(&app, entry).await?,
        objectives: entry.objectives.clone(),
        vocabulary: entry.vocabulary.clone(),
        questions: entry.questions_for(query.level).to_vec(),
    };
    have.json(FRESHNESS, &picture)
}

async fn summary(app: &AppState, entry: &Entry) -> Result<PictureSummary, ApiError> {
    let url = app.stores.pictures.url(entry, Timestamp::now()).await.map_err(ApiError::Internal)?;
    let image = url.zip(entry.file.as_ref()).map(|(at, file)| PictureFile {
        at,
        content_type: file.content_type.clone(),
        width: file.size.map(|(width, _)| width),
        height: file.size.map(|(_, height)| height),
    });
    Ok(PictureSummary {
        image_id: entry.image_id.clone(),
        category: entry.category.clone(),
        title: entry.title.clone(),
        alt: entry.alt.clone(),
        image,
    })
}
