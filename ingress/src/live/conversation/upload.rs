//! PURE. Plays an uploaded turn into the conversation as if it came from the microphone, in real time: the model accepts
//! no faster audio, and the effects of speech, such as barge-in, stay the same. After the turn comes the pause that ends
//! it. Until then the microphone is ignored, because the model could not transcribe two voices in one stream.

use bytes::{Bytes, BytesMut};
use events::contract::live::BYTES_PER_MS;

use super::{Conversation, Phase};

/// Length of a step of uploaded or filling audio, in milliseconds.
pub(super) const FILL_MS: u64 = 100;

/// The same, in bytes of PCM.
pub(super) const FILL_BYTES: usize = 3_200;
const _: () = assert!(FILL_BYTES as u64 == FILL_MS * BYTES_PER_MS);

/// Silence after the turn beyond the pause that ends it, in milliseconds.
const PAUSE_MARGIN_MS: u64 = 500;

/// The rest of an uploaded turn that is being played.
#[derive(Debug)]
pub(super) struct Upload {
    /// PCM s16le, in whole steps of [`FILL_MS`].
    pcm: Bytes,
    /// Time of the next step.
    due_ms: u64,
}

impl Upload {
    /// Plays the turn and its pause from `at_ms` on.
    fn new(turn: &[u8], pause_ms: u64, at_ms: u64) -> Self {
        let pause = usize::try_from((pause_ms + PAUSE_MARGIN_MS) * BYTES_PER_MS);
        let length = turn.len() + pause.expect("a pause is seconds");
        let mut pcm = BytesMut::with_capacity(length.next_multiple_of(FILL_BYTES));
        pcm.extend_from_slice(turn);
        pcm.resize(length.next_multiple_of(FILL_BYTES), 0);
        Self { pcm: pcm.freeze(), due_ms: at_ms }
    }

    /// Time of the next step.
    pub(super) fn due_ms(&self) -> u64 {
        self.due_ms
    }

    /// The audio that was not played yet.
    pub(super) fn rest(self) -> Bytes {
        self.pcm
    }

    /// The next step; empty before its time, `None` at the end.
    fn next(&mut self, at_ms: u64) -> Option<Bytes> {
        if at_ms < self.due_ms {
            return Some(Bytes::new());
        }
        if self.pcm.is_empty() {
            return None;
        }
        self.due_ms += FILL_MS;
        Some(self.pcm.split_to(FILL_BYTES))
    }
}

impl Conversation {
    /// Whether an uploaded turn is being played. Meanwhile no other one is accepted.
    #[must_use]
    pub fn is_playing_upload(&self) -> bool {
        self.upload.is_some() && self.phase == Phase::Talking
    }

    /// Begins to play an uploaded turn.
    pub(super) fn uploaded(&mut self, turn: &[u8], at_ms: u64) {
        if self.phase == Phase::Talking && self.upload.is_none() {
            self.upload = Some(Upload::new(turn, self.settings.pause_ms, at_ms));
        }
    }

    /// Begins to play the opening clip, which prompts a model without text input, if nothing was said yet. Its transcript is
    /// not a turn.
    pub(super) fn play_opening(&mut self, at_ms: u64) {
        let unsaid = self.settings.texts.is_none() && !self.floor.has_begun();
        let silent = self.upload.is_none() && !self.floor.microphone.has_speech();
        if let Some(clip) = self.settings.opening_clip.clone()
            && unsaid
            && silent
            && self.phase == Phase::Talking
        {
            self.floor.begin_opening_clip();
            self.upload = Some(Upload::new(&clip, self.settings.pause_ms, at_ms));
        }
    }

    /// Plays the due steps of an uploaded turn.
    pub(super) fn play_upload(&mut self, at_ms: u64) {
        // Bounded: each step shortens the turn or ends it.
        while let Some(upload) = &mut self.upload {
            match upload.next(at_ms) {
                Some(pcm) if pcm.is_empty() => return,
                Some(pcm) => self.take_audio(&pcm, at_ms),
                None => self.upload = None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use events::contract::{EndReason, Speaker, Turn, live::ServerMessage};

    use super::*;
    use crate::{
        live::conversation::model_event::{ModelEvent, Stage, StopReason},
        live::conversation::{
            Input, Output, StreamId,
            test_fixture::{PAUSE_MS, settings, speech},
        },
    };

    /// A conversation with an open stream, in which the tutor has said hello, at 1000 ms.
    fn conversation() -> Conversation {
        let mut conversation = Conversation::new(settings(), 0);
        conversation.handle(Input::Attached, 0);
        conversation.handle(Input::StreamOpened(StreamId(0)), 0);
        say(&mut conversation, Speaker::Tutor, "Hello.", 0);
        conversation.handle(Input::Tick, 1_000);
        outputs(&mut conversation);
        conversation
    }

    fn model(conversation: &mut Conversation, event: ModelEvent, at_ms: u64) {
        conversation.handle(Input::Model(StreamId(0), event), at_ms);
    }

    fn say(conversation: &mut Conversation, speaker: Speaker, text: &str, at_ms: u64) {
        let stages: &[Stage] = match speaker {
            Speaker::Learner => &[Stage::Final],
            Speaker::Tutor => &[Stage::Speculative, Stage::Final],
        };
        for stage in stages.iter().copied() {
            model(conversation, ModelEvent::TextStart { speaker, stage }, at_ms);
            model(conversation, ModelEvent::Text { speaker, stage, content: text.to_owned() }, at_ms);
            let stop = if stage == Stage::Final { StopReason::EndTurn } else { StopReason::PartialTurn };
            model(conversation, ModelEvent::TextEnd { speaker, stage, stop }, at_ms);
            if stage == Stage::Speculative {
                model(conversation, ModelEvent::AudioStart, at_ms);
                model(conversation, ModelEvent::AudioEnd { stop: StopReason::EndTurn }, at_ms);
            }
        }
    }

    fn outputs(conversation: &mut Conversation) -> Vec<Output> {
        std::iter::from_fn(|| conversation.poll()).collect()
    }

    fn sent(outputs: &[Output]) -> Vec<u8> {
        let pcm =
            |output: &Output| if let Output::SendAudio { pcm, .. } = output { pcm.to_vec() } else { vec![] };
        outputs.iter().flat_map(pcm).collect()
    }

    fn recorded(outputs: &[Output]) -> Vec<Turn> {
        let turn =
            |output: &Output| if let Output::Record(turn) = output { Some(turn.clone()) } else { None };
        outputs.iter().filter_map(turn).collect()
    }

    /// Lets time pass, by the deadlines that the conversation names.
    fn pass(conversation: &mut Conversation, from_ms: u64, to_ms: u64) -> Vec<Output> {
        let mut all = outputs(conversation);
        let mut now_ms = from_ms;
        while let Some(due_ms) = conversation.deadline_ms().filter(|due_ms| *due_ms <= to_ms) {
            now_ms = now_ms.max(due_ms);
            conversation.handle(Input::Tick, now_ms);
            all.extend(outputs(conversation));
        }
        all
    }

    #[test]
    fn a_turn_is_spoken_at_the_pace_of_time_with_its_pause() {
        let mut conversation = conversation();
        let turn = speech(2_050, 1);
        conversation.handle(Input::Uploaded(turn.clone().into()), 1_000);
        assert!(conversation.is_playing_upload());
        let first = pass(&mut conversation, 1_000, 1_999);
        assert_eq!(sent(&first), turn[..FILL_BYTES * 10]);
        let rest = pass(&mut conversation, 1_999, 1_000 + 2_050 + PAUSE_MS + PAUSE_MARGIN_MS + FILL_MS);
        let mut expected = turn[FILL_BYTES * 10..].to_vec();
        expected.resize((1_100 + 2_000) * 32, 0);
        assert_eq!(sent(&rest), expected);
        assert!(!conversation.is_playing_upload());
    }

    #[test]
    fn the_microphone_is_not_heard_while_a_turn_is_spoken() {
        let mut conversation = conversation();
        let (turn, live) = (speech(500, 1), Bytes::from(speech(100, 2)));
        conversation.handle(Input::Uploaded(turn.clone().into()), 1_000);
        let mut heard = Vec::new();
        let mut now_ms = 1_000;
        while conversation.is_playing_upload() {
            conversation.handle(Input::Audio(live.clone()), now_ms);
            heard.extend(sent(&outputs(&mut conversation)));
            now_ms += 50;
        }
        assert!(heard.starts_with(&turn) && heard[turn.len()..].iter().all(|byte| *byte == 0));
        conversation.handle(Input::Audio(live.clone()), now_ms);
        assert_eq!(sent(&outputs(&mut conversation)), live);
    }

    #[test]
    fn a_spoken_turn_is_recorded_like_one_of_the_microphone() {
        let mut conversation = conversation();
        let turn = speech(1_000, 1);
        conversation.handle(Input::Uploaded(turn.clone().into()), 1_000);
        let mut all = pass(&mut conversation, 1_000, 3_500);
        say(&mut conversation, Speaker::Learner, "I see a market.", 3_500);
        say(&mut conversation, Speaker::Tutor, "So do I.", 3_600);
        all.extend(pass(&mut conversation, 3_600, 6_000));
        let turns = recorded(&all);
        assert_eq!(turns[0].text, "I see a market.");
        assert_eq!((turns[0].speech_ms, turns[0].start_ms, turns[0].typed), (1_000, 1_000, false));
        let holds = |output: &Output| matches!(output, Output::StoreAudio { pcm, .. } if pcm.windows(turn.len()).any(|part| part == turn));
        assert_eq!(all.iter().filter(|output| holds(output)).count(), 1);
        assert_eq!(turns[1].text, "So do I.");
    }

    #[test]
    fn what_a_lost_stream_has_heard_of_a_turn_is_heard_again() {
        let mut conversation = conversation();
        let turn = speech(1_000, 1);
        conversation.handle(Input::Uploaded(turn.clone().into()), 1_000);
        pass(&mut conversation, 1_000, 1_500);
        conversation.handle(Input::StreamEnded(StreamId(0)), 1_500);
        pass(&mut conversation, 1_500, 3_000);
        conversation.handle(Input::StreamOpened(StreamId(1)), 3_000);
        let heard = sent(&pass(&mut conversation, 3_000, 5_000));
        let start = heard.windows(2).position(|pair| pair == &turn[..2]).unwrap();
        assert!(heard[start..].starts_with(&turn));
    }

    #[test]
    fn one_turn_at_a_time_is_spoken() {
        let mut conversation = conversation();
        let turn = speech(500, 1);
        conversation.handle(Input::Uploaded(turn.clone().into()), 1_000);
        conversation.handle(Input::Uploaded(speech(500, 2).into()), 1_000);
        let heard = sent(&pass(&mut conversation, 1_000, 3_000));
        assert!(heard.starts_with(&turn) && heard[turn.len()..].iter().all(|byte| *byte == 0));
    }

    #[test]
    fn the_end_ends_a_turn_that_is_being_spoken() {
        let mut conversation = conversation();
        conversation.handle(Input::Uploaded(speech(5_000, 1).into()), 1_000);
        pass(&mut conversation, 1_000, 2_000);
        conversation.handle(Input::EndRequested, 2_000);
        assert!(!conversation.is_playing_upload());
        let all = pass(&mut conversation, 2_000, 20_000);
        assert!(sent(&all).is_empty());
        assert!(
            all.iter().any(|output| matches!(output, Output::End(end) if end.reason == EndReason::Learner))
        );
    }

    #[test]
    fn a_typed_turn_is_recorded_as_typed_and_answered() {
        let mut conversation = conversation();
        conversation.handle(Input::Typed(" I see a dog. ".to_owned()), 1_000);
        let mut all = outputs(&mut conversation);
        let asked = |output: &Output| matches!(output, Output::SendText { text, .. } if text.contains("I see a dog."));
        assert_eq!(all.iter().filter(|output| asked(output)).count(), 1);
        say(&mut conversation, Speaker::Tutor, "What colour is it?", 1_400);
        all.extend(pass(&mut conversation, 1_400, 4_000));
        let turns = recorded(&all);
        let texts: Vec<(&str, bool)> = turns.iter().map(|turn| (&*turn.text, turn.typed)).collect();
        assert_eq!(texts, [("I see a dog.", true), ("What colour is it?", false)]);
        let refused = |output: &Output| matches!(output, Output::Send(ServerMessage::Error { .. }));
        assert!(!all.iter().any(refused));
    }
}
