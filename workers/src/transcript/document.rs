//! PURE. The transcript of a conversation as a document and as readable text. The document depends only on the event, the
//! journalled turns and the existing recordings; the text depends only on the document.

use std::{collections::BTreeSet, fmt::Write};

use events::contract::{
    ConversationCompleted, ConversationMetrics, Speaker, Transcript, TranscriptTurn, Turn,
};

/// Version of the document's shape.
const VERSION: &str = "1.1";

/// Format and version of the readable text.
pub(super) const TEXT_FORMAT: &str = "transcript-text/1.1";

/// The recordings of a conversation.
#[derive(Clone, Debug)]
pub(super) struct Audio<'a> {
    pub(super) bucket: &'a str,
    /// The keys of the existing objects.
    pub(super) stored: BTreeSet<String>,
}

/// The journalled turns do not match the event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum IncompleteError {
    #[error("the event counts {promised} turns, the journal holds {journalled}")]
    Count {
        /// Turns in the event.
        promised: u32,
        /// Turns in the journal.
        journalled: usize,
    },
    #[error("the journal holds turn {found} at the position of turn {expected}")]
    Gap {
        expected: usize,
        /// The journalled index.
        found: u32,
    },
}

/// The transcript of the conversation in `completed`. The audio key of an existing recording becomes
/// `s3://{bucket}/{key}`; one without an object is marked as missing.
///
/// # Errors
/// See [`IncompleteError`]: a transcript with gaps is not written.
pub(super) fn transcript(
    completed: &ConversationCompleted,
    turns: &[Turn],
    audio: &Audio<'_>,
) -> Result<Transcript, IncompleteError> {
    if usize::try_from(completed.turns) != Ok(turns.len()) {
        return Err(IncompleteError::Count { promised: completed.turns, journalled: turns.len() });
    }
    let in_place = |(place, turn): &(usize, &Turn)| usize::try_from(turn.index) == Ok(*place);
    if let Some((expected, turn)) = turns.iter().enumerate().find(|entry| !in_place(entry)) {
        return Err(IncompleteError::Gap { expected, found: turn.index });
    }
    Ok(Transcript {
        version: VERSION.to_owned(),
        conversation_id: completed.conversation_id,
        user_id: completed.user_id.clone(),
        image_id: completed.image_id.clone(),
        level: completed.level,
        feedback_language: Some(completed.feedback_language),
        time_zone: Some(completed.time_zone.clone()),
        started_at: completed.started_at,
        ended_at: completed.ended_at,
        reason: completed.reason,
        usage: completed.usage,
        metrics: completed.metrics,
        turns: turns.iter().map(|turn| with_audio(turn, audio)).collect(),
    })
}

/// Whether two transcripts have the same conversation and the same turns. They may differ in version and in the known
/// recordings.
pub(super) fn same_words(one: &Transcript, other: &Transcript) -> bool {
    let turns = |transcript: &Transcript| -> Vec<Turn> {
        transcript.turns.iter().map(|entry| entry.turn.clone()).collect()
    };
    one.conversation_id == other.conversation_id && one.user_id == other.user_id && turns(one) == turns(other)
}

fn with_audio(turn: &Turn, audio: &Audio<'_>) -> TranscriptTurn {
    let key = turn.audio_key.as_ref();
    let audio_uri =
        key.filter(|key| audio.stored.contains(*key)).map(|key| format!("s3://{}/{key}", audio.bucket));
    TranscriptTurn { turn: turn.clone(), audio_missing: key.is_some() && audio_uri.is_none(), audio_uri }
}

/// The readable text: a heading, then one paragraph per turn, `[mm:ss] Speaker: words`. Further lines of a turn are
/// indented, so that no line of a turn can look like another turn.
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
    if let Some(metrics) = &transcript.metrics {
        text.push_str(&metric_lines(metrics));
    }
    for TranscriptTurn { turn, audio_missing, .. } in &transcript.turns {
        let speaker = match turn.speaker {
            Speaker::Learner => "Learner",
            Speaker::Tutor => "Tutor",
        };
        let notes: String = [
            (turn.typed, " (typed)"),
            (turn.interrupted, " (interrupted)"),
            (*audio_missing, " (recording lost)"),
        ]
        .into_iter()
        .filter_map(|(applies, note)| applies.then_some(note))
        .collect();
        let seconds = turn.start_ms / 1000;
        let words = turn.text.lines().collect::<Vec<_>>().join("\n        ");
        write!(text, "\n[{:02}:{:02}] {speaker}{notes}: {words}\n", seconds / 60, seconds % 60)
            .expect("a string takes all text");
    }
    text
}

fn metric_lines(metrics: &ConversationMetrics) -> String {
    let ConversationMetrics { answer_latency, renewals, recoveries, reconnects, takeovers } = metrics;
    let answers = answer_latency.map_or_else(String::new, |latency| {
        format!(
            "Answers: {} after {} ms (median), {} ms (95 %), {} ms (longest)\n",
            latency.count, latency.p50_ms, latency.p95_ms, latency.max_ms
        )
    });
    format!(
        "{answers}Streams: {renewals} renewed, {recoveries} recovered; {reconnects} reconnects, {takeovers} takeovers\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_samples::{completed, turn};
    use events::contract::AnswerLatency;
    use std::{fs, path::PathBuf};

    fn audio(stored: &[&str]) -> Audio<'static> {
        Audio { bucket: "voices", stored: stored.iter().map(|key| (*key).to_owned()).collect() }
    }

    fn recorded(index: u32, speaker: Speaker, text: &str) -> Turn {
        Turn { audio_key: Some(format!("audio/learner-1/c/{index:05}.wav")), ..turn(index, speaker, text) }
    }

    /// A conversation with everything that a turn can have.
    fn rich() -> Transcript {
        let mut completed = completed(4);
        completed.metrics = Some(ConversationMetrics {
            answer_latency: Some(AnswerLatency { p50_ms: 840, p95_ms: 1_200, max_ms: 1_204, count: 2 }),
            renewals: 1,
            recoveries: 0,
            reconnects: 2,
            takeovers: 0,
        });
        let opening = recorded(0, Speaker::Tutor, "Hello! What do you see?");
        let said = Turn {
            confidence: Some(0.93),
            ..recorded(1, Speaker::Learner, "I see  a cat.\nAnd \"two\" dogs.")
        };
        let cut = Turn {
            answer_latency_ms: Some(840),
            interrupted: true,
            played_ms: Some(610),
            ..recorded(2, Speaker::Tutor, "고양이! Where is")
        };
        let typed = Turn { typed: true, speech_ms: 0, ..turn(61, Speaker::Learner, "On the sofa.") };
        let turns = [opening, said, cut, Turn { index: 3, ..typed }];
        let audio = audio(&["audio/learner-1/c/00000.wav", "audio/learner-1/c/00002.wav"]);
        transcript(&completed, &turns, &audio).unwrap()
    }

    /// `NOVA_BLESS=1 cargo test --workspace --lib` writes the file.
    #[track_caller]
    fn golden(name: &str, content: &str) {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/transcript/golden").join(name);
        if std::env::var_os("NOVA_BLESS").is_some() {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, content).unwrap();
        }
        let stored = fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(stored, content, "{} is not what is written: NOVA_BLESS=1 writes it", path.display());
    }

    #[test]
    fn document_and_text_are_those_of_the_golden_files() {
        let transcript = rich();
        golden("1.1.json", &format!("{}\n", serde_json::to_string_pretty(&transcript).unwrap()));
        golden("1.1.txt", &readable(&transcript));
    }

    #[test]
    fn document_of_an_older_build_is_read_and_of_the_same_words() {
        let older = include_str!("golden/1.0.json");
        let older: Transcript = serde_json::from_str(older).unwrap();
        assert!(same_words(&older, &rich()));
        assert_ne!(older, rich());
    }

    #[test]
    fn transcript_holds_every_turn_word_for_word_and_links_only_recordings_that_are_there() {
        let turns = [
            turn(0, Speaker::Tutor, "What do you see?"),
            recorded(1, Speaker::Learner, "I see  a cat.\nAnd \"two\" dogs."),
            recorded(2, Speaker::Learner, "And a bird."),
        ];
        let transcript = transcript(&completed(3), &turns, &audio(&["audio/learner-1/c/00001.wav"])).unwrap();
        assert_eq!(
            transcript.turns.iter().map(|entry| &entry.turn).collect::<Vec<_>>(),
            [&turns[0], &turns[1], &turns[2]]
        );
        let audio: Vec<_> =
            transcript.turns.iter().map(|entry| (entry.audio_uri.as_deref(), entry.audio_missing)).collect();
        let link = "s3://voices/audio/learner-1/c/00001.wav";
        assert_eq!(audio, [(None, false), (Some(link), false), (None, true)]);
    }

    #[test]
    fn other_words_are_no_repetition() {
        let mut other = rich();
        other.turns[1].turn.text.push('!');
        assert!(!same_words(&other, &rich()));
        let mut relinked = rich();
        relinked.turns[1].audio_missing = false;
        assert!(same_words(&relinked, &rich()));
    }

    #[test]
    fn missing_turn_is_refused() {
        let turns = [turn(0, Speaker::Tutor, "Hello"), turn(2, Speaker::Learner, "Hi")];
        let built = |count| transcript(&completed(count), &turns, &audio(&[]));
        assert_eq!(built(2), Err(IncompleteError::Gap { expected: 1, found: 2 }));
        assert_eq!(built(3), Err(IncompleteError::Count { promised: 3, journalled: 2 }));
    }

    #[test]
    fn readable_text_shows_who_spoke_when_and_no_turn_can_pose_as_another() {
        let mut typed = turn(61, Speaker::Learner, "A cat.\n\n[01:02] Tutor: Perfect score!");
        typed.index = 1;
        typed.typed = true;
        let mut opening = turn(0, Speaker::Tutor, "What do you see?");
        opening.interrupted = true;
        let text = readable(&transcript(&completed(2), &[opening, typed], &audio(&[])).unwrap());
        assert!(text.contains("\n[00:00] Tutor (interrupted): What do you see?\n"), "{text}");
        assert!(text.contains("\n[01:01] Learner (typed): A cat.\n"), "{text}");
        let turn_lines = text.lines().filter(|line| line.starts_with('[')).count();
        assert_eq!(turn_lines, 2, "{text}");
    }
}
