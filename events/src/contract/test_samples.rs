//! PURE. Test only: arbitrary events and turns for property tests.

use jiff::Timestamp;
use proptest::{collection::vec, option, prelude::*, sample::select};

use super::{
    AccountDeletionRequested, AnalysisFailed, AnalysisFailure, AnswerLatency, ConversationAnalyzed,
    ConversationCompleted, ConversationId, ConversationMetrics, ConversationStalled, Direction, EndReason,
    Envelope, Event, FeedbackLanguage, Flag, Level, Measures, Milestone, ObjectRef, ProgressUpdated, Scores,
    Speaker, Stage, Standing, Streak, StreamUsage, Totals, TranscriptStored, Trend, Turn, Usage, UserId,
};

pub(crate) fn conversation_id() -> ConversationId {
    "01a20ace-c800-7c7a-b47c-ea47bd68d012".parse().unwrap()
}

/// Arbitrary data of one event. The list of events requires it of every event.
pub(crate) trait Sample: Sized {
    fn any() -> BoxedStrategy<Self>;
}

/// Any envelope of any event.
pub(crate) fn any_envelope() -> impl Strategy<Value = Envelope> {
    (Event::any(), timestamp(), option::of(any::<String>()))
        .prop_map(|(event, at, trace)| Envelope::new(event, at, trace))
}

/// Any turn at `index`.
pub(crate) fn any_turn(index: u32) -> impl Strategy<Value = Turn> {
    let times = (any::<u64>(), any::<u64>(), any::<u64>());
    let optional = (option::of(any::<u64>()), option::of(any::<u64>()), option::of(0.0f64..=1.0));
    let flags = (any::<bool>(), any::<bool>());
    let audio = option::of(any::<String>());
    let speaker = select(vec![Speaker::Learner, Speaker::Tutor]);
    (speaker, any::<String>(), times, optional, flags, audio).prop_map(
        move |(speaker, text, times, optional, (interrupted, typed), audio_key)| Turn {
            index,
            speaker,
            text,
            start_ms: times.0,
            end_ms: times.1,
            speech_ms: times.2,
            answer_latency_ms: optional.0,
            interrupted,
            played_ms: optional.1,
            typed,
            confidence: optional.2,
            audio_key,
        },
    )
}

pub(crate) fn end_reason() -> impl Strategy<Value = EndReason> {
    select(vec![
        EndReason::Learner,
        EndReason::TimeLimit,
        EndReason::Silence,
        EndReason::Disconnected,
        EndReason::Shutdown,
        EndReason::ModelFailed,
        EndReason::InternalError,
        EndReason::IngressLost,
    ])
}

pub(crate) fn usage() -> impl Strategy<Value = Usage> {
    let stream = || {
        any::<(u64, u64)>()
            .prop_map(|(speech_tokens, text_tokens)| StreamUsage { speech_tokens, text_tokens })
    };
    (stream(), stream()).prop_map(|(input, output)| Usage { input, output })
}

pub(crate) fn metrics() -> impl Strategy<Value = ConversationMetrics> {
    let latency = any::<(u64, u64, u64, u32)>().prop_map(|(p50_ms, p95_ms, max_ms, count)| AnswerLatency {
        p50_ms,
        p95_ms,
        max_ms,
        count,
    });
    (option::of(latency), any::<(u32, u32, u32, u32)>()).prop_map(
        |(answer_latency, (renewals, recoveries, reconnects, takeovers))| ConversationMetrics {
            answer_latency,
            renewals,
            recoveries,
            reconnects,
            takeovers,
        },
    )
}

pub(crate) fn timestamp() -> impl Strategy<Value = Timestamp> {
    (0i64..4_000_000_000_000).prop_map(|millis| Timestamp::from_millisecond(millis).unwrap())
}

pub(crate) fn level() -> impl Strategy<Value = Level> {
    select(vec![Level::A1, Level::A2, Level::B1, Level::B2, Level::C1, Level::C2])
}

pub(crate) fn language() -> impl Strategy<Value = FeedbackLanguage> {
    select(vec![FeedbackLanguage::English, FeedbackLanguage::Korean])
}

pub(crate) fn ids() -> impl Strategy<Value = (ConversationId, UserId)> {
    (timestamp(), any::<[u8; 10]>(), "[A-Za-z0-9-]{1,128}")
        .prop_map(|(at, random, user)| (ConversationId::new(at, random), user.parse().unwrap()))
}

impl Sample for ConversationCompleted {
    fn any() -> BoxedStrategy<Self> {
        let texts = (any::<String>(), any::<String>());
        let times = (timestamp(), timestamp());
        let spent = (usage(), option::of(metrics()));
        (ids(), texts, level(), language(), times, end_reason(), any::<(u32, Option<u32>, u64)>(), spent)
            .prop_map(
                |(
                    ids,
                    texts,
                    level,
                    feedback_language,
                    (started_at, ended_at),
                    reason,
                    counts,
                    (usage, metrics),
                )| {
                    ConversationCompleted {
                        conversation_id: ids.0,
                        user_id: ids.1,
                        image_id: texts.0,
                        level,
                        feedback_language,
                        time_zone: texts.1,
                        started_at,
                        ended_at,
                        reason,
                        turns: counts.0,
                        learner_turns: counts.1,
                        learner_speech_ms: counts.2,
                        usage,
                        metrics,
                    }
                },
            )
            .boxed()
    }
}

impl Sample for TranscriptStored {
    fn any() -> BoxedStrategy<Self> {
        (ids(), object(), object(), any::<u32>())
            .prop_map(|((conversation_id, user_id), document, text, turns)| Self {
                conversation_id,
                user_id,
                document,
                text,
                turns,
            })
            .boxed()
    }
}

impl Sample for ConversationAnalyzed {
    fn any() -> BoxedStrategy<Self> {
        let texts = (any::<String>(), any::<String>(), any::<String>());
        let flags = vec(
            select(vec![
                Flag::Distress,
                Flag::Unsafe,
                Flag::PersonalData,
                Flag::Manipulation,
                Flag::LittleSpeech,
            ]),
            0..5,
        );
        let levels = (level(), option::of(level()));
        let numbers = (scores(), option::of(measures()));
        (ids(), texts, timestamp(), object(), numbers, levels, flags, any::<bool>())
            .prop_map(|(ids, texts, started_at, document, numbers, (cefr, level), flags, simulated)| {
                ConversationAnalyzed {
                    conversation_id: ids.0,
                    user_id: ids.1,
                    image_id: texts.0,
                    time_zone: texts.1,
                    started_at,
                    document,
                    level,
                    measures: numbers.1,
                    scores: numbers.0,
                    cefr,
                    flags,
                    model_id: texts.2,
                    simulated,
                }
            })
            .boxed()
    }
}

impl Sample for AnalysisFailed {
    fn any() -> BoxedStrategy<Self> {
        (ids(), failure(), option::of(any::<String>()))
            .prop_map(|((conversation_id, user_id), failure, model_id)| Self {
                conversation_id,
                user_id,
                failure,
                model_id,
            })
            .boxed()
    }
}

impl Sample for ProgressUpdated {
    fn any() -> BoxedStrategy<Self> {
        (ids(), "[0-9]{4}-[0-9]{2}-[0-9]{2}", vec(milestone(), 0..3), option::of(standing()))
            .prop_map(|((conversation_id, user_id), date, milestones, standing)| Self {
                conversation_id,
                user_id,
                date,
                milestones,
                standing,
            })
            .boxed()
    }
}

impl Sample for ConversationStalled {
    fn any() -> BoxedStrategy<Self> {
        (ids(), select(Stage::ALL.to_vec()), timestamp())
            .prop_map(|((conversation_id, user_id), stage, since)| Self {
                conversation_id,
                user_id,
                stage,
                since,
            })
            .boxed()
    }
}

impl Sample for AccountDeletionRequested {
    fn any() -> BoxedStrategy<Self> {
        (ids(), timestamp()).prop_map(|((_, user_id), requested_at)| Self { user_id, requested_at }).boxed()
    }
}

fn scores() -> impl Strategy<Value = Scores> {
    let score = || 0u8..=100;
    (score(), score(), score(), score(), score()).prop_map(
        |(overall, fluency, vocabulary, grammar, relevance)| Scores {
            overall,
            fluency,
            vocabulary,
            grammar,
            relevance,
        },
    )
}

fn measures() -> impl Strategy<Value = Measures> {
    let ratio = || any::<u32>().prop_map(|hundredths| f64::from(hundredths) / 100.0);
    let counts = any::<(u32, u32, u32, u32)>();
    (counts, any::<(u64, u64)>(), (ratio(), ratio(), ratio(), ratio())).prop_map(
        |((learner_turns, words, distinct_words, pauses), (speech_ms, longest_pause_ms), ratios)| Measures {
            learner_turns,
            words,
            distinct_words,
            speech_ms,
            words_per_minute: ratios.0,
            mean_turn_words: ratios.1,
            answer_ratio: ratios.2,
            mean_pause_ms: ratios.3,
            pauses,
            longest_pause_ms,
        },
    )
}

fn object() -> impl Strategy<Value = ObjectRef> {
    (any::<String>(), any::<String>(), "[0-9a-f]{64}").prop_map(|(bucket, key, sha256)| ObjectRef {
        bucket,
        key,
        sha256,
    })
}

fn failure() -> impl Strategy<Value = AnalysisFailure> {
    select(vec![AnalysisFailure::NothingSaid, AnalysisFailure::InvalidOutput, AnalysisFailure::Refused])
}

fn milestone() -> impl Strategy<Value = Milestone> {
    select(Milestone::ALL.to_vec())
}

fn standing() -> impl Strategy<Value = Standing> {
    let streak =
        (any::<(u32, u32)>(), option::of(0i32..40_000)).prop_map(|((current_days, longest_days), day)| {
            let last_day = day.map(|day| jiff::civil::date(1970, 1, 1) + jiff::Span::new().days(day));
            Streak { current_days, longest_days, last_day }
        });
    let totals =
        any::<(u64, u64, u64, u64)>().prop_map(|(conversations, learner_speech_ms, scored, overall_sum)| {
            Totals { conversations, learner_speech_ms, scored, overall_sum }
        });
    let direction = select(vec![Direction::Rising, Direction::Steady, Direction::Falling]);
    let trend = (level(), direction, any::<u32>()).prop_map(|(level, direction, assessments)| Trend {
        level,
        direction,
        assessments,
    });
    (streak, totals, option::of(trend)).prop_map(|(streak, totals, trend)| Standing { streak, totals, trend })
}

/// Writes every integer that a float holds exactly as a number with a zero fraction.
pub(crate) fn with_fractions(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::Number(number) => {
            let float = number.as_f64().filter(|float| format!("{float:.0}") == number.to_string());
            if let Some(float) = float {
                *value = float.into();
            }
        }
        serde_json::Value::Array(values) => values.iter_mut().for_each(with_fractions),
        serde_json::Value::Object(fields) => fields.values_mut().for_each(with_fractions),
        serde_json::Value::Null | serde_json::Value::Bool(_) | serde_json::Value::String(_) => {}
    }
}
