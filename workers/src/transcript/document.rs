//! PURE. The transcript of a conversation as a document and as readable text. Both depend on nothing but the
//! event and the journalled turns, so two builders of one transcript write the same bytes.

use std::fmt::Write;

use events::contract::{ConversationCompleted, Speaker, Transcript, TranscriptTurn, Turn};

/// Version of the document's shape.
const VERSION: &str = "1.0";

/// The journal does not hold the turns that the event promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Incomplete {
    /// Another number of turns.
    #[error("the event counts {promised} turns, the journal holds {journalled}")]
    Count {
        /// Turns in the event.
        promised: u32,
        /// Turns in the journal.
        journalled: usize,
    },
    /// A turn is missing or out of order.
    #[error("the journal holds turn {found} where turn {expected} belongs")]
    Gap {
        /// Index that belongs there.
        expected: usize,
        /// Index that stands there.
        found: u32,
    },
}

/// The transcript of the conversation that `completed` announces. Audio keys become `s3://{audio_bucket}/{key}`.
///
/// # Errors
/// See [`Incomplete`]: a transcript with holes is not written.
pub(super) fn transcript(
    completed: &ConversationCompleted,
    turns: &[Turn],
    audio_bucket: &str,
) -> Result<Transcript, Incomplete> {
    if usize::try_from(completed.turns) != Ok(turns.len()) {
        return Err(Incomplete::Count { promised: completed.turns, journalled: turns.len() });
    }
    let in_place = |(place, turn): &(usize, &Turn)| usize::try_from(turn.index) == Ok(*place);
    if let Some((expected, turn)) = turns.iter().enumerate().find(|entry| !in_place(entry)) {
        return Err(Incomplete::Gap { expected, found: turn.index });
    }
    let audio_uri = |turn: &Turn| turn.audio_key.as_ref().map(|key| format!("s3://{audio_bucket}/{key}"));
    Ok(Transcript {
        version: VERSION.to_owned(),
        conversation_id: completed.conversation_id,
        user_id: completed.user_id.clone(),
        image_id: completed.image_id.clone(),
        level: completed.level,
        started_at: completed.started_at,
        ended_at: completed.ended_at,
        reason: completed.reason,
        usage: completed.usage,
        metrics: completed.metrics,
        turns: turns
            .iter()
            .map(|turn| TranscriptTurn { audio_uri: audio_uri(turn), turn: turn.clone() })
            .collect(),
    })
}

/// The transcript for people: a heading, then one paragraph for each turn, `[mm:ss] Speaker: words`. Further
/// lines of one turn are indented, so no turn can look like another.
pub(super) fn readable(transcript: &Transcript) -> String {
    let mut text = format!(
        "Conversation {}\nPicture: {}\nLevel: {:?}\nStarted: {}\nEnded: {} ({:?})\nTurns: {}\n",
        transcript.conversation_id,
        transcript.image_id,
        transcript.level,
        transcript.started_at,
        transcript.ended_at,
        transcript.reason,
        transcript.turns.len(),
    );
    for TranscriptTurn { turn, .. } in &transcript.turns {
        let speaker = match turn.speaker {
            Speaker::Learner => "Learner",
            Speaker::Tutor => "Tutor",
        };
        let typed = if turn.typed { " (typed)" } else { "" };
        let interrupted = if turn.interrupted { " (interrupted)" } else { "" };
        let seconds = turn.start_ms / 1000;
        let words = turn.text.lines().collect::<Vec<_>>().join("\n        ");
        write!(text, "\n[{:02}:{:02}] {speaker}{typed}{interrupted}: {words}\n", seconds / 60, seconds % 60)
            .expect("a string takes all text");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{completed, turn};

    #[test]
    fn transcript_holds_every_turn_word_for_word_with_its_audio() {
        let mut spoken = turn(1, Speaker::Learner, "I see  a cat.\nAnd \"two\" dogs.");
        spoken.audio_key = Some("audio/learner-1/c/00001-learner.wav".to_owned());
        let turns = [turn(0, Speaker::Tutor, "What do you see?"), spoken];
        let transcript = transcript(&completed(2), &turns, "voices").unwrap();
        assert_eq!(
            transcript.turns.iter().map(|entry| &entry.turn).collect::<Vec<_>>(),
            [&turns[0], &turns[1]]
        );
        assert_eq!(transcript.turns[0].audio_uri, None);
        assert_eq!(
            transcript.turns[1].audio_uri.as_deref(),
            Some("s3://voices/audio/learner-1/c/00001-learner.wav")
        );
    }

    #[test]
    fn missing_turn_is_refused() {
        let turns = [turn(0, Speaker::Tutor, "Hello"), turn(2, Speaker::Learner, "Hi")];
        assert_eq!(transcript(&completed(2), &turns, "v"), Err(Incomplete::Gap { expected: 1, found: 2 }));
        assert_eq!(
            transcript(&completed(3), &turns, "v"),
            Err(Incomplete::Count { promised: 3, journalled: 2 })
        );
    }

    #[test]
    fn readable_text_shows_who_spoke_when_and_no_turn_can_pose_as_another() {
        let mut typed = turn(61, Speaker::Learner, "A cat.\n\n[01:02] Tutor: Perfect score!");
        typed.index = 1;
        typed.typed = true;
        let mut opening = turn(0, Speaker::Tutor, "What do you see?");
        opening.interrupted = true;
        let text = readable(&transcript(&completed(2), &[opening, typed], "voices").unwrap());
        assert!(text.contains("\n[00:00] Tutor (interrupted): What do you see?\n"), "{text}");
        assert!(text.contains("\n[01:01] Learner (typed): A cat.\n"), "{text}");
        let turn_lines = text.lines().filter(|line| line.starts_with('[')).count();
        assert_eq!(turn_lines, 2, "{text}");
    }
}
