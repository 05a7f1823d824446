//! An hour of conversation, with the model's limit of eight minutes, six times faster than it is: both are a sixth of what
//! they are in production. Speech and pauses are as long as ever, so renewals are looked for earlier before the limit: a
//! quiet moment comes as seldom as ever.

use std::time::Duration;

use events::contract::{EndReason, StreamUsage, Usage};
use tests::live::{Live, LiveOptions, block_on};
use tokio::time::Instant;

use crate::{
    oracle,
    streams::Streams,
    talk::{Plan, Talk},
};

const SCALE: u64 = 6;

/// So many lines take an hour, scaled.
const LINES: usize = 100;

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
        let plan = Plan {
            user_id: "patient-learner".to_owned(),
            image_id: "hour".to_owned(),
            level: "B1",
            lines: (0..LINES).map(|n| format!("It is {n} and a bit.")).collect(),
            frame: Duration::from_millis(128),
            breath: Duration::from_millis(600),
            reports: true,
            troubles: Vec::new(),
        };
        let (streams, began) = (Streams::default(), Instant::now());
        let held = Box::pin(Talk::hold(&live, &streams, &plan)).await.unwrap();
        let seconds = began.elapsed().as_secs();
        assert!(seconds >= 3_600 / SCALE, "{seconds} seconds are not an hour");
        live.app.sessions.ended().await;
        let journal = live.journal(held.conversation_id).await.unwrap();
        oracle::check_words(&journal.turns, &held.said, &held.loudspeaker.pieces).unwrap();
        // The greeting, and an answer to each line. A busy machine may pause within a line, which is then two turns.
        assert!(journal.turns.len() > 2 * LINES, "only {} turns", journal.turns.len());
        assert_eq!((held.reason, held.reconnecting), (EndReason::Learner, 0), "a renewal was heard");
        let completed = live.completed(held.conversation_id);
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
