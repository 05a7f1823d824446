//! The clients, stores and settings that the conversations of a task share.

use std::sync::Arc;

use events::{bus::Bus, journal::Journal};

use crate::{
    budget::Budget,
    config::Config,
    coordination::Coordination,
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
    pub coordination: Arc<Coordination>,
    /// The spending limit of the day.
    pub budget: Arc<Budget>,
    /// The name of this task in the journal.
    pub owner: String,
}
