//! PURE. How the events of the model become turns: planned sentences, audio, spoken texts and the learner's words.

use std::collections::VecDeque;

use events::contract::{
    Speaker,
    live::{BYTES_PER_MS, CaptionStage, ServerMessage},
};

use super::{Floor, Open};
use crate::live::conversation::{
    model_event::{AudioFrame, ModelEvent, Stage, StopReason},
    output::Output,
    tutor::{CutBy, TURN_TEXT_BYTES_MAX, TutorTurn, push_words},
};

impl Floor {
    /// Handles an event of the model.
    pub(in crate::live::conversation) fn model(
        &mut self,
        event: ModelEvent,
        at_ms: u64,
        outputs: &mut VecDeque<Output>,
    ) {
        match event {
            ModelEvent::TextStart { speaker: Speaker::Tutor, stage: Stage::Speculative } => {
                self.plan(at_ms, outputs);
            }
            ModelEvent::TextStart { speaker: Speaker::Tutor, stage: Stage::Final } => {
                self.speak(at_ms, outputs);
            }
            ModelEvent::TextStart { speaker: Speaker::Learner, stage: Stage::Final } => {
                self.microphone.transcribed();
                self.learner.blocks.push(String::new());
            }
            ModelEvent::TextStart { speaker: Speaker::Learner, stage: Stage::Speculative } => {}
            ModelEvent::Text { speaker, stage, content } => self.text(speaker, stage, &content, outputs),
            ModelEvent::TextEnd { speaker: Speaker::Tutor, stage, stop } => {
                let open = self.tutor.as_mut().filter(|_| stage == Stage::Final);
                let confirmed = open.is_some_and(|open| open.turn.spoken_to_end());
                if stop == StopReason::Interrupted {
                    self.interrupted(confirmed, at_ms, outputs);
                }
            }
            ModelEvent::TextEnd { speaker: Speaker::Learner, .. } => {
                self.learner.blocks.retain(|block| !block.trim().is_empty());
            }
            ModelEvent::InterruptedMarker => {
                match &mut self.tutor {
                    Some(open) => open.turn.unspeak(),
                    // The block of the marker was not a FINAL text of the ended turn, which is still to come.
                    None => self.owed_finals += 1,
                }
                self.interrupted(false, at_ms, outputs);
            }
            ModelEvent::ToolStart => {
                self.tool_pending = true;
                self.end_learner_turn(at_ms, outputs);
            }
            ModelEvent::AudioStart | ModelEvent::ToolUse(_) | ModelEvent::Usage(_) | ModelEvent::Other => {}
            ModelEvent::Audio(frame) => self.audio(frame, at_ms, outputs),
            ModelEvent::AudioEnd { stop } => self.audio_end(stop, at_ms, outputs),
            ModelEvent::CompletionEnd => {}
        }
        if let Some(open) = &mut self.tutor {
            open.last_event_ms = at_ms;
        }
        self.settle(at_ms, outputs);
    }

    fn plan(&mut self, at_ms: u64, outputs: &mut VecDeque<Output>) {
        if self.muted && self.learner.blocks.is_empty() {
            // Its FINAL text is discarded as well, also if it comes after the model has noticed the barge-in.
            self.owed_finals += 1;
            return;
        }
        if self.next_is_new_turn() {
            self.end_tutor_turn(outputs);
            self.end_learner_turn(at_ms, outputs);
        }
        self.open(at_ms).turn.plan();
    }

    fn speak(&mut self, at_ms: u64, outputs: &mut VecDeque<Output>) {
        if self.closing && self.tutor.as_ref().is_none_or(|open| open.turn.unspoken() == 0) {
            return;
        }
        if self.tutor.is_none() {
            if self.muted || self.owed_finals > 0 {
                self.owed_finals = self.owed_finals.saturating_sub(1);
                return;
            }
            self.end_learner_turn(at_ms, outputs);
        }
        self.open(at_ms).turn.speak();
    }

    fn text(&mut self, speaker: Speaker, stage: Stage, text: &str, outputs: &mut VecDeque<Output>) {
        match (speaker, stage) {
            (Speaker::Learner, Stage::Speculative) => return,
            (Speaker::Learner, Stage::Final) => {
                let used: usize = self.learner.blocks.iter().map(String::len).sum();
                if let Some(block) = self.learner.blocks.last_mut() {
                    push_words(block, text, TURN_TEXT_BYTES_MAX.saturating_sub(used));
                }
                self.learner.lost.clear();
                if self.prompting {
                    return;
                }
            }
            (Speaker::Tutor, stage) => {
                let Some(open) = &mut self.tutor else { return };
                match stage {
                    Stage::Speculative => open.turn.planned(text),
                    Stage::Final => open.turn.spoken(text),
                }
                if open.turn.cut.is_some_and(|cut| cut.by == CutBy::Learner) {
                    return;
                }
            }
        }
        let stage = match stage {
            Stage::Speculative => CaptionStage::Speculative,
            Stage::Final => CaptionStage::Final,
        };
        let text = text.to_owned();
        outputs.push_back(Output::Send(ServerMessage::Caption {
            speaker,
            stage,
            text,
            generation: self.generation,
        }));
    }

    fn audio(&mut self, frame: AudioFrame, at_ms: u64, outputs: &mut VecDeque<Output>) {
        if self.muted {
            return;
        }
        if self.tutor.is_none() {
            self.end_learner_turn(at_ms, outputs);
        }
        let since = self.unanswered_since_ms;
        let open = self.open(at_ms);
        if open.turn.cut.is_some() {
            return;
        }
        if open.turn.produced_ms() == 0 {
            open.start_ms = at_ms;
            open.answer_latency_ms = since.map(|since| at_ms.saturating_sub(since));
            self.unanswered_since_ms = None;
        }
        let pcm_ms = frame.pcm().len() as u64 / BYTES_PER_MS;
        self.open(at_ms).turn.produce(frame.pcm());
        self.generation_ms += pcm_ms;
        self.playing_until_ms = self.playing_until_ms.max(at_ms) + pcm_ms;
        outputs.push_back(Output::Audio { generation: self.generation, frame });
    }

    fn audio_end(&mut self, stop: StopReason, at_ms: u64, outputs: &mut VecDeque<Output>) {
        match stop {
            StopReason::PartialTurn | StopReason::Other => {
                if let Some(open) = &mut self.tutor {
                    open.turn.sentence_over();
                }
            }
            StopReason::Interrupted => self.interrupted(false, at_ms, outputs),
            StopReason::EndTurn => {
                self.muted = false;
                if let Some(open) = &mut self.tutor {
                    open.turn.sentence_over();
                    open.turn.audio_over = true;
                }
            }
        }
    }

    fn open(&mut self, at_ms: u64) -> &mut Open {
        let (generation, offset_ms) = (self.generation, self.generation_ms);
        let behind_ms = self.behind_ms(at_ms);
        self.tool_pending = false;
        if self.tutor.is_none() {
            self.owed_finals = 0;
            self.muted = false;
        }
        self.tutor.get_or_insert_with(|| Open {
            turn: TutorTurn::default(),
            start_ms: at_ms,
            answer_latency_ms: None,
            generation,
            offset_ms,
            reported_ms: None,
            reported_since_cut: false,
            last_event_ms: at_ms,
            behind_ms,
        })
    }
}
