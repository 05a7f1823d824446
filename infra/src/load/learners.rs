//! The learners of a load test: signed up a few at a time, each with sentences of their own, encoded before anything is
//! measured.

use std::sync::Arc;

use events::contract::live::SAMPLE_RATE_HZ;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use crate::{
    learner::{Learner, Script, UserPool},
    local::{Progress, Stack},
    simulator::audible,
};

/// Learners that sign up at one time.
const AT_ONCE: usize = 8;

/// Pictures that are talked about.
const PICTURES: [&str; 5] =
    ["street-market", "family-kitchen", "beach-afternoon", "office-meeting", "birthday-party"];

/// Somebody who talks.
#[derive(Clone, Debug)]
pub(super) struct Speaker {
    pub(super) learner: Learner,
    /// How the conversation is asked for.
    pub(super) script: Arc<Script>,
    /// What is said, one after the other and then from the beginning.
    pub(super) lines: Arc<[Line]>,
}

/// A sentence and its audio.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) text: String,
    pub(super) samples: Vec<i16>,
}

pub(super) async fn sign_up(
    stack: &Stack,
    count: usize,
    progress: &Progress,
) -> anyhow::Result<Vec<Speaker>> {
    let pool = UserPool::new(stack.cloud().endpoint(), &stack.outputs().client_id, stack.url())?;
    let signed_up = stream::iter(0..count).map(|n| {
        let pool = pool.clone();
        async move {
            let learner = pool.sign_up(&format!("learner-{n}@nova.example")).await?;
            progress.detail(&format!("{} of {count}", n + 1));
            let script = Arc::new(Script::new(PICTURES[n % PICTURES.len()], Vec::<String>::new()));
            anyhow::Ok(Speaker { learner, script, lines: sentences(n).map(line).into() })
        }
    });
    signed_up.buffered(AT_ONCE).try_collect().await
}

/// What nobody else says, about two seconds of speech each.
fn sentences(n: usize) -> [String; 2] {
    [format!("I am learner {n} and I see a red door."), format!("Number {n} thinks that they are happy.")]
}

fn line(text: String) -> Line {
    Line { samples: audible::encode(&text, SAMPLE_RATE_HZ), text }
}
