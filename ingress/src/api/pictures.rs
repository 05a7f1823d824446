//! `GET /api/pictures`: the pictures that a learner can talk about, and `GET /api/pictures/{id}`: one of them. The
//! description that the tutor is given is not told: it would spoil the exercise.

use std::{sync::Arc, time::Duration};

use axum::extract::State;
use events::contract::Level;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    cache::{Cached, Freshness, IfNoneMatch},
    extract::{Path, Query},
    route::{Route, get},
};
use crate::{
    account::auth::Learner,
    api::problem::ApiError,
    app::AppState,
    store::{pictures::Entry, signed::SignedUrl},
};

/// How long an answer is good for its caller. It is short against the time for which the addresses in it are.
const FRESHNESS: Freshness = Freshness::Private(Duration::from_secs(5 * 60));

/// Longest category, in bytes.
const CATEGORY_BYTES_MAX: usize = 64;

/// Which pictures are wanted.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PicturesQuery {
    /// Those of this category alone.
    #[schemars(length(max = 64))]
    category: Option<String>,
}

/// For whom a picture is.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PictureQuery {
    /// The level of the questions; B1 without it.
    #[serde(default)]
    level: Level,
}

/// All pictures, by category and title.
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
    /// Its id, which starts a conversation.
    image_id: String,
    /// Its category.
    category: String,
    /// Its name.
    title: String,
    /// What can be seen, for those who cannot see it.
    alt: String,
    /// Where it can be seen; absent of one that is not published yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<PictureFile>,
}

/// A picture.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Picture {
    /// What a list says of it.
    #[serde(flatten)]
    summary: PictureSummary,
    /// What a learner can practise with it.
    objectives: Vec<String>,
    /// Words to practise.
    vocabulary: Vec<String>,
    /// Guiding questions for the level, or for the nearest one that has some.
    questions: Vec<String>,
}

/// The picture itself.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PictureFile {
    /// Where it is.
    #[serde(flatten)]
    at: SignedUrl,
    /// Its media type.
    content_type: String,
    /// Its width, in pixels.
    #[serde(skip_serializing_if = "Option::is_none")]
    width: Option<u32>,
    /// Its height, in pixels.
    #[serde(skip_serializing_if = "Option::is_none")]
    height: Option<u32>,
}

/// Pictures.
pub fn routes() -> Vec<Route> {
    vec![
        get("/api/pictures", "listPictures", list).says(
            "The pictures to talk about",
            "By category and title. A category that there is not has no pictures.",
        ),
        get("/api/pictures/{id}", "getPicture", one)
            .says("A picture", "With what can be practised with it, and questions for a level."),
    ]
}

/// All pictures, or those of a category.
///
/// # Errors
/// 400 that names the parameter, 401.
pub async fn list(
    State(app): State<Arc<AppState>>,
    Learner(_): Learner,
    Query(query): Query<PicturesQuery>,
    have: IfNoneMatch,
) -> Result<Cached<PictureList>, ApiError> {
    if query.category.as_ref().is_some_and(|category| category.len() > CATEGORY_BYTES_MAX) {
        return Err(ApiError::query("category", format!("it has at most {CATEGORY_BYTES_MAX} bytes")));
    }
    let all = app.stores.pictures.all().await.map_err(ApiError::Internal)?;
    let wanted = |entry: &&Entry| query.category.as_ref().is_none_or(|category| entry.category == *category);
    let mut items = Vec::new();
    for entry in all.iter().filter(wanted) {
        items.push(summary(&app, entry).await?);
    }
    have.json(FRESHNESS, &PictureList { items })
}

/// A picture.
///
/// # Errors
/// 400 that names the parameter, 401, 404.
pub async fn one(
    State(app): State<Arc<AppState>>,
    Learner(_): Learner,
    Path(id): Path<String>,
    Query(query): Query<PictureQuery>,
    have: IfNoneMatch,
) -> Result<Cached<Picture>, ApiError> {
    let all = app.stores.pictures.all().await.map_err(ApiError::Internal)?;
    let entry = all.iter().find(|entry| entry.image_id == id).ok_or(ApiError::NotFound("picture"))?;
    let picture = Picture {
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
