//! Random walks over the state machine. One feeds arbitrary inputs at arbitrary times and checks the invariants. The other
//! plays a learner and a model that transcribes the audio it gets, through lost and renewed streams and handovers, and
//! checks that every word is recorded once. A failure prints the seed;
//! `NOVA_WALK_SEED=<seed> cargo test --workspace --lib every_word` replays it.

use std::collections::{HashMap, HashSet, VecDeque};

use bytes::Bytes;
use events::contract::{
    EndReason, Speaker, StreamUsage, Turn, Usage,
    live::{BYTES_PER_MS, MetObjective, ServerMessage},
};
use proptest::prelude::*;
use rand::{SeedableRng as _, rngs::StdRng};

use super::{
    Conversation, Ending, FailureClass, Input, Limits, Output, Release, Resumed, Settings, StreamError,
    StreamId, Totals, microphone,
    test_fixture::{self, PAUSE_MS},
    tutor,
};
use crate::{
    live::conversation::model_event::{AudioFrame, ModelEvent, Stage, StopReason},
    test_fuzz,
};

const WINDOW_MS: u64 = 20;
const WINDOW_BYTES: usize = 640;
const FAULTS_MAX: usize = 4;

/// The environment variable with the seed of the walk to replay.
const SEED: &str = "NOVA_WALK_SEED";

/// Settings with short limits, so that much happens in little time.
fn settings() -> Settings {
    let limits = Limits {
        conversation_ms_max: 150_000,
        silence_ms_max: 120_000,
        nudge_after_ms: 3_000,
        wrap_up_ms: 120_000,
        grace_ms_max: 60_000,
        renew_after_ms: 5_000,
        renew_by_ms: 20_000,
        stall_ms_max: 15_000,
    };
    Settings { limits, jitter_permille: 500, ..test_fixture::settings() }
}

/// Checks the invariants of every output.
#[derive(Default)]
struct Auditor {
    opened: HashSet<StreamId>,
    closed: HashSet<StreamId>,
    generation: u32,
    turns: Vec<Turn>,
    objectives_met: Vec<MetObjective>,
    ending: Option<Ending>,
    release: Option<Release>,
    /// Sentences of every tutor turn; 0 if unknown.
    sentences: usize,
}

impl Auditor {
    fn audit(&mut self, output: &Output) {
        assert!(self.ending.is_none() && self.release.is_none(), "{output:?} after the end");
        match output {
            Output::Send(ServerMessage::Flush { generation }) => {
                assert!(*generation > self.generation, "generations grow");
                self.generation = *generation;
            }
            Output::Send(_) | Output::Failed(_) => {}
            Output::RecordObjective { met, .. } => {
                assert_eq!(met.len(), self.objectives_met.len() + 1, "each objective once");
                assert!(self.turns.iter().any(|turn| turn.index == met[met.len() - 1].turn));
                self.objectives_met.clone_from(met);
            }
            Output::Audio { generation, .. } => assert_eq!(*generation, self.generation),
            Output::OpenStream { stream, history, .. } => {
                assert!(self.opened.insert(*stream), "streams are new");
                assert!(history.first().is_none_or(|first| first.speaker == Speaker::Learner));
                assert!(self.opened.len() - self.closed.len() <= 2, "one stream and one spare");
            }
            Output::SendAudio { stream, .. }
            | Output::SendText { stream, .. }
            | Output::ReturnToolResult { stream, .. } => {
                assert!(
                    self.opened.contains(stream) && !self.closed.contains(stream),
                    "{stream:?} is closed"
                );
            }
            Output::CloseStream(stream) | Output::DropStream(stream) => {
                assert!(self.opened.contains(stream));
                self.closed.insert(*stream);
            }
            Output::StoreAudio { key, pcm } => {
                let longest = microphone::TURN_AUDIO_MS_MAX.max(tutor::TURN_AUDIO_MS_MAX);
                assert!(pcm.len() as u64 <= longest * BYTES_PER_MS);
                assert!(key.contains(&format!("{:05}-", self.turns.len())));
            }
            Output::Record(turn) => {
                assert_eq!(turn.index as usize, self.turns.len(), "indexes have no gaps");
                assert!(!turn.text.trim().is_empty());
                assert!(turn.end_ms >= turn.start_ms);
                assert!(turn.interrupted || self.is_whole(turn), "{turn:?}");
                self.turns.push(turn.clone());
            }
            Output::Release(release) => {
                assert_eq!(release.totals.turns as usize, self.turns.len());
                assert!(self.opened.difference(&self.closed).next().is_none(), "no stream is left behind");
                self.release = Some(release.clone());
            }
            Output::End(ending) => {
                assert_eq!(ending.totals.turns as usize, self.turns.len());
                self.ending = Some(*ending);
            }
        }
    }

    /// The conversation on the next task, from the journal and the handover.
    fn next_task(&mut self, release: Release, epoch: u64, at_ms: u64) -> Conversation {
        self.opened.clear();
        self.closed.clear();
        let Totals { usage, metrics, .. } = release.totals;
        let resumed = Resumed {
            epoch,
            turns: self.turns.clone(),
            usage,
            metrics: Some(metrics),
            objectives_met: self.objectives_met.clone(),
            heard_samples: release.heard_samples,
            unfinished: release.unfinished,
        };
        let conversation = Conversation::resume(settings(), &resumed, at_ms);
        assert!(conversation.floor.generation() > self.generation, "generations grow over tasks, too");
        self.generation = conversation.floor.generation();
        conversation
    }

    /// Whether a turn has both sentences of the fake model.
    fn is_whole(&self, turn: &Turn) -> bool {
        let sentences = turn.text.matches("sentence").count();
        turn.speaker == Speaker::Learner || sentences == self.sentences || self.sentences == 0
    }

    fn words(&self, speaker: Speaker) -> Vec<&str> {
        let turns = self.turns.iter().filter(|turn| turn.speaker == speaker);
        turns.flat_map(|turn| turn.text.split_whitespace()).collect()
    }
}

fn any_event() -> impl Strategy<Value = ModelEvent> {
    let speaker = prop_oneof![Just(Speaker::Learner), Just(Speaker::Tutor)];
    let stage = prop_oneof![Just(Stage::Speculative), Just(Stage::Final)];
    let stop = prop_oneof![
        Just(StopReason::PartialTurn),
        Just(StopReason::EndTurn),
        Just(StopReason::Interrupted),
        Just(StopReason::Other)
    ];
    let text = (speaker, stage, stop);
    prop_oneof![
        4 => text.clone().prop_map(|(speaker, stage, _)| ModelEvent::TextStart { speaker, stage }),
        4 => (text.clone(), "[a-z ]{0,12}")
            .prop_map(|((speaker, stage, _), content)| ModelEvent::Text { speaker, stage, content }),
        4 => text.prop_map(|(speaker, stage, stop)| ModelEvent::TextEnd { speaker, stage, stop }),
        1 => Just(ModelEvent::InterruptedMarker),
        1 => Just(ModelEvent::ToolStart),
        1 => Just(test_fixture::tool_use("look_up", "{}")),
        2 => ("(Describe people|Use colours|Sing)", "[a-z ]{0,6}")
            .prop_map(|(objective, quote)| test_fixture::objective_report(&objective, &quote)),
        1 => Just(ModelEvent::AudioStart),
        4 => (0..200_usize).prop_map(|ms| ModelEvent::Audio(AudioFrame::new(&vec![1; ms * WINDOW_BYTES / 20]))),
        2 => prop_oneof![Just(StopReason::PartialTurn), Just(StopReason::EndTurn), Just(StopReason::Interrupted)]
            .prop_map(|stop| ModelEvent::AudioEnd { stop }),
        1 => Just(ModelEvent::Usage(Usage::default())),
        1 => Just(ModelEvent::CompletionEnd),
    ]
}

fn any_input() -> impl Strategy<Value = Input> {
    let stream = || (0..6_u32).prop_map(StreamId);
    let class = prop_oneof![
        4 => Just(FailureClass::Transport),
        2 => Just(FailureClass::Throttled),
        1 => Just(FailureClass::AccessDenied),
    ];
    prop_oneof![
        2 => Just(Input::Attached),
        2 => Just(Input::Detached),
        8 => (any::<bool>(), 1..20_usize).prop_map(|(loud, windows)| {
            let sample = if loud { 9_000_i16 } else { 0 };
            Input::Audio(sample.to_le_bytes().repeat(windows * WINDOW_BYTES / 2).into())
        }),
        1 => "[a-z ]{1,9}".prop_map(Input::Typed),
        1 => (any::<bool>(), 1..30_usize).prop_map(|(loud, windows)| {
            let sample = if loud { 9_000_i16 } else { 0 };
            Input::Uploaded(sample.to_le_bytes().repeat(windows * WINDOW_BYTES / 2).into())
        }),
        1 => prop_oneof![Just(Input::HandOver), Just(Input::TakeoverRequested)],
        2 => (0..4_u32, 0..5_000_u64).prop_map(|(generation, ms)| Input::Played { generation, ms }),
        1 => Just(Input::Interrupted),
        6 => stream().prop_map(Input::StreamOpened),
        2 => (stream(), class)
            .prop_map(|(stream, class)| Input::StreamFailed(stream, StreamError::new(class, ""))),
        1 => stream().prop_map(Input::StreamEnded),
        1 => any::<bool>().prop_map(Input::Simulated),
        30 => (stream(), any_event()).prop_map(|(stream, event)| Input::Model(stream, event)),
        4 => Just(Input::Tick),
    ]
}

fn last_words() -> impl Strategy<Value = Input> {
    prop_oneof![
        Just(Input::EndRequested),
        Just(Input::HandOver),
        Just(Input::TakeoverRequested),
        Just(Input::Broken)
    ]
}

/// Seeds of walks: the one from the environment, or any.
fn seeds() -> BoxedStrategy<u64> {
    match std::env::var(SEED) {
        Ok(seed) => Just(seed.parse().expect("the seed is a whole number")).boxed(),
        Err(_) => any::<u64>().boxed(),
    }
}

/// The deadlines alone lead to the end. Meanwhile silence is sent ten times a second.
fn end_by_time(conversation: &mut Conversation, auditor: &mut Auditor, mut at_ms: u64) {
    for _ in 0..500 {
        while let Some(output) = conversation.poll() {
            auditor.audit(&output);
        }
        let Some(due_ms) = conversation.deadline_ms() else { break };
        at_ms = at_ms.max(due_ms);
        conversation.handle(Input::Tick, at_ms);
    }
    assert!(conversation.is_ended());
    assert!(auditor.ending.is_some() || auditor.release.is_some());
}

proptest! {
    #![proptest_config(test_fuzz::cases(128))]

    #[test]
    fn whatever_happens_it_ends_once_and_in_order(
        inputs in proptest::collection::vec((any_input(), 0..2_000_u64), 0..150),
        last in last_words(),
    ) {
        let mut conversation = Conversation::new(settings(), 0);
        let mut auditor = Auditor::default();
        let (mut at_ms, mut epoch) = (0, 1);
        for (input, wait_ms) in inputs {
            at_ms += wait_ms;
            conversation.handle(input, at_ms);
            while let Some(output) = conversation.poll() {
                auditor.audit(&output);
            }
            if let Some(release) = auditor.release.take() {
                epoch += 1;
                conversation = auditor.next_task(release, epoch, at_ms);
            }
        }
        conversation.handle(last, at_ms);
        end_by_time(&mut conversation, &mut auditor, at_ms);
    }

    #[test]
    fn whatever_arrives_after_the_end_was_requested_reaches_no_closed_stream(
        inputs in proptest::collection::vec((any_input(), 0..2_000_u64), 0..40),
        last in last_words(),
        late in proptest::collection::vec((any_input(), 0..200_u64), 0..40),
    ) {
        let mut conversation = Conversation::new(settings(), 0);
        let mut auditor = Auditor::default();
        let mut at_ms = 0;
        for (input, wait_ms) in inputs.into_iter().chain([(last, 0)]).chain(late) {
            at_ms += wait_ms;
            conversation.handle(input, at_ms);
            while let Some(output) = conversation.poll() {
                auditor.audit(&output);
            }
        }
        end_by_time(&mut conversation, &mut auditor, at_ms);
    }

    #[test]
    fn every_word_is_recorded_once_through_lost_and_renewed_streams_and_other_tasks(seed in seeds()) {
        let mut walk = Walk::new(seed);
        walk.run();
        let spoken: Vec<&str> = walk.spoken.iter().map(String::as_str).collect();
        prop_assert_eq!(walk.auditor.words(Speaker::Learner), spoken, "{}={} replays this", SEED, seed);
        let ending = walk.auditor.ending.expect("the walk ends");
        prop_assert_eq!(ending.reason, EndReason::Learner);
        prop_assert_eq!(ending.totals.usage.input.speech_tokens, walk.tokens());
    }
}

/// A model that transcribes its audio: each window of a loud value is a word of its own, so that the transcript shows a lost,
/// doubled or moved window.
#[derive(Default)]
struct FakeStream {
    open: bool,
    words: Vec<String>,
    silence_ms: u64,
    answers: u32,
    events: VecDeque<ModelEvent>,
    heard_windows: u64,
}

impl FakeStream {
    fn hear(&mut self, pcm: &Bytes) {
        for window in pcm.chunks(WINDOW_BYTES) {
            self.heard_windows += 1;
            let sample = window.first_chunk().map_or(0, |bytes| i16::from_le_bytes(*bytes));
            if sample == 0 {
                self.silence_ms += WINDOW_MS;
                if self.silence_ms >= PAUSE_MS && !self.words.is_empty() {
                    self.transcribe();
                    self.answer();
                }
                continue;
            }
            self.silence_ms = 0;
            if self.words.is_empty() {
                self.stop_talking();
            }
            self.words.push(sample.to_string());
        }
    }

    fn text(&mut self, speaker: Speaker, stage: Stage, content: &str, stop: StopReason) {
        let content = content.to_owned();
        self.events.extend([
            ModelEvent::TextStart { speaker, stage },
            ModelEvent::Text { speaker, stage, content },
            ModelEvent::TextEnd { speaker, stage, stop },
        ]);
    }

    fn transcribe(&mut self) {
        let words = std::mem::take(&mut self.words);
        for chunk in words.chunks(3) {
            self.text(Speaker::Learner, Stage::Final, &chunk.join(" "), StopReason::PartialTurn);
        }
        let usage = StreamUsage { speech_tokens: self.heard_windows, text_tokens: 0 };
        self.events.push_back(ModelEvent::Usage(Usage { input: usage, output: StreamUsage::default() }));
    }

    fn answer(&mut self) {
        self.answers += 1;
        for sentence in 0..2 {
            let words = format!("answer {} sentence {sentence}.", self.answers);
            self.text(Speaker::Tutor, Stage::Speculative, &words, StopReason::PartialTurn);
            self.events.push_back(ModelEvent::AudioStart);
            for _ in 0..5 {
                self.events.push_back(ModelEvent::Audio(AudioFrame::new(&[1; 3_200])));
            }
            let stop = if sentence == 1 { StopReason::EndTurn } else { StopReason::PartialTurn };
            self.events.push_back(ModelEvent::AudioEnd { stop });
            self.text(Speaker::Tutor, Stage::Final, &words, stop);
        }
    }

    /// Discards what was not said yet, because the learner speaks over it. Transcripts are sent in any case.
    fn stop_talking(&mut self) {
        let is_learner = |event: &ModelEvent| match event {
            ModelEvent::TextStart { speaker, .. }
            | ModelEvent::Text { speaker, .. }
            | ModelEvent::TextEnd { speaker, .. } => *speaker == Speaker::Learner,
            ModelEvent::Usage(_) => true,
            ModelEvent::InterruptedMarker
            | ModelEvent::ToolStart
            | ModelEvent::ToolUse(_)
            | ModelEvent::AudioStart
            | ModelEvent::Audio(_)
            | ModelEvent::AudioEnd { .. }
            | ModelEvent::CompletionEnd
            | ModelEvent::Other => false,
        };
        let before = self.events.len();
        self.events.retain(is_learner);
        if self.events.len() < before {
            self.events.push_back(ModelEvent::AudioEnd { stop: StopReason::Interrupted });
        }
    }
}

struct Walk {
    random: StdRng,
    conversation: Conversation,
    auditor: Auditor,
    at_ms: u64,
    streams: HashMap<StreamId, FakeStream>,
    opening: Vec<(StreamId, u64)>,
    closing: Vec<StreamId>,
    /// The last usage that each stream has reported.
    reported: HashMap<StreamId, u64>,
    saying: VecDeque<i16>,
    next_word: i16,
    quiet_until_ms: u64,
    spoken: Vec<String>,
    /// Turns recorded at the last faults.
    faults_at: VecDeque<usize>,
    /// The number of owners so far.
    epoch: u64,
    /// Tokens reported on former tasks.
    reported_before: u64,
}

impl Walk {
    fn new(seed: u64) -> Self {
        let mut walk = Self {
            random: StdRng::seed_from_u64(seed),
            conversation: Conversation::new(settings(), 0),
            auditor: Auditor { sentences: 2, ..Auditor::default() },
            at_ms: 0,
            streams: HashMap::new(),
            opening: Vec::new(),
            closing: Vec::new(),
            reported: HashMap::new(),
            saying: VecDeque::new(),
            next_word: 1_000,
            quiet_until_ms: 0,
            spoken: Vec::new(),
            faults_at: VecDeque::new(),
            epoch: 1,
            reported_before: 0,
        };
        walk.input(Input::Attached);
        walk
    }

    fn run(&mut self) {
        let steps = self.random.random_range(500..4_000);
        for _ in 0..steps {
            self.step();
        }
        // The learner ends right after the last word, while a stream is open: without one, the last words could not be
        // transcribed.
        while !self.conversation.is_ended()
            && (!self.saying.is_empty() || !self.is_heard() || self.conversation.is_playing_upload())
        {
            self.step();
        }
        self.input(Input::EndRequested);
        for _ in 0..1_000 {
            if self.conversation.is_ended() {
                return;
            }
            self.at_ms += WINDOW_MS;
            self.model();
            self.input(Input::Tick);
        }
    }

    fn is_heard(&self) -> bool {
        self.opening.is_empty() && self.streams.values().any(|stream| stream.open)
    }

    fn step(&mut self) {
        self.at_ms += WINDOW_MS;
        self.learner();
        self.model();
        self.fault();
        if self.conversation.deadline_ms().is_some_and(|due| due <= self.at_ms) {
            self.input(Input::Tick);
        }
    }

    fn learner(&mut self) {
        let idle = self.saying.is_empty() && self.at_ms >= self.quiet_until_ms && self.next_word < 30_000;
        if idle && !self.conversation.is_playing_upload() && self.random.random_ratio(1, 6) {
            self.type_or_upload();
        }
        if self.saying.is_empty()
            && self.at_ms >= self.quiet_until_ms
            && self.next_word < 30_000
            && !self.conversation.is_playing_upload()
        {
            let words = self.random.random_range(1..30);
            self.saying = (self.next_word..self.next_word + words).collect();
            self.next_word += words;
            self.quiet_until_ms = self.at_ms + self.random.random_range(200..6_000);
        }
        let sample = self.saying.pop_front().unwrap_or(0);
        if sample != 0 {
            self.spoken.push(sample.to_string());
        }
        self.input(Input::Audio(sample.to_le_bytes().repeat(WINDOW_BYTES / 2).into()));
    }

    /// An uploaded turn, or a typed one if no transcript is pending.
    fn type_or_upload(&mut self) {
        let count = self.random.random_range(1..10);
        let words: Vec<i16> = (self.next_word..self.next_word + count).collect();
        let is_heard = self.conversation.link.listening().is_some() && self.conversation.floor.is_quiet();
        let input = if self.random.random() {
            let window = |word: &i16| word.to_le_bytes().repeat(WINDOW_BYTES / 2);
            Input::Uploaded(words.iter().flat_map(window).collect::<Vec<u8>>().into())
        } else if is_heard {
            let words: Vec<String> = words.iter().map(i16::to_string).collect();
            Input::Typed(words.join(" "))
        } else {
            return;
        };
        self.next_word += count;
        self.spoken.extend(words.iter().map(i16::to_string));
        self.quiet_until_ms = self.at_ms + self.random.random_range(200..6_000);
        self.input(input);
    }

    fn model(&mut self) {
        let at_ms = self.at_ms;
        let (ready, waiting) = self.opening.drain(..).partition(|(_, due)| *due <= at_ms);
        self.opening = waiting;
        for (id, _) in ready {
            self.streams.insert(id, FakeStream { open: true, ..FakeStream::default() });
            self.input(Input::StreamOpened(id));
        }
        for _ in 0..self.random.random_range(0..4) {
            let mut next = Vec::new();
            for (id, stream) in &mut self.streams {
                next.extend(stream.events.pop_front().map(|event| (*id, event)));
            }
            next.sort_by_key(|(id, _)| *id);
            for (id, event) in next {
                if let ModelEvent::Usage(usage) = &event {
                    self.reported.insert(id, usage.input.speech_tokens);
                }
                self.input(Input::Model(id, event));
            }
        }
        let done: Vec<StreamId> =
            self.closing.extract_if(.., |id| self.streams[id].events.is_empty()).collect();
        for id in done {
            self.streams.remove(&id);
            self.input(Input::StreamEnded(id));
        }
    }

    fn fault(&mut self) {
        // At most as many failures without a turn between them as are retried.
        let turns = self.auditor.turns.len();
        if self.faults_at.len() == FAULTS_MAX && self.faults_at.iter().all(|at| *at == turns) {
            return;
        }
        if !self.random.random_ratio(1, 150) {
            return;
        }
        if self.random.random() {
            self.hand_over();
            return;
        }
        self.faults_at.push_back(turns);
        if self.faults_at.len() > FAULTS_MAX {
            self.faults_at.pop_front();
        }
        let live: Vec<StreamId> =
            self.streams.keys().copied().filter(|id| !self.closing.contains(id)).collect();
        for id in live {
            self.streams.remove(&id);
            self.input(Input::StreamFailed(id, StreamError::new(FailureClass::Transport, "cut")));
        }
    }

    /// Hands the conversation over to the next task.
    fn hand_over(&mut self) {
        self.input(Input::TakeoverRequested);
        let release = self.auditor.release.take().expect("a live conversation is handed over");
        self.epoch += 1;
        self.reported_before = self.tokens();
        self.reported.clear();
        // Streams end with their task, also closed ones that would still have reported their usage.
        self.streams.clear();
        self.closing.clear();
        self.conversation = self.auditor.next_task(release, self.epoch, self.at_ms);
        self.input(Input::Attached);
    }

    fn input(&mut self, input: Input) {
        self.conversation.handle(input, self.at_ms);
        while let Some(output) = self.conversation.poll() {
            self.auditor.audit(&output);
            self.perform(output);
        }
    }

    fn perform(&mut self, output: Output) {
        match output {
            Output::OpenStream { stream, .. } => {
                let due = self.at_ms + self.random.random_range(0..400);
                self.opening.push((stream, due));
            }
            Output::SendAudio { stream, pcm } => {
                if let Some(stream) = self.streams.get_mut(&stream) {
                    stream.hear(&pcm);
                }
            }
            Output::SendText { stream, .. } => {
                if let Some(stream) = self.streams.get_mut(&stream) {
                    stream.answer();
                }
            }
            Output::CloseStream(id) => {
                if let Some(stream) = self.streams.get_mut(&id) {
                    stream.transcribe();
                    stream.events.push_back(ModelEvent::CompletionEnd);
                    stream.open = false;
                    self.closing.push(id);
                }
            }
            Output::DropStream(id) => {
                self.streams.remove(&id);
                self.closing.retain(|closing| *closing != id);
                self.opening.retain(|(opening, _)| *opening != id);
            }
            Output::Send(_)
            | Output::Audio { .. }
            | Output::ReturnToolResult { .. }
            | Output::RecordObjective { .. }
            | Output::StoreAudio { .. }
            | Output::Record(_)
            | Output::Failed(_)
            | Output::Release(_)
            | Output::End(_) => {}
        }
    }

    fn tokens(&self) -> u64 {
        self.reported_before + self.reported.values().sum::<u64>()
    }
}
