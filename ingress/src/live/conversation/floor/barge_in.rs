//! PURE. Barge-in: the learner speaks over the tutor. There are three signals of the model and one of the client, and the
//! client reports what it has played. The first signal cuts the turn and flushes the audio that was not played.

use std::collections::VecDeque;

use super::Floor;
use crate::{
    live::conversation::output::Output,
    live::conversation::tutor::{Cut, CutBy, PLAYED_TOLERANCE_MS},
};
use events::contract::live::ServerMessage;

impl Floor {
    /// The client has played `ms` of `generation`.
    pub(in crate::live::conversation) fn played(
        &mut self,
        generation: u32,
        ms: u64,
        at_ms: u64,
        outputs: &mut VecDeque<Output>,
    ) {
        let fading = self.fading.as_mut().map(|fading| &mut fading.open);
        for open in self.tutor.iter_mut().chain(fading).filter(|open| open.generation == generation) {
            let played = ms.saturating_sub(open.offset_ms).min(open.turn.produced_ms());
            if played > 0 {
                open.reported_ms = Some(open.reported_ms.unwrap_or(0).max(played));
                open.reported_since_cut = open.turn.cut.is_some();
            }
        }
        // A learner who slows the tutor down is still listening when the clock says that all was played.
        let until_ms = at_ms + self.generation_ms.saturating_sub(ms);
        if generation == self.generation && until_ms > self.playing_until_ms + PLAYED_TOLERANCE_MS {
            self.playing_until_ms = until_ms;
        }
        self.settle(at_ms, outputs);
    }

    /// The client has detected that the learner speaks over the tutor.
    pub(in crate::live::conversation) fn interrupt(&mut self, at_ms: u64, outputs: &mut VecDeque<Output>) {
        let playing = self.playing_until_ms > at_ms;
        let cut = self.cut(CutBy::Learner, at_ms);
        if cut || playing {
            self.flush(at_ms, outputs);
        }
        self.settle(at_ms, outputs);
    }

    /// The end was requested: a tutor who is still speaking is cut short.
    pub(in crate::live::conversation) fn begin_closing(&mut self, at_ms: u64) {
        self.closing = true;
        if self.tutor.as_ref().is_some_and(|open| !open.turn.audio_over) {
            self.cut(CutBy::Model, at_ms);
        }
    }

    /// The model has reported that the learner spoke over the tutor; `confirmed`: with the spoken words.
    pub(super) fn interrupted(&mut self, confirmed: bool, at_ms: u64, outputs: &mut VecDeque<Output>) {
        self.muted = false;
        let playing = self.playing_until_ms > at_ms;
        let cut = self.cut(CutBy::Model, at_ms);
        if let Some(open) = &mut self.tutor {
            open.turn.audio_over = true;
            if cut {
                open.turn.broken_off();
            }
            if let Some(cut) = &mut open.turn.cut {
                cut.confirmed |= confirmed;
            }
        }
        if cut || (self.tutor.is_none() && playing) {
            self.flush(at_ms, outputs);
        }
    }

    /// Cuts the tutor's turn short. Returns whether there was one that was not cut before.
    pub(super) fn cut(&mut self, by: CutBy, at_ms: u64) -> bool {
        let unplayed_ms = self.playing_until_ms.saturating_sub(at_ms);
        let Some(open) = self.tutor.as_mut().filter(|open| open.turn.cut.is_none()) else { return false };
        let heard_ms = open.turn.produced_ms().saturating_sub(unplayed_ms);
        // The model assumes that the client has played audio that it has not.
        let by = if open.behind_ms > PLAYED_TOLERANCE_MS { CutBy::Learner } else { by };
        open.turn.cut = Some(Cut { at_ms, by, heard_ms, confirmed: false });
        true
    }

    pub(super) fn flush(&mut self, at_ms: u64, outputs: &mut VecDeque<Output>) {
        self.cut_fading(at_ms);
        self.generation += 1;
        self.generation_ms = 0;
        self.playing_until_ms = at_ms;
        outputs.push_back(Output::Send(ServerMessage::Flush { generation: self.generation }));
    }
}

#[cfg(test)]
mod tests {
    use events::contract::{Speaker, Turn, live::ServerMessage};

    use super::super::SETTLE_MS_MAX;
    use crate::{
        live::conversation::model_event::{ModelEvent, Stage, StopReason},
        live::conversation::{
            Input, StreamId,
            test_fixture::{Harness, settings},
        },
    };

    /// How the model reports a barge-in.
    #[derive(Clone, Copy, Debug)]
    enum Style {
        /// The FINAL text of the cut sentence ends with INTERRUPTED.
        Text,
        /// The audio block ends with INTERRUPTED; the FINAL text may come after it.
        Audio,
        /// A text block `{ "interrupted" : true }`.
        Marker,
    }

    const STYLES: [Style; 3] = [Style::Text, Style::Audio, Style::Marker];

    /// Two sentences of four seconds, of which the client has played 2.5 s.
    fn interrupted_talk() -> Harness {
        let mut talk = Harness::new(settings());
        talk.open(StreamId(0));
        talk.tutor_begins("There is a dog.", 2_000);
        talk.model(ModelEvent::AudioEnd { stop: StopReason::PartialTurn });
        talk.tutor_begins("What is it doing now?", 2_000);
        talk.text(Speaker::Tutor, Stage::Final, "There is a dog.", StopReason::PartialTurn);
        talk.pass(2_400);
        talk.input(Input::Played { generation: 0, ms: 2_350 });
        talk.pass(100);
        talk
    }

    fn signal(talk: &mut Harness, style: Style) {
        match style {
            Style::Text => talk.text(Speaker::Tutor, Stage::Final, "What is it", StopReason::Interrupted),
            Style::Audio => {
                talk.model(ModelEvent::AudioEnd { stop: StopReason::Interrupted });
                talk.text(Speaker::Tutor, Stage::Final, "What is it", StopReason::Interrupted);
            }
            Style::Marker => {
                talk.model(ModelEvent::TextStart { speaker: Speaker::Tutor, stage: Stage::Final });
                talk.model(ModelEvent::InterruptedMarker);
                let (speaker, stage, stop) = (Speaker::Tutor, Stage::Final, StopReason::EndTurn);
                talk.model(ModelEvent::TextEnd { speaker, stage, stop });
                talk.text(Speaker::Tutor, Stage::Final, "What is it", StopReason::EndTurn);
            }
        }
    }

    fn flushes(talk: &Harness) -> Vec<u32> {
        let generation = |message: &&ServerMessage| {
            if let ServerMessage::Flush { generation } = message { Some(*generation) } else { None }
        };
        talk.sent().iter().filter_map(generation).collect()
    }

    fn turn(talk: &Harness) -> Turn {
        let turns = talk.turns();
        assert_eq!(turns.len(), 1, "{turns:?}");
        turns[0].clone()
    }

    #[test]
    fn each_signal_of_the_model_flushes_once_and_keeps_what_was_spoken_and_played() {
        for style in STYLES {
            let mut talk = interrupted_talk();
            signal(&mut talk, style);
            assert_eq!(flushes(&talk), [1], "{style:?}");
            // The client has stopped and reports its position.
            talk.input(Input::Played { generation: 0, ms: 2_500 });
            talk.pass(SETTLE_MS_MAX);
            let turn = turn(&talk);
            assert_eq!(turn.text, "There is a dog. What is it", "{style:?}");
            assert_eq!((turn.interrupted, turn.played_ms), (true, Some(2_500)), "{style:?}");
            assert_eq!((turn.start_ms, turn.end_ms, turn.speech_ms), (0, 2_500, 4_000), "{style:?}");
        }
    }

    #[test]
    fn all_signals_of_one_barge_in_flush_once() {
        let mut talk = interrupted_talk();
        STYLES.into_iter().for_each(|style| signal(&mut talk, style));
        talk.input(Input::Interrupted);
        talk.pass(SETTLE_MS_MAX);
        assert_eq!(flushes(&talk), [1]);
        assert!(turn(&talk).interrupted);
    }

    #[test]
    fn audio_after_the_cut_is_not_given_to_the_page() {
        for style in STYLES {
            let mut talk = interrupted_talk();
            signal(&mut talk, style);
            let before = talk.outputs.len();
            talk.model(ModelEvent::Audio(crate::live::conversation::AudioFrame::new(&[1; 640])));
            let audio = |output: &crate::live::conversation::Output| {
                matches!(output, crate::live::conversation::Output::Audio { .. })
            };
            assert!(!talk.outputs[before..].iter().any(audio), "{style:?}");
        }
    }

    #[test]
    fn what_the_model_says_after_a_hint_of_the_page_is_nobodys() {
        let mut talk = interrupted_talk();
        talk.input(Input::Played { generation: 0, ms: 2_400 });
        talk.input(Input::Interrupted);
        talk.input(Input::Played { generation: 0, ms: 2_500 });
        talk.pass(SETTLE_MS_MAX);
        let turns = talk.turns().len();
        // The model has not noticed yet; then it reports its own position.
        talk.tutor_begins("Can you see its tail?", 1_000);
        talk.model(ModelEvent::AudioEnd { stop: StopReason::EndTurn });
        talk.text(Speaker::Tutor, Stage::Final, "What is it doing now?", StopReason::PartialTurn);
        talk.text(Speaker::Tutor, Stage::Final, "Can you", StopReason::Interrupted);
        talk.pass(20_000);
        assert_eq!(talk.turns().len(), turns);
    }

    #[test]
    fn the_marker_of_a_barge_in_is_not_taken_for_the_words_that_follow_it() {
        let mut talk = interrupted_talk();
        talk.input(Input::Interrupted);
        talk.pass(SETTLE_MS_MAX);
        let turns = talk.turns().len();
        talk.model(ModelEvent::AudioEnd { stop: StopReason::EndTurn });
        talk.model(ModelEvent::TextStart { speaker: Speaker::Tutor, stage: Stage::Final });
        talk.model(ModelEvent::InterruptedMarker);
        talk.model(ModelEvent::TextEnd {
            speaker: Speaker::Tutor,
            stage: Stage::Final,
            stop: StopReason::PartialTurn,
        });
        talk.text(Speaker::Tutor, Stage::Final, "What is it", StopReason::EndTurn);
        talk.pass(20_000);
        assert_eq!(talk.turns().len(), turns);
    }

    #[test]
    fn a_sentence_of_which_hardly_anything_was_spoken_before_the_marker_came_was_not_said() {
        let mut talk = Harness::new(settings());
        talk.open(StreamId(0));
        talk.tutor_begins("What is it doing now?", 60);
        talk.model(ModelEvent::AudioEnd { stop: StopReason::EndTurn });
        talk.model(ModelEvent::TextStart { speaker: Speaker::Tutor, stage: Stage::Final });
        talk.model(ModelEvent::InterruptedMarker);
        talk.model(ModelEvent::TextEnd {
            speaker: Speaker::Tutor,
            stage: Stage::Final,
            stop: StopReason::PartialTurn,
        });
        talk.pass(SETTLE_MS_MAX);
        assert_eq!((flushes(&talk), talk.turns().len()), (vec![1], 0));
    }

    #[test]
    fn a_hint_of_the_page_flushes_at_once_and_only_what_was_played_counts() {
        let mut talk = interrupted_talk();
        talk.model(ModelEvent::AudioEnd { stop: StopReason::EndTurn });
        talk.input(Input::Interrupted);
        assert_eq!(flushes(&talk), [1]);
        talk.input(Input::Played { generation: 0, ms: 2_500 });
        // The model has not noticed and reports that all was spoken.
        talk.text(Speaker::Tutor, Stage::Final, "What is it doing now?", StopReason::EndTurn);
        talk.pass(SETTLE_MS_MAX);
        let turn = turn(&talk);
        // A quarter of the audio of the second sentence, so one of its five words.
        assert_eq!((turn.text.as_str(), turn.interrupted), ("There is a dog. What", true));
        assert_eq!((turn.played_ms, turn.end_ms), (Some(2_500), 2_500));
    }

    #[test]
    fn learner_who_slows_the_tutor_down_interrupts_after_the_time_of_the_audio() {
        let mut talk = Harness::new(settings());
        talk.open(StreamId(0));
        talk.tutor_begins("There is a dog.", 2_000);
        // At half the pace; a page reports five times a second.
        for round in 0..15 {
            talk.pass(200);
            let ms = talk.now_ms() / 2;
            talk.input(Input::Played { generation: 0, ms });
            if round == 0 {
                talk.model(ModelEvent::AudioEnd { stop: StopReason::EndTurn });
                talk.text(Speaker::Tutor, Stage::Final, "There is a dog.", StopReason::EndTurn);
            }
        }
        assert!(talk.now_ms() > 2_500 && talk.turns().is_empty(), "the learner has heard three quarters");
        let heard_ms = talk.now_ms() / 2;
        talk.input(Input::Interrupted);
        assert_eq!(flushes(&talk), [1]);
        talk.pass(SETTLE_MS_MAX);
        let turn = turn(&talk);
        assert_eq!((turn.interrupted, turn.played_ms), (true, Some(heard_ms)));
    }

    #[test]
    fn a_page_that_reports_nothing_leaves_the_played_time_open() {
        let mut talk = Harness::new(settings());
        talk.open(StreamId(0));
        talk.tutor_begins("There is a dog.", 2_000);
        talk.pass(1_000);
        talk.text(Speaker::Tutor, Stage::Final, "There is", StopReason::Interrupted);
        let turn = turn(&talk);
        assert_eq!((turn.text.as_str(), turn.interrupted), ("There is", true));
        assert_eq!((turn.played_ms, turn.end_ms), (None, 1_000));
    }

    #[test]
    fn a_turn_that_was_heard_to_its_end_is_not_interrupted() {
        let mut talk = Harness::new(settings());
        talk.open(StreamId(0));
        talk.learner_says("I see a dog.", 1_000);
        talk.tutor_says("So do I.", 1_000);
        talk.input(Input::Interrupted);
        let turns = talk.turns();
        let learner = turns[0];
        assert_eq!((learner.start_ms, learner.end_ms, learner.speech_ms), (20, 1_000, 1_000));
        let tutor = turns[1];
        assert_eq!((tutor.interrupted, tutor.played_ms), (false, None));
        // From the end of the learner's speech on: the pause of 1500 ms.
        assert_eq!(tutor.answer_latency_ms, Some(1_500));
        assert_eq!((tutor.start_ms, tutor.end_ms), (2_500, 3_500));
    }
}
