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
    pub journal: Journal,
    pub bus: Bus,
    pub recordings: Recordings,
    /// Assessments of earlier conversations, for the system prompt.
    pub analyses: Analyses,
    pub sonic: Sonic,
    pub config: Config,
    pub metrics: Arc<Metrics>,
    /// The name of this task in the journal.
    pub owner: String,
}
