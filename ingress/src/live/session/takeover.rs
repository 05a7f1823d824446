//! How this task goes on with a conversation that another one holds, or held: it asks the other to let go, waits a
//! while, and takes the conversation in any case. The learner is here with a good ticket, and a former owner that has
//! not let go by then is dead, frozen or cut off: whatever it still writes is refused.

use std::time::Duration;

use events::{
    contract::ConversationId,
    journal::{Ended, JournalError, Progress, Seized, Start},
};
use jiff::Timestamp;
use tokio::time::{Instant, sleep};

use super::{Briefing, Parts, age_ms, talk::Held};
use crate::{
    live::conversation::{Conversation, Resumed},
    live::ticket::{Admission, Purpose},
    live::voice::VOICES,
};

/// How long the owner may take to let go: it looks once a second, and may have to store a turn's audio.
const RELEASE_WAIT: Duration = Duration::from_secs(5);

/// How often it is looked at whether it has.
const LOOK_INTERVAL: Duration = Duration::from_millis(200);

/// Why there is nothing to go on with.
#[derive(Debug)]
pub(super) enum NotHeld {
    /// It ended meanwhile.
    Over(Ended),
    /// The journal refuses or fails.
    Journal(JournalError),
}

impl From<JournalError> for NotHeld {
    fn from(error: JournalError) -> Self {
        Self::Journal(error)
    }
}

/// What the learner of a conversation that another task began was admitted to.
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

/// Takes the conversation up.
pub(super) async fn take_up(parts: &Parts, id: ConversationId, briefing: Briefing) -> Result<Held, NotHeld> {
    await_release(parts, id).await?;
    let Seized { own, progress } = parts.journal.seize(id, &parts.owner, Timestamp::now()).await?;
    // From here on nobody else can add a turn.
    let turns = parts.journal.load(id).await?.ok_or(JournalError::NotFound)?.turns;
    let unfinished = unfinished(parts, id, &progress).await;
    let resumed = Resumed {
        epoch: own.epoch,
        turns: turns.clone(),
        usage: progress.usage,
        metrics: progress.metrics,
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
    Ok(Held { own, conversation, begun_ms, setup: briefing.setup, turns })
}

/// Returns when the owner has let go, or has not for too long.
async fn await_release(parts: &Parts, id: ConversationId) -> Result<(), NotHeld> {
    let deadline = Instant::now() + RELEASE_WAIT;
    let mut asked = false;
    loop {
        let header = parts.journal.header(id).await?.ok_or(JournalError::NotFound)?;
        if let Some(ended) = header.ended {
            return Err(NotHeld::Over(ended));
        }
        let free = header.handed_over_as.is_some() || header.is_stale(Timestamp::now());
        if free || Instant::now() >= deadline {
            return Ok(());
        }
        if !std::mem::replace(&mut asked, true) {
            parts.journal.request_handover(id, &parts.owner).await?;
        }
        sleep(LOOK_INTERVAL).await;
    }
}

/// The audio of the turn that was not over; nothing, where there was no such turn. `None` if it cannot be read: then
/// the learner has to say it again.
async fn unfinished(parts: &Parts, id: ConversationId, progress: &Progress) -> Option<Vec<u8>> {
    let Some(key) = &progress.unfinished_audio_key else { return Some(Vec::new()) };
    match parts.recordings.load(key).await {
        Ok(pcm) => Some(pcm),
        Err(error) => {
            tracing::error!(conversation.id = %id, error = format!("{error:#}"), "a part of a turn is lost");
            None
        }
    }
}
