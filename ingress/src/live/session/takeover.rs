//! How this task takes over a conversation that another task owns or owned: it requests a handover, waits for a while,
//! and then seizes the conversation in any case. The learner is here with a valid ticket, so an owner that has not
//! handed over by then has crashed, is frozen or is cut off; the journal rejects what it still writes.

use std::time::Duration;

use events::{
    contract::ConversationId,
    journal::{Ended, JournalError, Progress, Seized, Start},
};
use jiff::Timestamp;
use tokio::time::{Instant, sleep};

use super::{
    briefing::Briefing,
    dependencies::Dependencies,
    session_loop::{ActiveConversation, age_ms},
};
use crate::{
    live::conversation::{Conversation, Resumed},
    live::ticket::{Admission, Purpose},
    live::voice::VOICES,
};

/// How long to wait for the owner: it polls for requests once a second, and may have to store a turn's audio.
const HANDOVER_WAIT: Duration = Duration::from_secs(5);

/// Interval of the checks whether the owner has handed over.
const POLL_INTERVAL: Duration = Duration::from_millis(200);

/// Why a conversation cannot begin or continue on this task.
#[derive(Debug)]
pub(super) enum ActivationError {
    Ended(Ended),
    /// The journal refuses or fails.
    Journal(JournalError),
}

impl From<JournalError> for ActivationError {
    fn from(error: JournalError) -> Self {
        Self::Journal(error)
    }
}

/// The admission for a return to a conversation that another task began.
pub(super) fn admission(start: Start) -> Admission {
    Admission {
        conversation_id: start.conversation_id,
        user_id: start.user_id,
        purpose: Purpose::Return,
        image_id: start.image_id,
        level: start.level,
        voice: start.voice.unwrap_or_else(|| VOICES[0].id.to_owned()),
        time_zone: start.time_zone,
        feedback_language: start.feedback_language,
        traceparent: start.traceparent,
    }
}

pub(super) async fn take_over(
    deps: &Dependencies,
    id: ConversationId,
    briefing: Briefing,
) -> Result<ActiveConversation, ActivationError> {
    await_handover(deps, id).await?;
    let Seized { own, progress } = deps.journal.seize(id, &deps.owner, Timestamp::now()).await?;
    // From here on no other task can add a turn.
    let stored = deps.journal.load(id).await?.ok_or(JournalError::NotFound)?;
    let turns = stored.turns;
    let unfinished = unfinished_audio(deps, id, &progress).await;
    let resumed = Resumed {
        epoch: own.epoch,
        turns: turns.clone(),
        usage: progress.usage,
        metrics: progress.metrics,
        objectives_met: stored.header.objectives_met.unwrap_or_default(),
        heard_samples: progress.heard_samples.filter(|_| unfinished.is_some()),
        unfinished: unfinished.unwrap_or_default(),
    };
    tracing::info!(
        conversation.id = %id,
        epoch = own.epoch,
        turns = turns.len(),
        gapless = resumed.heard_samples.is_some(),
        "the conversation was taken over"
    );
    let begun_ms = age_ms(id);
    let conversation = Conversation::resume(briefing.settings, &resumed, begun_ms);
    Ok(ActiveConversation { own, conversation, begun_ms, setup: briefing.setup, opened: None, turns })
}

/// Returns when the owner has handed over, has lost its lease, or has not reacted for too long.
async fn await_handover(deps: &Dependencies, id: ConversationId) -> Result<(), ActivationError> {
    let deadline = Instant::now() + HANDOVER_WAIT;
    let mut requested = false;
    loop {
        let header = deps.journal.header(id).await?.ok_or(JournalError::NotFound)?;
        if let Some(ended) = header.ended {
            return Err(ActivationError::Ended(ended));
        }
        let free = header.handed_over_as.is_some() || header.is_stale(Timestamp::now());
        if free || Instant::now() >= deadline {
            return Ok(());
        }
        if !std::mem::replace(&mut requested, true) {
            deps.journal.request_handover(id, &deps.owner).await?;
        }
        sleep(POLL_INTERVAL).await;
    }
}

/// The learner's audio of the unfinished turn; empty if there is none. `None` if it cannot be read: then the learner has
/// to repeat the turn.
async fn unfinished_audio(deps: &Dependencies, id: ConversationId, progress: &Progress) -> Option<Vec<u8>> {
    let Some(key) = &progress.unfinished_audio_key else { return Some(Vec::new()) };
    match deps.recordings.load(key).await {
        Ok(pcm) => Some(pcm),
        Err(error) => {
            tracing::error!(
                conversation.id = %id,
                error = format!("{error:#}"),
                "the audio of an unfinished turn was not read"
            );
            None
        }
    }
}
