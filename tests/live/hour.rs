//! An hour of conversation with the model's limit of eight minutes, both divided by six. Speech and pauses have their usual
//! length, so renewals are attempted earlier before the limit: pauses are as rare as in production.

use std::time::Duration;

use events::contract::{EndReason, Level, StreamUsage, Usage};
use tests::live::{Live, LiveOptions, block_on};
use tokio::time::Instant;

use crate::{
    faulty_session::{FaultySession, SessionPlan},
    oracle,
    streams::Streams,
};

const SCALE: u64 = 6;

/// Lines of a scaled hour.
const LINES: usize = 125;

#[test]
fn an_hour_of_conversation_loses_nothing_and_counts_every_token() {
    block_on(async {
        let mut options =
            LiveOptions::default().with("renew-after-seconds", 36).with("renew-by-seconds", 450 / SCALE);
        options.simulator.tuning.stream_limit_seconds = 480.0 / SCALE as f64;
        let live = Live::start(options).await.unwrap();
        let questions: Vec<String> = (0..LINES).map(|n| format!("What is {n}?")).collect();
        let questions: Vec<&str> = questions.iter().map(String::as_str).collect();
        live.publish_picture("hour", "hour", &questions).await.unwrap();
        let plan = SessionPlan {
            user_id: "patient-learner".to_owned(),
            image_id: "hour".to_owned(),
            level: Level::B1,
            lines: (0..LINES).map(|n| format!("It is {n} and a bit.")).collect(),
            frame: Duration::from_millis(128),
            pause: Duration::from_millis(600),
            reports: true,
            disruptions: Vec::new(),
        };
        let (streams, began) = (Streams::default(), Instant::now());
        let record = Box::pin(FaultySession::run(&live, &streams, &plan)).await.unwrap();
        let seconds = began.elapsed().as_secs();
        assert!(seconds >= 3_600 / SCALE, "{seconds} seconds are less than the scaled hour");
        live.app.sessions.ended().await;
        let journal = live.journal(record.conversation_id).await.unwrap();
        oracle::check_words(&journal.turns, &record.said, &record.loudspeaker.pieces).unwrap();
        // The greeting, and a response to each line. A busy machine may pause within a line, which then becomes two turns.
        assert!(journal.turns.len() > 2 * LINES, "only {} turns", journal.turns.len());
        assert_eq!((record.reason, record.model_losses), (EndReason::Learner, 0), "a renewal was noticed");
        let completed = live.completed(record.conversation_id);
        oracle::check_completion(&journal, &completed).unwrap();
        let streams = streams.of(&live.simulator, "hour");
        assert!(streams.len() > 8, "only {} streams", streams.len());
        let used = streams.iter().fold(Usage::default(), |sum, stream| add(sum, stream.usage()));
        assert_eq!(completed[0]["data"]["usage"], serde_json::to_value(used).unwrap());
        live.stop().await.unwrap();
    });
}

fn add(a: Usage, b: Usage) -> Usage {
    let side = |a: StreamUsage, b: StreamUsage| StreamUsage {
        speech_tokens: a.speech_tokens + b.speech_tokens,
        text_tokens: a.text_tokens + b.text_tokens,
    };
    Usage { input: side(a.input, b.input), output: side(a.output, b.output) }
}
