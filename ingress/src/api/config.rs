//! `GET /api/config`: what a page needs before the sign-in: the stage and version of the service, the choices, and the limits that
//! it checks too. It contains nothing about a learner and no secret.

use std::sync::Arc;

use axum::extract::State;
use events::contract::{Level, live::TYPED_CHARS_MAX};
use schemars::JsonSchema;
use serde::Serialize;

use super::{
    cache::{Cached, Freshness, IfNoneMatch},
    paging::PAGE_ITEMS_MAX,
    problem::ApiError,
    progress::DAYS_MAX,
    route::{Route, get},
};
use crate::{
    account::{profile, user_pool::password},
    app::AppState,
    live::{upload, voice::VOICES},
    store::images::LEVELS,
};

/// The configuration of the service, as far as a page needs it.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceConfig {
    /// The stage, e.g. `production` or `local`.
    stage: String,
    /// The version of the service.
    version: &'static str,
    /// Whether the models are simulated: the tutor repeats words, and assessments mean nothing.
    models_simulated: bool,
    /// The voices of the tutor. The first one is the default.
    voices: Vec<VoiceChoice>,
    /// The levels, the easiest first.
    levels: [Level; 6],
    /// The categories of the pictures, in alphabetical order.
    categories: Vec<String>,
    /// The limits of what a learner enters and does.
    limits: ServiceLimits,
    /// The code that confirms every sign-up of the local user pool, which sends no e-mail. Absent in every other stage.
    #[serde(skip_serializing_if = "Option::is_none")]
    confirmation_code: Option<String>,
}

/// A voice of the tutor.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VoiceChoice {
    /// The id, for `voice` of a new conversation.
    id: &'static str,
    /// The accent, for people.
    accent: &'static str,
}

/// Limits of what a learner enters and does.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceLimits {
    /// Longest conversation, in seconds.
    conversation_seconds_max: u64,
    /// Silence of both sides after which a conversation ends, in seconds.
    silence_seconds_max: u64,
    /// How long a conversation waits for a client that lost its connection, in seconds.
    grace_seconds: u64,
    /// Longest typed turn, in characters.
    typed_chars_max: usize,
    /// Longest uploaded turn, in seconds.
    uploaded_seconds_max: u64,
    /// Largest file of an uploaded turn, in bytes.
    uploaded_bytes_max: usize,
    /// Shortest password, in characters.
    password_chars_min: usize,
    /// Longest password, in characters.
    password_chars_max: usize,
    /// Longest name, in characters.
    name_chars_max: usize,
    /// Most interests.
    interests_max: usize,
    /// Longest interest, in characters.
    interest_chars_max: usize,
    /// Most items of a page of a list.
    page_items_max: u16,
    /// Most days of progress in one response.
    progress_days_max: i32,
}

pub fn routes() -> Vec<Route> {
    vec![get("/api/config", "getConfig", config).summary(
        "Configuration of the service",
        "What a page needs before sign-in: stage, version, voices, levels, categories and limits.",
    )]
}

async fn config(
    State(app): State<Arc<AppState>>,
    have: IfNoneMatch,
) -> Result<Cached<ServiceConfig>, ApiError> {
    let pictures = app.stores.pictures.all().await.map_err(ApiError::Internal)?;
    // The pictures are in the order of their categories.
    let mut categories: Vec<String> = pictures.iter().map(|entry| entry.category.clone()).collect();
    categories.dedup();
    let fixed = app.public_config.clone();
    let config = ServiceConfig {
        stage: fixed.stage,
        version: env!("CARGO_PKG_VERSION"),
        models_simulated: fixed.models_simulated,
        voices: VOICES.iter().map(|voice| VoiceChoice { id: voice.id, accent: voice.accent }).collect(),
        levels: LEVELS,
        categories,
        limits: ServiceLimits {
            conversation_seconds_max: fixed.conversation_seconds_max,
            silence_seconds_max: fixed.silence_seconds_max,
            grace_seconds: fixed.grace_seconds,
            typed_chars_max: TYPED_CHARS_MAX,
            uploaded_seconds_max: upload::TURN_MS_MAX / 1_000,
            uploaded_bytes_max: upload::FILE_BYTES_MAX,
            password_chars_min: password::CHARS_MIN,
            password_chars_max: password::CHARS_MAX,
            name_chars_max: profile::NAME_CHARS_MAX,
            interests_max: profile::INTERESTS_MAX,
            interest_chars_max: profile::INTEREST_CHARS_MAX,
            page_items_max: PAGE_ITEMS_MAX,
            progress_days_max: DAYS_MAX,
        },
        confirmation_code: fixed.confirmation_code,
    };
    have.json(Freshness::Revalidated, &config)
}
