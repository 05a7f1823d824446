//! PURE. Test fixture of the state machine: settings, and a conversation on virtual time with a scripted learner and a
//! scripted model.

use bytes::Bytes;
use events::contract::{
    ConversationId, EndReason, Speaker, Turn,
    live::{BYTES_PER_MS, ServerMessage},
};
use jiff::Timestamp;

use super::{Conversation, Input, Limits, OBJECTIVE_TOOL, Output, Settings, StreamId, Texts, Totals};
use crate::live::conversation::model_event::{AudioFrame, ModelEvent, Stage, StopReason, ToolCall};

/// The pause that ends a turn, in milliseconds.
pub(super) const PAUSE_MS: u64 = 1_500;

/// Length of a frame of the learner's audio, in milliseconds.
const FRAME_MS: u64 = 20;

pub(super) fn limits() -> Limits {
    Limits {
        conversation_ms_max: 600_000,
        silence_ms_max: 300_000,
        nudge_after_ms: 400_000,
        wrap_up_ms: 60_000,
        grace_ms_max: 60_000,
        renew_after_ms: 700_000,
        renew_by_ms: 800_000,
        stall_ms_max: 15_000,
    }
}

pub(super) fn texts() -> Texts {
    Texts {
        opening: "[begin]".to_owned(),
        go_on: "[go on]".to_owned(),
        nudges: ["[nudge 1]".to_owned(), "[nudge 2]".to_owned()],
        wrap_up: "[wrap up]".to_owned(),
    }
}

pub(super) fn settings() -> Settings {
    Settings {
        conversation_id: ConversationId::new(Timestamp::UNIX_EPOCH, [7; 10]),
        audio_prefix: "audio/u/c/".to_owned(),
        pause_ms: PAUSE_MS,
        texts: Some(texts()),
        opening_clip: None,
        objectives: vec!["Describe people".to_owned(), "Use colours".to_owned()],
        limits: limits(),
        jitter_permille: 0,
    }
}

pub(super) fn tool_use(name: &str, arguments: &str) -> ModelEvent {
    ModelEvent::ToolUse(ToolCall {
        id: "t".to_owned(),
        name: name.to_owned(),
        arguments: arguments.to_owned(),
    })
}

/// The model reports an objective as met.
pub(super) fn objective_report(objective: &str, quote: &str) -> ModelEvent {
    let arguments = serde_json::json!({ "objective": objective, "quote": quote });
    tool_use(OBJECTIVE_TOOL, &arguments.to_string())
}

/// Loud samples that differ from those of any other `seed`.
pub(super) fn speech(ms: u64, seed: u8) -> Vec<u8> {
    (0..ms * BYTES_PER_MS / 2).flat_map(|n| [seed, if n % 16 < 8 { 0x20 } else { 0xe0 }]).collect()
}

/// A conversation on virtual time, with all its outputs.
pub(super) struct Harness {
    pub(super) conversation: Conversation,
    pub(super) outputs: Vec<Output>,
    stream: StreamId,
    now_ms: u64,
}

impl Harness {
    /// A new conversation with a connected client, at 0 ms.
    pub(super) fn new(settings: Settings) -> Self {
        Self::of(Conversation::new(settings, 0), 0)
    }

    /// `conversation` with a connected client, at `now_ms`.
    pub(super) fn of(conversation: Conversation, now_ms: u64) -> Self {
        let mut talk = Self { conversation, outputs: Vec::new(), stream: StreamId(0), now_ms };
        talk.input(Input::Attached);
        talk
    }

    pub(super) fn now_ms(&self) -> u64 {
        self.now_ms
    }

    pub(super) fn input(&mut self, input: Input) {
        self.conversation.handle(input, self.now_ms);
        self.outputs.extend(std::iter::from_fn(|| self.conversation.poll()));
    }

    /// The stream is open; events of the model come from it from now on.
    pub(super) fn open(&mut self, stream: StreamId) {
        self.stream = stream;
        self.input(Input::StreamOpened(stream));
    }

    pub(super) fn model(&mut self, event: ModelEvent) {
        self.input(Input::Model(self.stream, event));
    }

    /// Advances the time by `ms`, with a tick at every deadline of the conversation.
    pub(super) fn pass(&mut self, ms: u64) {
        let until_ms = self.now_ms + ms;
        while let Some(due_ms) = self.conversation.deadline_ms().filter(|due_ms| *due_ms <= until_ms) {
            self.now_ms = self.now_ms.max(due_ms);
            self.input(Input::Tick);
        }
        self.now_ms = until_ms;
    }

    /// A text block of the model.
    pub(super) fn text(&mut self, speaker: Speaker, stage: Stage, content: &str, stop: StopReason) {
        self.model(ModelEvent::TextStart { speaker, stage });
        self.model(ModelEvent::Text { speaker, stage, content: content.to_owned() });
        self.model(ModelEvent::TextEnd { speaker, stage, stop });
    }

    /// The tutor says one sentence, with `ms` of audio, all of it at once; then it is played.
    pub(super) fn tutor_says(&mut self, words: &str, ms: u64) {
        self.tutor_begins(words, ms);
        self.model(ModelEvent::AudioEnd { stop: StopReason::EndTurn });
        self.text(Speaker::Tutor, Stage::Final, words, StopReason::EndTurn);
        self.pass(ms);
    }

    /// The tutor plans a sentence, and its audio comes.
    pub(super) fn tutor_begins(&mut self, words: &str, ms: u64) {
        self.text(Speaker::Tutor, Stage::Speculative, words, StopReason::PartialTurn);
        self.model(ModelEvent::AudioStart);
        let pcm = vec![1; usize::try_from(ms * BYTES_PER_MS).unwrap()];
        self.model(ModelEvent::Audio(AudioFrame::new(&pcm)));
    }

    /// The learner speaks for `ms` and then makes the pause that ends a turn.
    pub(super) fn learner_speaks(&mut self, ms: u64) {
        for pcm in speech(ms, 1).chunks(usize::try_from(FRAME_MS * BYTES_PER_MS).unwrap()) {
            self.pass(FRAME_MS);
            self.input(Input::Audio(Bytes::copy_from_slice(pcm)));
        }
        for _ in 0..PAUSE_MS / FRAME_MS {
            self.pass(FRAME_MS);
            self.input(Input::Audio(vec![0; usize::try_from(FRAME_MS * BYTES_PER_MS).unwrap()].into()));
        }
    }

    /// The learner speaks for `ms`, and the model transcribes `words`.
    pub(super) fn learner_says(&mut self, words: &str, ms: u64) {
        self.learner_speaks(ms);
        self.text(Speaker::Learner, Stage::Final, words, StopReason::PartialTurn);
    }

    /// The recorded turns.
    pub(super) fn turns(&self) -> Vec<&Turn> {
        self.outputs
            .iter()
            .filter_map(|output| if let Output::Record(turn) = output { Some(turn) } else { None })
            .collect()
    }

    /// The texts sent to the model.
    pub(super) fn prompts(&self) -> Vec<String> {
        let text = |output: &Output| {
            if let Output::SendText { text, .. } = output { Some(text.clone()) } else { None }
        };
        self.outputs.iter().filter_map(text).collect()
    }

    /// The messages sent to the client.
    pub(super) fn sent(&self) -> Vec<&ServerMessage> {
        self.outputs
            .iter()
            .filter_map(|output| if let Output::Send(message) = output { Some(message) } else { None })
            .collect()
    }

    /// The requested streams.
    pub(super) fn opened(&self) -> Vec<StreamId> {
        let stream = |output: &Output| {
            if let Output::OpenStream { stream, .. } = output { Some(*stream) } else { None }
        };
        self.outputs.iter().filter_map(stream).collect()
    }

    pub(super) fn ended(&self) -> Option<EndReason> {
        let reason = |output: &Output| if let Output::End(end) = output { Some(end.reason) } else { None };
        self.outputs.iter().find_map(reason)
    }

    /// The totals at the end or at the handover.
    pub(super) fn totals(&self) -> Option<Totals> {
        self.outputs.iter().find_map(|output| {
            if let Output::End(ending) = output {
                Some(ending.totals)
            } else if let Output::Release(release) = output {
                Some(release.totals)
            } else {
                None
            }
        })
    }
}
