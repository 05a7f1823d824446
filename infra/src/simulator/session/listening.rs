//! PURE. How a stream listens: audio to turns, turns to words, and words to answers.

use std::time::Duration;

use super::hearing::Request;
use super::output::{GenerationStage, Speaker, Stop};
use super::speech_detector::{SpeechDetector, SpeechEvent};
use super::transcript::{chunks, transcript};
use super::{Output, Phase, Session, USAGE_INTERVAL};
use crate::simulator::audible::Heard;

impl Session {
    pub(super) fn open_ear(&mut self, sample_rate: u32) {
        let mut detector =
            SpeechDetector::new(sample_rate, self.sensitivity, self.settings.endpointing_scale);
        if self.settings.speech {
            detector = detector.with_recogniser();
        }
        if self.stamps_from.is_some() {
            detector = detector.with_stamps();
        }
        self.input_rate = sample_rate;
        self.detector = Some(detector);
    }

    pub(super) fn listen(&mut self, pcm: &[u8], now: Duration) {
        let Some(detector) = self.detector.as_mut() else {
            return;
        };
        let moments = detector.listen(pcm);
        let heard = detector.duration();
        if let Some(opened) = self.stamps_from {
            let sent = detector.take_stamps().into_iter();
            self.delays.extend(sent.map(|sent| (opened + now).saturating_sub(sent)));
        }
        self.emitter.usage().heard = heard;
        for moment in moments {
            self.notice(moment, now);
        }
        if heard >= self.usage_due {
            self.usage_due = heard + USAGE_INTERVAL;
            self.report_usage();
        }
    }

    /// The words of a request of [`Output::Recognise`]; `None` when there is no result.
    pub(crate) fn recognised(&mut self, id: u32, words: Option<String>, now: Duration) {
        self.hearing.recognised(id, words);
        self.request_words();
        self.hear_out(now);
    }

    /// Takes up the turns whose words are known, or have not come in time.
    pub(super) fn hear_out(&mut self, now: Duration) {
        while let Some(turn) = self.hearing.take(now) {
            let heard = match turn.words {
                Some(words) => [Heard::Text(words)],
                None => [Heard::Unreadable { ms: turn.ms }],
            };
            self.transcribe(&heard);
            // A learner who speaks on wants no answer yet.
            let speaks_on = self.detector.as_ref().is_some_and(SpeechDetector::is_speaking);
            if self.phase == Phase::Open && !speaks_on {
                self.by_voice = true;
                let sentences = match &heard {
                    [Heard::Unreadable { .. }] => self.tutor.misheard(),
                    [Heard::Text(_) | Heard::Damaged { .. }] => self.tutor.heard(&heard),
                };
                let met = self.tutor.objective_met(&heard);
                self.answer_with(met, sentences);
            }
        }
        self.complete();
    }

    /// The audio ended: transcribes the speech that has no answer yet.
    pub(super) fn close_ear(&mut self, now: Duration) {
        let Some(mut detector) = self.detector.take() else { return };
        for moment in detector.close() {
            if let SpeechEvent::TurnEnded(heard) = moment {
                self.hearing.forget_open();
                self.transcribe(&heard);
            } else {
                self.notice(moment, now);
            }
        }
    }

    fn notice(&mut self, moment: SpeechEvent, now: Duration) {
        match moment {
            SpeechEvent::SpeechStarted => self.interrupt(now),
            SpeechEvent::Pause(samples) => self.recognise(samples, true),
            SpeechEvent::Cut(samples) => self.recognise(samples, false),
            SpeechEvent::VoiceEnded { ms } => {
                self.turn_ended = Some(now);
                self.hearing.end_turn(ms, now + self.settings.words_limit);
                self.hear_out(now);
            }
            SpeechEvent::TurnEnded(heard) => {
                self.turn_ended = Some(now);
                self.hearing.forget_open();
                self.by_voice = false;
                self.transcribe(&heard);
                let sentences = self.tutor.heard(&heard);
                let met = self.tutor.objective_met(&heard);
                self.answer_with(met, sentences);
            }
        }
    }

    fn recognise(&mut self, samples: Vec<i16>, provisional: bool) {
        let request = Request { id: self.next_request(), samples };
        self.hearing.add(request, provisional);
        self.request_words();
    }

    fn request_words(&mut self) {
        if let Some(Request { id, samples }) = self.hearing.next_request() {
            self.output.push_back(Output::Recognise { id, sample_rate: self.input_rate, samples });
        }
    }

    /// The transcript of the turn, in one or more blocks; joined with a space they are the whole text.
    fn transcribe(&mut self, heard: &[Heard]) {
        let words: Vec<String> = heard.iter().map(transcript).filter(|text| !text.is_empty()).collect();
        if words.is_empty() {
            return;
        }
        self.start_completion();
        for chunk in chunks(&words.join(" ")) {
            let events = self.emitter.text(Speaker::User, GenerationStage::Final, chunk, Stop::PartialTurn);
            self.send(events);
        }
        self.report_usage();
    }
}
