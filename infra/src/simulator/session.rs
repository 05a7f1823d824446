//! PURE. One bidirectional stream of the simulated Nova Sonic: input events in, output events out, no I/O and no clock.
//! `now` is the time since the stream was opened.
//!
//! The caller passes every input to [`Session::input`], then calls [`Session::poll`] until it returns nothing, and again
//! at [`Session::deadline`].
//!
//! Order of a turn (AWS's guide, "Handling output events"): the learner's words (USER FINAL), then for each sentence
//! the plan (SPECULATIVE) and the audio, and what was said (FINAL) once it has been played; usageEvents in between.

pub(crate) mod answer;
pub(crate) mod input;
pub(crate) mod order;
pub(crate) mod output;
mod protocol_error;
pub(crate) mod speech_detector;
mod transcript;

use std::{collections::VecDeque, time::Duration};

use serde_json::{Value, json};
use uuid::Uuid;

use self::answer::{Answer, Delivery, Interruption, Reply};
pub(crate) use self::input::InputKind;
use self::input::Sensitivity;
use self::order::{Accepted, Order};
use self::output::{Emitter, GenerationStage, Speaker, Stop};
pub(crate) use self::protocol_error::ProtocolError;
use self::speech_detector::{SpeechDetector, SpeechEvent};
use self::transcript::{chunks, transcript};
use super::audible::Heard;
use super::models::Generation;
use super::tutor::{Met, Tutor};

/// Received audio after which a usageEvent is due.
const USAGE_INTERVAL: Duration = Duration::from_secs(10);
/// Answers that may wait while one is being spoken.
const ANSWERS_MAX: usize = 8;

/// Options of a stream.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    /// Multiplies the pause that ends a turn.
    pub(crate) endpointing_scale: f64,
    /// See [`Delivery::pace`].
    pub(crate) pace: f64,
    pub(crate) interruption: Interruption,
    /// Longest life of a stream.
    pub(crate) stream_limit: Duration,
    /// Longest time without input events.
    pub(crate) idle_limit: Duration,
}

/// What a stream sends.
#[derive(Debug, PartialEq)]
pub(crate) enum Output {
    Event(Value),
    /// The last thing before the end.
    Exception(ProtocolError),
}

/// The state of a stream.
#[derive(Debug)]
pub(crate) struct Session {
    settings: Settings,
    order: Order,
    emitter: Emitter,
    tutor: Tutor,
    sensitivity: Sensitivity,
    output_rate: u32,
    detector: Option<SpeechDetector>,
    answer: Option<Answer>,
    waiting: VecDeque<Reply>,
    /// The tool that reports an objective, if the client has it.
    objective_tool: Option<String>,
    /// The answer that waits for the result of a tool call.
    awaiting_result: Option<Vec<String>>,
    output: VecDeque<Output>,
    last_input: Duration,
    usage_due: Duration,
    phase: Phase,
    completion_started: bool,
    /// Audio without a role: the service goes on reading and never answers.
    mute: bool,
    /// Time of the stamp clock when the stream opened; `None` without stamps.
    stamps_from: Option<Duration>,
    /// Delays of the stamped audio received last.
    delays: Vec<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Before the first accepted event.
    New,
    Open,
    PromptEnded,
    Over,
}

impl Session {
    /// `seed` makes the stream's ids.
    pub(crate) fn new(settings: Settings, generation: Generation, seed: Uuid) -> Self {
        Self {
            settings,
            order: Order::new(generation),
            emitter: Emitter::new(seed),
            tutor: Tutor::default(),
            sensitivity: Sensitivity::default(),
            output_rate: 0,
            detector: None,
            answer: None,
            waiting: VecDeque::new(),
            objective_tool: None,
            awaiting_result: None,
            output: VecDeque::new(),
            last_input: Duration::ZERO,
            usage_due: USAGE_INTERVAL,
            phase: Phase::New,
            completion_started: false,
            mute: false,
            stamps_from: None,
            delays: Vec::new(),
        }
    }

    /// Audio carries stamps in both directions; `opened` is the time of the stamp clock when the stream opened.
    pub(crate) fn carry_stamps(&mut self, opened: Duration) {
        self.stamps_from = Some(opened);
    }

    /// Delays of the stamped audio received since the last call.
    pub(crate) fn take_delays(&mut self) -> Vec<Duration> {
        std::mem::take(&mut self.delays)
    }

    /// Whether the first input event has been read.
    pub(crate) fn is_started(&self) -> bool {
        self.phase != Phase::New
    }

    /// Whether the stream is over, except for what [`Session::poll`] still returns.
    pub(crate) fn is_over(&self) -> bool {
        self.phase == Phase::Over
    }

    pub(crate) fn input(&mut self, message: &[u8], now: Duration) -> InputKind {
        if self.is_over() {
            return InputKind::Other;
        }
        self.last_input = now;
        let accepted = input::parse(message).and_then(|event| self.order.accept(&event));
        match accepted {
            Ok(accepted) => {
                if self.phase == Phase::New {
                    self.phase = Phase::Open;
                }
                let kind = if let Accepted::Audio(pcm) = &accepted {
                    InputKind::Audio(pcm.len())
                } else {
                    InputKind::Other
                };
                self.apply(accepted, now);
                kind
            }
            Err(rejection) => {
                self.reject(rejection);
                InputKind::Other
            }
        }
    }

    /// The client closed its side of the stream.
    pub(crate) fn input_closed(&mut self, now: Duration) {
        if matches!(self.phase, Phase::New | Phase::Open) {
            self.end_prompt(now);
        }
        self.phase = Phase::Over;
    }

    /// The client sent a chunk that is not an event-stream message of the expected kind.
    pub(crate) fn reject(&mut self, rejection: ProtocolError) {
        if !self.is_over() {
            self.output.push_back(Output::Exception(rejection));
            self.phase = Phase::Over;
        }
    }

    /// The next thing to send.
    pub(crate) fn poll(&mut self, now: Duration) -> Option<Output> {
        while self.output.is_empty() && !self.is_over() {
            if now >= self.settings.stream_limit {
                self.reject(ProtocolError::StreamLimit);
            } else if now >= self.last_input + self.settings.idle_limit {
                self.reject(ProtocolError::Idle);
            } else if !self.speak(now) {
                break;
            }
        }
        self.output.pop_front()
    }

    /// When [`Session::poll`] has something again without further input; `None` when the stream is over.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        if self.is_over() {
            return None;
        }
        let limits = self.settings.stream_limit.min(self.last_input + self.settings.idle_limit);
        Some(self.answer.as_ref().and_then(Answer::due).map_or(limits, |due| due.min(limits)))
    }

    fn apply(&mut self, accepted: Accepted, now: Duration) {
        match accepted {
            Accepted::Part => {}
            Accepted::Started { sensitivity } => self.sensitivity = sensitivity,
            Accepted::Prompted { prompt, sample_rate, objective_tool } => {
                self.emitter.start_prompt(prompt);
                self.objective_tool = objective_tool;
                self.output_rate = sample_rate;
            }
            Accepted::System(text) => {
                self.read(&text);
                self.tutor.brief(&text);
            }
            Accepted::History { role, text } => {
                self.read(&text);
                self.tutor.recall(role, &text);
            }
            Accepted::Typed(text) => {
                self.read(&text);
                let sentences = self.tutor.typed(&text);
                let met = self.tutor.objective_met_by_typing(&text);
                self.answer_with(met, sentences);
            }
            Accepted::ToolReturned => {
                if let Some(sentences) = self.awaiting_result.take() {
                    self.waiting.push_front(Reply { met: None, sentences });
                }
            }
            Accepted::AudioOpened { sample_rate } => {
                let detector =
                    SpeechDetector::new(sample_rate, self.sensitivity, self.settings.endpointing_scale);
                self.detector =
                    Some(if self.stamps_from.is_some() { detector.with_stamps() } else { detector });
            }
            Accepted::AudioIgnored => self.mute = true,
            Accepted::Audio(pcm) => self.listen(&pcm, now),
            Accepted::AudioClosed => self.close_ear(),
            Accepted::PromptEnded => self.end_prompt(now),
            Accepted::SessionEnded => self.input_closed(now),
        }
    }

    fn read(&mut self, text: &str) {
        self.emitter.usage().read_bytes += text.len() as u64;
    }

    fn listen(&mut self, pcm: &[u8], now: Duration) {
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
            match moment {
                SpeechEvent::SpeechStarted => self.interrupt(now),
                SpeechEvent::TurnEnded(heard) => {
                    self.transcribe(&heard);
                    let sentences = self.tutor.heard(&heard);
                    let met = self.tutor.objective_met(&heard);
                    self.answer_with(met, sentences);
                }
            }
        }
        if heard >= self.usage_due {
            self.usage_due = heard + USAGE_INTERVAL;
            self.report_usage();
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

    fn answer_with(&mut self, met: Option<Met>, sentences: Vec<String>) {
        if !self.mute && !sentences.is_empty() && self.waiting.len() < ANSWERS_MAX {
            let met = met.filter(|_| self.objective_tool.is_some());
            self.waiting.push_back(Reply { met, sentences });
        }
    }

    /// Calls the client's tool; the answer waits for the result.
    fn report(&mut self, met: &Met, sentences: Vec<String>) {
        let name = self.objective_tool.as_deref().unwrap_or_default();
        let arguments = json!({ "objective": met.objective, "quote": met.quote });
        let (id, events) = self.emitter.tool_use(name, &arguments);
        self.order.called(id);
        self.awaiting_result = Some(sentences);
        self.send(events);
    }

    /// Continues the answer; `false` when nothing is due.
    fn speak(&mut self, now: Duration) -> bool {
        if self.answer.as_ref().is_none_or(Answer::is_over) {
            self.answer = None;
            if self.awaiting_result.is_some() {
                return false;
            }
            let Some(Reply { met, sentences }) = self.waiting.pop_front() else {
                return false;
            };
            self.start_completion();
            if let Some(met) = met {
                self.report(&met, sentences);
                return true;
            }
            let delivery = Delivery {
                sample_rate: self.output_rate,
                pace: self.settings.pace,
                interruption: self.settings.interruption,
                stamps_from: self.stamps_from,
            };
            self.answer = Some(Answer::new(sentences, delivery, now));
            return true;
        }
        let Some(answer) = self.answer.as_mut().filter(|answer| answer.due().is_some_and(|due| due <= now))
        else {
            return false;
        };
        let events = answer.step(&mut self.emitter, now);
        self.send(events);
        true
    }

    fn interrupt(&mut self, now: Duration) {
        self.waiting.clear();
        self.awaiting_result = None;
        if let Some(answer) = self.answer.take().filter(|answer| !answer.is_over()) {
            let events = answer.interrupt(&mut self.emitter, now);
            self.send(events);
        }
    }

    /// The audio ended: transcribes the speech that has no answer yet.
    fn close_ear(&mut self) {
        if let Some(mut detector) = self.detector.take() {
            let heard = detector.close();
            self.transcribe(&heard);
        }
    }

    fn end_prompt(&mut self, now: Duration) {
        self.interrupt(now);
        self.close_ear();
        self.phase = Phase::PromptEnded;
        self.start_completion();
        self.report_usage();
        let end = self.emitter.completion_end();
        self.send(vec![end]);
    }

    fn start_completion(&mut self) {
        if !self.completion_started {
            self.completion_started = true;
            let start = self.emitter.completion_start();
            self.send(vec![start]);
        }
    }

    fn report_usage(&mut self) {
        let usage = self.emitter.usage_event();
        self.send(usage.into_iter().collect());
    }

    fn send(&mut self, events: Vec<Value>) {
        if !self.mute {
            self.output.extend(events.into_iter().map(Output::Event));
        }
    }
}

#[cfg(test)]
mod tests;
