//! The clients, stores and settings that the conversations of a task share.

use std::sync::Arc;

use events::{bus::Bus, journal::Journal};

use crate::{
    config::Config,
    live::sonic::Sonic,
    metrics::Metrics,
    store::{analyses::Analyses, audio::Recordings},
};

/// What every conversation of this task uses.
#[derive(Debug)]
pub struct Dependencies {
    /// The journal.
    pub journal: Journal,
    /// The bus.
    pub bus: Bus,
    /// The recordings.
    pub recordings: Recordings,
    /// Assessments of earlier conversations, for the system prompt.
    pub analyses: Analyses,
    /// The model.
    pub sonic: Sonic,
    /// The configuration.
    pub config: Config,
    /// Metrics of this task.
    pub metrics: Arc<Metrics>,
    /// The name of this task in the journal.
    pub owner: String,
}
