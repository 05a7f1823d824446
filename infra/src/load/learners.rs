//! The learners of a load test: signed up a few at a time, each with sentences of their own, encoded before anything is
//! measured.

use std::{sync::Arc, time::Duration};

use events::contract::live::SAMPLE_RATE_HZ;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use crate::{
    client::{Accounts, Learner, Script},
    local::{Progress, Stack},
    simulator::audible,
};

/// Concurrent sign-ups.
const SIGN_UPS_MAX: usize = 8;

/// How long a response may take, from the end of the learner's sentence to the end of the tutor's.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(40);

/// The pictures of the conversations.
const PICTURES: [&str; 5] =
    ["street-market", "family-kitchen", "beach-afternoon", "office-meeting", "birthday-party"];

/// A learner of the load test.
#[derive(Clone, Debug)]
pub(super) struct LoadLearner {
    pub(super) learner: Learner,
    /// The request for the conversation.
    pub(super) script: Script,
    /// What the learner says, in turn.
    lines: Arc<[Line; 2]>,
}

/// A sentence and its audio.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) text: String,
    pub(super) samples: Arc<[i16]>,
}

impl LoadLearner {
    /// The line with this index; after the last one they begin again.
    pub(super) fn line(&self, index: usize) -> &Line {
        &self.lines[index % self.lines.len()]
    }

    /// The same learner, who talks with the server at `url`.
    pub(super) fn at(&self, url: &str) -> Self {
        Self { learner: self.learner.at(&[url]), ..self.clone() }
    }
}

pub(super) async fn sign_up(
    stack: &Stack,
    count: usize,
    progress: &Progress,
) -> anyhow::Result<Vec<LoadLearner>> {
    let accounts = Accounts::new(stack.url())?;
    let signed_up = stream::iter(0..count).map(|n| {
        let accounts = accounts.clone();
        async move {
            let learner = accounts.sign_up(&format!("learner-{n}@nova.example")).await?;
            progress.detail(&format!("{} of {count}", n + 1));
            let script = Script::new(PICTURES[n % PICTURES.len()], Vec::<String>::new());
            let script = Script { answer_timeout: ANSWER_TIMEOUT, ..script };
            anyhow::Ok(LoadLearner { learner, script, lines: Arc::new(sentences(n).map(line)) })
        }
    });
    signed_up.buffered(SIGN_UPS_MAX).try_collect().await
}

/// Sentences of this learner only, about two seconds of speech each.
fn sentences(n: usize) -> [String; 2] {
    [format!("I am learner {n} and I see a red door."), format!("Number {n} thinks that they are happy.")]
}

fn line(text: String) -> Line {
    Line { samples: audible::encode(&text, SAMPLE_RATE_HZ).into(), text }
}
