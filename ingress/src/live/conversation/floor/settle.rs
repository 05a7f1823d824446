//! PURE. Ends and records turns: when no further event can change them, when the next turn begins, and when the conversation
//! ends or is handed over.

use std::collections::VecDeque;

use events::contract::{Speaker, Turn};

use super::{FINAL_WAIT_MS_MAX, Floor, Open, SETTLE_MS_MAX, Words};
use crate::live::conversation::{
    history::Message,
    output::Output,
    tutor::{Cut, CutBy, PLAYED_TOLERANCE_MS},
};

impl Floor {
    /// Ends the tutor's turn if no further event can change it.
    pub(in crate::live::conversation) fn settle(&mut self, at_ms: u64, outputs: &mut VecDeque<Output>) {
        self.settle_fading(at_ms, outputs);
        let Some(open) = &self.tutor else { return };
        let over = if let Some(cut) = open.turn.cut {
            let reported = cut.confirmed && (open.reported_ms.is_none() || open.reported_since_cut);
            reported || at_ms >= cut.at_ms + SETTLE_MS_MAX
        } else if open.turn.is_complete() {
            // The client can still report a cut while it plays this turn or the one before it.
            let unknown = open.reported_ms.is_none() && open.behind_ms <= PLAYED_TOLERANCE_MS;
            let reported =
                open.reported_ms.is_some_and(|ms| ms + PLAYED_TOLERANCE_MS >= open.turn.produced_ms());
            unknown || reported || at_ms >= self.playing_until_ms
        } else {
            open.turn.audio_over && at_ms >= open.last_event_ms + FINAL_WAIT_MS_MAX
        };
        if over {
            self.end_tutor_turn(outputs);
        }
    }

    /// The conversation ends: ends both turns as far as they came.
    pub(in crate::live::conversation) fn finish(&mut self, at_ms: u64, outputs: &mut VecDeque<Output>) {
        self.finish_tutor(at_ms, outputs);
        self.end_learner_turn(at_ms, outputs);
    }

    /// The conversation is handed over: ends the tutor's turn with what was played. The next owner's stream transcribes the
    /// learner's unfinished turn again, from its audio.
    pub(in crate::live::conversation) fn release(&mut self, at_ms: u64, outputs: &mut VecDeque<Output>) {
        self.finish_tutor(at_ms, outputs);
        if !self.microphone.has_speech() {
            self.end_learner_turn(at_ms, outputs);
        }
    }

    fn finish_tutor(&mut self, at_ms: u64, outputs: &mut VecDeque<Output>) {
        self.cut_fading(at_ms);
        let all_played = self.playing_until_ms <= at_ms;
        if let Some(open) = &self.tutor {
            let heard =
                open.reported_ms.is_some_and(|ms| ms + PLAYED_TOLERANCE_MS >= open.turn.produced_ms());
            let whole = open.turn.is_complete() || (open.turn.audio_over && (heard || all_played));
            if !whole {
                self.cut(CutBy::Model, at_ms);
            }
        }
        self.end_fading(outputs);
        self.end_tutor_turn(outputs);
    }

    pub(super) fn end_tutor_turn(&mut self, outputs: &mut VecDeque<Output>) {
        let Some(open) = self.tutor.take() else { return };
        self.end_fading(outputs);
        self.muted = !open.turn.audio_over;
        self.owed_finals = open.turn.unspoken();
        self.record_tutor(open, false, outputs);
    }

    /// Records a tutor's turn as far as it was played. `in_history`: the history has it already.
    pub(super) fn record_tutor(&mut self, mut open: Open, in_history: bool, outputs: &mut VecDeque<Output>) {
        let heard_ms = match (open.reported_ms, open.turn.cut) {
            (_, Some(Cut { by: CutBy::Loss, heard_ms, .. })) => heard_ms,
            (Some(reported), Some(_)) => reported,
            (None, Some(cut)) => cut.heard_ms,
            (_, None) => open.turn.produced_ms(),
        };
        let text = open.turn.text(heard_ms);
        if text.is_empty() {
            return;
        }
        let mut turn = self.turn(Speaker::Tutor, text, open.start_ms);
        turn.speech_ms = open.turn.produced_ms();
        turn.end_ms = match open.turn.cut {
            Some(cut) => cut.at_ms.max(open.start_ms),
            None => open.start_ms + turn.speech_ms,
        };
        turn.answer_latency_ms = open.answer_latency_ms;
        turn.interrupted = open.turn.cut.is_some();
        turn.played_ms = open.turn.cut.and(open.reported_ms);
        let audio = open.turn.take_audio();
        if !in_history {
            self.history.add(Message { speaker: turn.speaker, text: turn.text.clone() });
        }
        self.record(turn, audio, outputs);
    }

    pub(super) fn end_learner_turn(&mut self, at_ms: u64, outputs: &mut VecDeque<Output>) {
        let Words { blocks, lost } = std::mem::take(&mut self.learner);
        if std::mem::take(&mut self.prompting) {
            self.microphone.end_turn();
            return;
        }
        let words = if blocks.is_empty() { lost } else { blocks };
        let words: Vec<&str> =
            words.iter().map(|block| block.trim()).filter(|block| !block.is_empty()).collect();
        if words.is_empty() {
            return;
        }
        self.end_fading(outputs);
        let recording = self.microphone.end_turn();
        let mut turn = self.turn(Speaker::Learner, words.join(" "), at_ms);
        if let Some(heard) = recording.heard {
            turn.start_ms = heard.start_ms;
            turn.end_ms = heard.end_ms.max(heard.start_ms);
            turn.speech_ms = heard.speech_ms;
        }
        self.learner_speech_ms += turn.speech_ms;
        self.unanswered_since_ms = Some(turn.end_ms);
        self.history.add_learner(&turn);
        self.record(turn, recording.pcm, outputs);
    }

    pub(super) fn turn(&self, speaker: Speaker, text: String, at_ms: u64) -> Turn {
        Turn::spoken(self.turns, speaker, text, at_ms, 0)
    }

    pub(super) fn record(&mut self, mut turn: Turn, pcm: Vec<u8>, outputs: &mut VecDeque<Output>) {
        self.turns += 1;
        self.learner_turns += u32::from(turn.speaker == Speaker::Learner);
        if let Some(latency_ms) = turn.answer_latency_ms {
            self.latencies.add(latency_ms);
        }
        if !pcm.is_empty() {
            let speaker = match turn.speaker {
                Speaker::Learner => "learner",
                Speaker::Tutor => "tutor",
            };
            let key = format!("{}{:05}-{speaker}.wav", self.audio_prefix, turn.index);
            turn.audio_key = Some(key.clone());
            outputs.push_back(Output::StoreAudio { key, pcm });
        }
        outputs.push_back(Output::Record(turn));
    }
}
