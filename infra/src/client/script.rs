//! PURE. What a learner says in a conversation, and at which pace.

use std::{sync::Arc, time::Duration};

use events::contract::{FeedbackLanguage, Level, live::SAMPLE_RATE_HZ};

use crate::simulator::audible;

/// What a learner says, and how.
#[derive(Clone, Debug)]
pub struct Script {
    /// The picture.
    pub image_id: String,
    /// The learner's level; `None` takes that of the profile.
    pub level: Option<Level>,
    /// The learner's IANA time zone; `None` takes that of the profile.
    pub time_zone: Option<String>,
    /// The language of the assessment.
    pub feedback_language: FeedbackLanguage,
    /// One entry per turn of the learner; the tutor responds to each.
    pub lines: Vec<Line>,
    /// How many times faster than real time audio is sent and played.
    pub pace: f64,
    /// The longest time from the end of a line to the end of the tutor's response.
    pub answer_timeout: Duration,
}

/// One turn of the learner.
#[derive(Clone, Debug, PartialEq)]
pub enum Line {
    /// Audible text.
    Text(String),
    /// A recording, 16 kHz mono.
    Recording(Vec<i16>),
}

impl Script {
    /// Sentences about a picture, in real time, with the level and the time zone of the profile.
    #[must_use]
    pub fn new(image_id: impl Into<String>, lines: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            image_id: image_id.into(),
            level: None,
            time_zone: None,
            feedback_language: FeedbackLanguage::default(),
            lines: lines.into_iter().map(|line| Line::Text(line.into())).collect(),
            pace: 1.0,
            answer_timeout: Duration::from_secs(60),
        }
    }

    /// The same script, `pace` times faster than real time.
    #[must_use]
    pub fn at_pace(self, pace: f64) -> Self {
        Self { pace, ..self }
    }
}

impl Line {
    /// The words; `None` for a recording.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Recording(_) => None,
        }
    }

    /// The audio, 16 kHz mono.
    pub(super) fn samples(&self) -> Arc<[i16]> {
        match self {
            Self::Text(text) => audible::encode(text, SAMPLE_RATE_HZ).into(),
            Self::Recording(samples) => samples.as_slice().into(),
        }
    }
}
