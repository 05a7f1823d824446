//! PURE. The expected sums of UserProgress, computed from transcripts and assessments.

use std::collections::{BTreeMap, HashMap};

use events::{
    contract::{Scores, Speaker, StoredAnalysis, Transcript},
    pipeline::{names::PROGRESS_TOTAL, overview},
};

/// The sums in an item of UserProgress.
const SUMS: [&str; 13] = [
    "conversations",
    "turns",
    "learnerSpeechMs",
    "durationMs",
    "scored",
    "overallSum",
    "fluencySum",
    "vocabularySum",
    "grammarSum",
    "relevanceSum",
    "words",
    "spokenWords",
    "spokenMs",
];

/// Numbers of UserProgress by learner and day, or `total`; and by `sums#<group>` without its shard.
pub type Sums = BTreeMap<(String, String), HashMap<String, u64>>;

/// The sums over conversations, each with its learner's time zone and its assessment, if it has one.
///
/// # Errors
/// There is no such time zone.
pub fn progress<'a>(
    conversations: impl IntoIterator<Item = (&'a Transcript, &'a str, Option<&'a StoredAnalysis>)>,
) -> anyhow::Result<Sums> {
    let mut expected = Sums::new();
    for (transcript, time_zone, analysis) in conversations {
        if !is_practice(transcript) {
            // Only the total exists, without an amount.
            expected.entry((transcript.user_id.to_string(), PROGRESS_TOTAL.to_owned())).or_default();
            continue;
        }
        let end = conversation_sums(transcript);
        let day = transcript.started_at.in_tz(time_zone)?.date();
        let week = overview::week(day);
        let (learner, level) = (transcript.user_id.to_string(), format!("{:?}", transcript.level));
        for (partition, key) in [
            (learner.as_str(), day.to_string().as_str()),
            (learner.as_str(), PROGRESS_TOTAL),
            ("sums#level", level.as_str()),
            ("sums#picture", transcript.image_id.as_str()),
            ("sums#week", week.as_str()),
        ] {
            let sums = expected.entry((partition.to_owned(), key.to_owned())).or_default();
            for (name, value) in end.iter().copied().chain(analysis.into_iter().flat_map(assessment_sums)) {
                *sums.entry(name.to_owned()).or_default() += value;
            }
        }
    }
    Ok(expected)
}

/// Whether the learner said anything.
pub(super) fn is_practice(transcript: &Transcript) -> bool {
    transcript.turns.iter().any(|turn| turn.turn.speaker == Speaker::Learner)
}

/// The stored sums in the form of the expected ones: the shards of all learners' sums are added up, and places and lists of
/// conversations are no sums.
fn comparable(stored: &Sums) -> Sums {
    let mut comparable = Sums::new();
    for ((partition, key), numbers) in stored {
        let parts: Vec<&str> = partition.split('#').collect();
        let partition = match parts[..] {
            [_] if key.contains('#') => continue,
            [learner] => learner.to_owned(),
            ["sums", group, ..] => format!("sums#{group}"),
            _ => continue,
        };
        let sums = comparable.entry((partition, key.clone())).or_default();
        for (name, number) in numbers {
            *sums.entry(name.clone()).or_default() += number;
        }
    }
    comparable
}

/// The first difference between the expected and the stored sums. The sums over all learners keep the share of a learner whose
/// data is erased, so after an erasure they are not compared.
#[must_use]
pub fn progress_difference(expected: &Sums, stored: &Sums, is_erased: bool) -> Option<String> {
    let (mut expected, mut stored) = (expected.clone(), comparable(stored));
    if is_erased {
        expected.retain(|(partition, _), _| !partition.contains('#'));
        stored.retain(|(partition, _), _| !partition.contains('#'));
    }
    if !stored.keys().eq(expected.keys()) {
        return Some(format!("items {:?} instead of {:?}", stored.keys(), expected.keys()));
    }
    expected.iter().zip(stored.values()).find_map(|((key, expected), stored)| {
        SUMS.iter().find_map(|name| {
            let value = |sums: &HashMap<String, u64>| sums.get(*name).copied().unwrap_or(0);
            let (expected, stored) = (value(expected), value(stored));
            (stored != expected).then(|| format!("{name} of {key:?} is {stored} instead of {expected}"))
        })
    })
}

fn conversation_sums(transcript: &Transcript) -> [(&'static str, u64); 4] {
    let turns = transcript.turns.iter().map(|turn| &turn.turn);
    let learner_speech_ms =
        turns.clone().filter(|turn| turn.speaker == Speaker::Learner).map(|turn| turn.speech_ms).sum();
    let duration_ms = transcript.ended_at.as_millisecond() - transcript.started_at.as_millisecond();
    [
        ("conversations", 1),
        ("turns", turns.len() as u64),
        ("learnerSpeechMs", learner_speech_ms),
        ("durationMs", u64::try_from(duration_ms).unwrap_or(0)),
    ]
}

fn assessment_sums(analysis: &StoredAnalysis) -> [(&'static str, u64); 9] {
    let Scores { overall, fluency, vocabulary, grammar, relevance } = Scores::of(&analysis.assessment);
    [
        ("scored", 1),
        ("overallSum", overall.into()),
        ("fluencySum", fluency.into()),
        ("vocabularySum", vocabulary.into()),
        ("grammarSum", grammar.into()),
        ("relevanceSum", relevance.into()),
        ("words", analysis.measures.words.into()),
        ("spokenWords", analysis.measures.spoken_words()),
        ("spokenMs", analysis.measures.speech_ms),
    ]
}
