//! PURE. A tutor's turn whose stream is lost while the client still plays its audio. No event of the model follows; the turn
//! ends when all of it was played, or when the learner speaks over it.

use std::collections::VecDeque;

use super::{Floor, Open, SETTLE_MS_MAX};
use crate::live::conversation::{
    history::Message,
    output::Output,
    tutor::{Cut, CutBy, PLAYED_TOLERANCE_MS},
};
use events::contract::Speaker;

/// See the module.
#[derive(Debug)]
pub(super) struct Fading {
    pub(super) open: Open,
    /// When the client has played it.
    until_ms: u64,
}

impl Fading {
    /// When it ends without a further event.
    pub(super) fn due_ms(&self) -> u64 {
        match self.open.turn.cut {
            Some(Cut { by: CutBy::Learner, at_ms, .. }) => at_ms + SETTLE_MS_MAX,
            Some(_) | None => self.until_ms,
        }
    }

    fn is_over(&self, at_ms: u64) -> bool {
        let reported_ms = self.open.reported_ms;
        let reported = match self.open.turn.cut {
            Some(Cut { by: CutBy::Learner, .. }) => reported_ms.is_none() || self.open.reported_since_cut,
            Some(_) | None => {
                reported_ms.is_some_and(|ms| ms + PLAYED_TOLERANCE_MS >= self.open.turn.produced_ms())
            }
        };
        reported || at_ms >= self.due_ms()
    }
}

impl Floor {
    /// The tutor's turn loses its stream: it ends now, or when the client has played it.
    pub(super) fn fade(&mut self, at_ms: u64, outputs: &mut VecDeque<Output>) {
        self.end_fading(outputs);
        let (until_ms, generation) = (self.playing_until_ms, self.generation);
        let plays_on = |open: &mut Open| {
            let untouched = open.turn.cut.is_none_or(|cut| cut.by == CutBy::Loss);
            untouched && open.generation == generation && open.turn.produced_ms() > 0 && until_ms > at_ms
        };
        let Some(open) = self.tutor.take_if(plays_on) else {
            self.end_tutor_turn(outputs);
            return;
        };
        // The history of the next stream has it before it is recorded.
        let text = open.turn.text(open.turn.produced_ms());
        if !text.is_empty() {
            self.history.add(Message { speaker: Speaker::Tutor, text });
        }
        self.fading = Some(Fading { open, until_ms });
    }

    /// Discards what the client has not played of it.
    pub(super) fn cut_fading(&mut self, at_ms: u64) {
        let Some(fading) = &mut self.fading else { return };
        if fading.open.turn.cut.is_some_and(|cut| cut.by == CutBy::Learner) || at_ms >= fading.until_ms {
            return;
        }
        let heard_ms = fading.open.turn.produced_ms().saturating_sub(fading.until_ms - at_ms);
        fading.open.turn.cut = Some(Cut { at_ms, by: CutBy::Learner, heard_ms, confirmed: true });
        fading.open.reported_since_cut = false;
    }

    /// Ends it if no further event can change it.
    pub(super) fn settle_fading(&mut self, at_ms: u64, outputs: &mut VecDeque<Output>) {
        if self.fading.as_ref().is_some_and(|fading| fading.is_over(at_ms)) {
            self.end_fading(outputs);
        }
    }

    /// Ends it with what was played, as far as is known.
    pub(super) fn end_fading(&mut self, outputs: &mut VecDeque<Output>) {
        if let Some(Fading { open, .. }) = self.fading.take() {
            self.record_tutor(open, true, outputs);
        }
    }

    /// How far the client is behind the model, in milliseconds, if a turn begins now.
    pub(super) fn behind_ms(&self, at_ms: u64) -> u64 {
        self.fading.as_ref().map_or(0, |fading| fading.until_ms.saturating_sub(at_ms))
    }
}

#[cfg(test)]
mod tests {
    use events::contract::Turn;

    use super::*;
    use crate::live::conversation::model_event::{AudioFrame, ModelEvent, Stage, StopReason};

    fn audio(ms: usize) -> ModelEvent {
        ModelEvent::Audio(AudioFrame::new(&vec![0; ms * 32]))
    }

    fn say(floor: &mut Floor, text: &str, stage: Stage, at_ms: u64, outputs: &mut VecDeque<Output>) {
        let speaker = Speaker::Tutor;
        floor.model(ModelEvent::TextStart { speaker, stage }, at_ms, outputs);
        floor.model(ModelEvent::Text { speaker, stage, content: text.to_owned() }, at_ms, outputs);
        floor.model(ModelEvent::TextEnd { speaker, stage, stop: StopReason::PartialTurn }, at_ms, outputs);
    }

    /// A floor whose tutor has said "One two." whole and half of a second sentence, at 0 ms; then its stream is lost.
    fn lost(outputs: &mut VecDeque<Output>) -> Floor {
        let mut floor = Floor::new("audio/".to_owned(), 1_500);
        say(&mut floor, "One two.", Stage::Speculative, 0, outputs);
        floor.model(audio(1_000), 0, outputs);
        floor.model(ModelEvent::AudioEnd { stop: StopReason::PartialTurn }, 0, outputs);
        say(&mut floor, "Three four five six seven eight.", Stage::Speculative, 0, outputs);
        floor.model(audio(2_000), 0, outputs);
        assert!(floor.stream_lost(100, outputs));
        floor
    }

    fn recorded(outputs: &VecDeque<Output>) -> Vec<&Turn> {
        let turn = |output: &'_ Output| matches!(output, Output::Record(_));
        let turns = outputs.iter().filter(|output| turn(output));
        turns.filter_map(|output| if let Output::Record(turn) = output { Some(turn) } else { None }).collect()
    }

    #[test]
    fn what_the_page_plays_to_its_end_was_heard_though_its_stream_is_lost() {
        let mut outputs = VecDeque::new();
        let mut floor = lost(&mut outputs);
        assert_eq!(floor.deadline_ms(), Some(3_000));
        assert!(recorded(&outputs).is_empty() && !floor.is_quiet());
        floor.settle(3_000, &mut outputs);
        let turns = recorded(&outputs);
        // 8 bytes took a second, so two seconds are 16 bytes of the sentence that was cut.
        assert_eq!((&*turns[0].text, turns[0].interrupted), ("One two. Three four five", true));
        assert_eq!(floor.history().turns().len(), 1);
    }

    #[test]
    fn what_the_learner_speaks_over_was_not_heard() {
        let mut outputs = VecDeque::new();
        let mut floor = lost(&mut outputs);
        floor.interrupt(1_050, &mut outputs);
        assert_eq!(recorded(&outputs)[0].text, "One two.");
    }

    #[test]
    fn the_page_knows_best_what_it_has_played() {
        let mut outputs = VecDeque::new();
        let mut floor = lost(&mut outputs);
        floor.played(0, 400, 400, &mut outputs);
        floor.interrupt(1_050, &mut outputs);
        assert!(recorded(&outputs).is_empty());
        floor.played(0, 980, 1_060, &mut outputs);
        assert_eq!((&*recorded(&outputs)[0].text, recorded(&outputs)[0].played_ms), ("One two.", Some(980)));
    }

    #[test]
    fn of_an_answer_behind_it_only_what_was_played_counts() {
        let mut outputs = VecDeque::new();
        let mut floor = lost(&mut outputs);
        say(&mut floor, "Sorry.", Stage::Speculative, 200, &mut outputs);
        floor.model(audio(500), 200, &mut outputs);
        floor.model(ModelEvent::AudioEnd { stop: StopReason::EndTurn }, 200, &mut outputs);
        say(&mut floor, "Sorry.", Stage::Final, 700, &mut outputs);
        floor.model(ModelEvent::InterruptedMarker, 900, &mut outputs);
        floor.settle(900 + SETTLE_MS_MAX, &mut outputs);
        let texts: Vec<&str> = recorded(&outputs).iter().map(|turn| turn.text.as_str()).collect();
        assert_eq!(texts, ["One two."]);
    }
}
