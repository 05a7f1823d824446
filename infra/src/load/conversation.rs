//! One conversation of a load test: in real time, with stamps in the audio and every word compared.

use std::{sync::Arc, time::Duration};

use events::contract::{EndReason, Speaker, live::encode_audio};
use tokio::time::Instant;

use super::{Shared, learners::LoadLearner, lock};
use crate::{
    client::{Conversation, FRAME_SAMPLES, LearnerSession, SessionDriver, SessionEvent},
    simulator::{
        audible::Heard,
        latency::monotonic,
        stamp::{self, STAMP_SAMPLES},
    },
};

/// The result of a conversation.
#[derive(Debug)]
pub(super) enum Outcome {
    /// It ended in order, and every word is as it was said and heard.
    Correct { turns: u64 },
    /// It ended in order, but a turn is not what was said or heard.
    Wrong { turns: u64, reason: String },
    /// It was refused or broke off.
    Failed(anyhow::Error),
}

impl Outcome {
    /// Turns that were compared.
    pub(super) fn turns(&self) -> u64 {
        match self {
            Self::Correct { turns } | Self::Wrong { turns, .. } => *turns,
            Self::Failed(_) => 0,
        }
    }

    /// What is wrong.
    pub(super) fn problem(&self) -> Option<String> {
        match self {
            Self::Correct { .. } => None,
            Self::Wrong { reason, .. } => Some(reason.clone()),
            Self::Failed(error) => Some(format!("{error:#}")),
        }
    }
}

/// Holds one conversation until [`Shared::stop`]; it ends after the exchange at hand.
pub(super) async fn run(learner: &LoadLearner, shared: &Shared) -> Outcome {
    let mut driver = LoadDriver {
        learner,
        shared,
        began: Instant::now(),
        open: false,
        lines: 0,
        stamps: stamp::Reader::default(),
        problem: None,
    };
    let result = match LearnerSession::new(&learner.learner, &learner.script, &mut driver) {
        Ok(session) => Box::pin(session.run()).await,
        Err(error) => Err(error),
    };
    shared.state.send_modify(|state| {
        state.open -= usize::from(driver.open);
        state.over += 1;
    });
    let conversation = match result {
        Ok(conversation) => conversation,
        Err(error) => return Outcome::Failed(error),
    };
    let turns = conversation.turns.len() as u64;
    let said = (0..driver.lines).map(|index| learner.line(index).text.as_str()).collect::<Vec<_>>();
    match driver.problem.map_or_else(|| compare(&said, &conversation), Err) {
        Ok(()) => Outcome::Correct { turns },
        Err(reason) => Outcome::Wrong { turns, reason },
    }
}

struct LoadDriver<'a> {
    learner: &'a LoadLearner,
    shared: &'a Shared,
    began: Instant,
    /// The service was ready.
    open: bool,
    /// Lines begun.
    lines: usize,
    stamps: stamp::Reader,
    /// The first thing that does not happen in an orderly conversation.
    problem: Option<String>,
}

impl SessionDriver for LoadDriver<'_> {
    const RECONNECTS_MAX: usize = 0;
    const RECORDED_SAMPLES: usize = FRAME_SAMPLES - STAMP_SAMPLES;

    fn line(&mut self, index: usize) -> Option<Arc<[i16]>> {
        if index >= self.shared.lines_min && self.shared.stop.is_cancelled() {
            return None;
        }
        self.lines = index + 1;
        Some(Arc::clone(&self.learner.line(index).samples))
    }

    fn encode(&mut self, samples: &[i16], late: Duration) -> Vec<u8> {
        lock(&self.shared.late).record(late);
        let mut frame = [0; FRAME_SAMPLES];
        frame[STAMP_SAMPLES..].copy_from_slice(samples);
        frame[..STAMP_SAMPLES].copy_from_slice(&stamp::stamp(monotonic()));
        encode_audio(&frame)
    }

    fn decode(&mut self, samples: Vec<i16>) -> Vec<i16> {
        let arrived = monotonic();
        let unstamped = self.stamps.read(&samples);
        let mut down = lock(&self.shared.down);
        for sent in unstamped.times {
            down.record(arrived.saturating_sub(sent));
        }
        unstamped.samples
    }

    fn observe(&mut self, event: &SessionEvent) {
        let problem = match event {
            SessionEvent::Ready => {
                lock(&self.shared.opening).record(self.began.elapsed());
                self.open = true;
                self.shared.state.send_modify(|state| {
                    state.open += 1;
                    state.opened += 1;
                });
                return;
            }
            SessionEvent::Flush => "the tutor was interrupted although the learner was silent",
            SessionEvent::ModelLost => "the ingress lost the model",
            SessionEvent::Model { .. }
            | SessionEvent::Speaking(_)
            | SessionEvent::Caption { .. }
            | SessionEvent::Turn(_)
            | SessionEvent::ModelRestored
            | SessionEvent::ConnectionLost
            | SessionEvent::Reconnected => return,
        };
        self.problem.get_or_insert_with(|| problem.to_owned());
    }
}

/// Compares the turns of a conversation with what was said and heard.
///
/// # Errors
/// The first difference.
fn compare(said: &[&str], conversation: &Conversation) -> Result<(), String> {
    let Conversation { turns, heard, reason, turn_count, .. } = conversation;
    if let Some((turn, index)) = turns.iter().zip(0..).find(|(turn, index)| turn.index != *index) {
        return Err(format!("a turn has the index {} instead of {index}", turn.index));
    }
    if *reason != EndReason::Learner || *turn_count as usize != turns.len() {
        return Err(format!("it ended with {reason:?} and {turn_count} turns instead of {}", turns.len()));
    }
    let texts =
        |speaker| turns.iter().filter(move |turn| turn.speaker == speaker).map(|turn| turn.text.as_str());
    let written: Vec<&str> = texts(Speaker::Learner).collect();
    if said != written {
        return Err(format!("{said:?} was said, and {written:?} is in the transcript"));
    }
    let written = texts(Speaker::Tutor).collect::<Vec<_>>().join(" ");
    let heard = heard.iter().map(|heard| match heard {
        Heard::Text(text) => Ok(text.as_str()),
        other @ (Heard::Damaged { .. } | Heard::Unreadable { .. }) => {
            Err(format!("the tutor's audio has {other:?}"))
        }
    });
    let heard = heard.collect::<Result<Vec<_>, _>>()?.join(" ");
    if heard != written {
        return Err(format!("{heard:?} was heard, and {written:?} is in the transcript"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use events::contract::Turn;

    use super::*;

    fn turn(index: u32, speaker: Speaker, text: &str) -> Turn {
        let fields = serde_json::json!({
            "index": index, "speaker": speaker, "text": text, "startMs": 0, "endMs": 1, "speechMs": 1,
            "interrupted": false,
        });
        serde_json::from_value(fields).unwrap()
    }

    fn conversation(turns: Vec<Turn>) -> Conversation {
        Conversation {
            conversation_id: "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap(),
            simulated: true,
            turn_count: u32::try_from(turns.len()).unwrap(),
            turns,
            heard: vec![Heard::Text("Hello!".into()), Heard::Text("What do you see?".into())],
            answer_latencies: Vec::new(),
            reason: EndReason::Learner,
        }
    }

    fn greeting() -> Turn {
        turn(0, Speaker::Tutor, "Hello! What do you see?")
    }

    fn compare_turns(turns: Vec<Turn>) -> Result<(), String> {
        compare(&["I see a door."], &conversation(turns))
    }

    #[test]
    fn compare_refuses_turns_that_were_not_said_or_heard() {
        let line = |index, text| turn(index, Speaker::Learner, text);
        assert_eq!(compare_turns(vec![greeting(), line(1, "I see a door.")]), Ok(()));
        for wrong in [
            vec![greeting()],
            vec![greeting(), line(2, "I see a door.")],
            vec![greeting(), line(1, "I see a floor.")],
            vec![greeting(), line(1, "I see a door."), line(2, "I see a door.")],
            vec![turn(0, Speaker::Tutor, "Hello!"), line(1, "I see a door.")],
        ] {
            assert!(compare_turns(wrong.clone()).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn compare_refuses_damaged_audio_and_another_end() {
        let orderly = || conversation(vec![greeting()]);
        assert_eq!(compare(&[], &orderly()), Ok(()));
        for wrong in [
            Conversation { heard: vec![Heard::Damaged { text: "Hello!".into() }], ..orderly() },
            Conversation { reason: EndReason::Shutdown, ..orderly() },
            Conversation { turn_count: 2, ..orderly() },
        ] {
            assert!(compare(&[], &wrong).is_err(), "{wrong:?}");
        }
    }
}
