//! PURE. One bidirectional stream of the simulated Nova Sonic: input events in, output events out, no I/O and no clock.
//! `now` is the time since the stream was opened.
//!
//! The caller passes every input to [`Session::input`], then calls [`Session::poll`] until it returns nothing, and again
//! at [`Session::deadline`]. Where it has [`Settings::speech`], it carries out [`Output::Recognise`] and [`Output::Speak`],
//! and passes their results to [`Session::recognised`] and [`Session::spoken`].
//!
//! Order of a turn (AWS's guide, "Handling output events"): the learner's words (USER FINAL), then for each sentence
//! the plan (SPECULATIVE) and the audio, and what was said (FINAL) once it has been played; usageEvents in between.

pub(crate) mod answer;
pub(super) mod hearing;
pub(crate) mod input;
mod listening;
pub(crate) mod order;
pub(crate) mod output;
mod protocol_error;
mod recording;
pub(super) mod speaking;
pub(crate) mod speech_detector;
mod transcript;
mod voice;

use std::{collections::VecDeque, time::Duration};

use serde_json::Value;
use uuid::Uuid;

use self::answer::{Answer, Interruption, Reply};
use self::hearing::Hearing;
pub(crate) use self::input::InputKind;
use self::input::Sensitivity;
use self::order::{Accepted, Order};
use self::output::Emitter;
pub(crate) use self::protocol_error::ProtocolError;
use self::speech_detector::SpeechDetector;
use super::models::Generation;
use super::tutor::Tutor;

/// Received audio after which a usageEvent is due.
const USAGE_INTERVAL: Duration = Duration::from_secs(10);
/// Answers that may wait while one is being spoken.
const ANSWERS_MAX: usize = 8;

/// Options of a stream.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    /// Multiplies the pause that ends a turn.
    pub(crate) endpointing_scale: f64,
    /// See [`Delivery::pace`](answer::Delivery::pace).
    pub(crate) pace: f64,
    pub(crate) interruption: Interruption,
    /// Longest life of a stream.
    pub(crate) stream_limit: Duration,
    /// Longest time without input events.
    pub(crate) idle_limit: Duration,
    /// Whether the caller recognises and speaks.
    pub(crate) speech: bool,
    /// How long a turn waits for its words, and an answer for its samples.
    pub(crate) words_limit: Duration,
    pub(crate) samples_limit: Duration,
}

/// What a stream sends, and what it has done for it.
#[derive(Debug, PartialEq)]
pub(crate) enum Output {
    Event(Value),
    /// The words of a voice are wanted.
    Recognise {
        id: u32,
        /// Hz.
        sample_rate: u32,
        samples: Vec<i16>,
    },
    /// The samples of a sentence are wanted.
    Speak {
        id: u32,
        /// Hz.
        sample_rate: u32,
        text: String,
    },
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
    input_rate: u32,
    output_rate: u32,
    detector: Option<SpeechDetector>,
    hearing: Hearing,
    /// Whether the learner speaks by voice, as far as is known: then the tutor does, too.
    by_voice: bool,
    /// Requests to recognise or to speak so far.
    requests: u32,
    answer: Option<Answer>,
    waiting: VecDeque<Reply>,
    /// The tool that reports an objective, if the client has it.
    objective_tool: Option<String>,
    /// The answer that waits for the result of a tool call.
    awaiting_result: Option<Reply>,
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
    /// The end of the last spoken turn, until its answer begins.
    turn_ended: Option<Duration>,
    answer_delays: Vec<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Before the first accepted event.
    New,
    Open,
    /// The last turn may still wait for its words.
    PromptEnded {
        /// The client wants nothing more than them.
        closed: bool,
    },
    Completed,
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
            input_rate: 0,
            output_rate: 0,
            detector: None,
            hearing: Hearing::default(),
            by_voice: settings.speech,
            requests: 0,
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
            turn_ended: None,
            answer_delays: Vec::new(),
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

    /// Times from the end of a spoken turn to the first audio of its answer, since the last call.
    pub(crate) fn take_answer_delays(&mut self) -> Vec<Duration> {
        std::mem::take(&mut self.answer_delays)
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
        self.phase =
            if self.hearing.is_waiting() { Phase::PromptEnded { closed: true } } else { Phase::Over };
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
            } else {
                self.hear_out(now);
                if !self.speak(now) {
                    break;
                }
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
        let due = self.answer.as_ref().and_then(Answer::due).into_iter().chain(self.hearing.deadline());
        Some(due.fold(limits, Duration::min))
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
            Accepted::ToolReturned => self.resume(),
            Accepted::AudioOpened { sample_rate } => self.open_ear(sample_rate),
            Accepted::AudioIgnored => self.mute = true,
            Accepted::Audio(pcm) => self.listen(&pcm, now),
            Accepted::AudioClosed => self.close_ear(now),
            Accepted::PromptEnded => self.end_prompt(now),
            Accepted::SessionEnded => self.input_closed(now),
        }
    }

    fn read(&mut self, text: &str) {
        self.emitter.usage().read_bytes += text.len() as u64;
    }

    fn end_prompt(&mut self, now: Duration) {
        self.interrupt(now);
        self.close_ear(now);
        self.phase = Phase::PromptEnded { closed: false };
        self.complete();
    }

    /// Ends the completion once the prompt has ended and no turn waits for its words.
    fn complete(&mut self) {
        let Phase::PromptEnded { closed } = self.phase else { return };
        if self.hearing.is_waiting() {
            return;
        }
        self.start_completion();
        self.report_usage();
        let end = self.emitter.completion_end();
        self.send(vec![end]);
        self.phase = if closed { Phase::Over } else { Phase::Completed };
    }

    fn next_request(&mut self) -> u32 {
        self.requests += 1;
        self.requests
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
