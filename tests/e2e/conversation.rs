//! One conversation through the whole system.

use anyhow::Context as _;
use events::contract::Speaker;
use infra::{
    client::read_wav,
    simulator::audible::{Decoder, Heard},
};
use tests::system::{Delivery, System};

use crate::{access, beside_others, conversations};

#[tokio::test(flavor = "multi_thread")]
async fn one_conversation_leaves_transcript_assessment_progress_and_alert() -> anyhow::Result<()> {
    let _place = beside_others().await;
    let system = System::start("one", Delivery::Once).await?;
    let learners = conversations::learners(&system, 1).await?;
    let mut finished = conversations::converse_at_once(&learners).await?;
    conversations::check_results(&system, &finished).await?;
    // The second conversation is compared with the first one, and moves the learner in the rankings.
    finished.extend(conversations::converse_at_once(&learners).await?);
    conversations::check_results(&system, &finished).await?;
    check_audio(&system).await?;
    access::check_refusals(&system, &learners[0]).await?;
    conversations::check_pipeline(&system, 2).await?;
    system.stop().await
}

/// The stored audio of each turn contains the words of the turn.
async fn check_audio(system: &System) -> anyhow::Result<()> {
    for transcript in system.results.transcripts().await?.values() {
        for turn in &transcript.turns {
            let key = turn.turn.audio_key.as_deref().context("a turn without audio")?;
            let samples = read_wav(std::io::Cursor::new(system.results.audio(key).await?))?;
            let mut decoder = Decoder::new(events::contract::live::SAMPLE_RATE_HZ);
            let mut heard = decoder.push(&samples);
            heard.extend(decoder.finish());
            let words: Vec<&str> = heard
                .iter()
                .map(|heard| match heard {
                    Heard::Text(text) => Ok(text.as_str()),
                    other @ (Heard::Damaged { .. } | Heard::Unreadable { .. }) => {
                        anyhow::bail!("{key} contains {other:?}")
                    }
                })
                .collect::<Result<_, _>>()?;
            assert_eq!(words.join(" "), turn.turn.text, "the audio of {key}");
            let speaker = if turn.turn.speaker == Speaker::Learner { "learner" } else { "tutor" };
            assert!(key.contains(speaker), "{key} is the audio of the {speaker}");
        }
    }
    Ok(())
}
