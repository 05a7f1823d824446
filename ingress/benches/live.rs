//! Instructions that one frame of audio costs, counted under Valgrind: independent of the machine's speed and its other work.
//! A frame is 32 ms: 31.25 of them are a second of a conversation. Run it before and after a change of the live path;
//! it needs Valgrind and `gungraun-runner` of the version in `Cargo.lock`.

#![expect(unused_qualifications, reason = "the macros of the benchmarks write them")]

use std::hint::black_box;

use bytes::Bytes;
use events::contract::{ConversationId, Envelope};
use gungraun::prelude::*;
use ingress::live::{
    conversation::{Conversation, Input, Limits, ModelEvent, Settings, StreamId},
    sonic::{
        encoder::{InputEncoder, InputEvent},
        signature::{MessageSigner, Start},
        wire::{AudioInput, Decoder, Ids},
    },
};
use jiff::Timestamp;

/// Bytes of a frame of the learner's audio and of the tutor's: 32 ms at 16 kHz.
const FRAME_BYTES: usize = 1024;

/// Repetitions of a benchmark, so that what happens once does not count.
const FRAMES: u64 = 100;

fn frame(loud: bool) -> Bytes {
    let sample = |n: usize| if loud && (n / 32).is_multiple_of(2) { 0x20 } else { 0 };
    (0..FRAME_BYTES).map(sample).collect::<Vec<u8>>().into()
}

fn encoder() -> InputEncoder {
    let ids = Ids { prompt: "4f6d0a52-6f8c-4a0c-9d44-3a1f2a6d9b10".to_owned(), audio: "audio".to_owned() };
    let start = "AWS4-HMAC-SHA256 Credential=AKID/20261126/us-east-1/bedrock/aws4_request, SignedHeaders=host, \
                 Signature=00ff";
    let start = Start::parse(start).expect("the text is an authorization");
    let credentials = aws_credential_types::Credentials::new("AKID", "a secret", None, None, "bench");
    InputEncoder::new(AudioInput::new(&ids), MessageSigner::new(credentials, start))
}

// PCM to a signed event-stream message.
#[library_benchmark]
#[bench::frames(encoder(), InputEvent::Audio(frame(true)))]
fn encode(mut encoder: InputEncoder, event: InputEvent) {
    for n in 0..FRAMES {
        // A second has 31 frames.
        let _ = black_box(encoder.encode(black_box(&event), n / 31));
    }
}

fn decoder() -> (Decoder, Vec<u8>) {
    let mut decoder = Decoder::default();
    let start = br#"{"event":{"contentStart":{"contentId":"c","type":"AUDIO","role":"ASSISTANT"}}}"#;
    decoder.decode(start).expect("the text is an event");
    let mut audio = Vec::new();
    let ids = Ids { prompt: "p".to_owned(), audio: "c".to_owned() };
    AudioInput::new(&ids).write(&frame(true), &mut audio);
    let audio = String::from_utf8(audio).expect("JSON is text");
    let audio = audio.replace("audioInput", "audioOutput").replace("contentName", "contentId");
    (decoder, audio.into_bytes())
}

// An event of the model to audio.
#[library_benchmark]
#[bench::frames(decoder())]
fn decode((mut decoder, event): (Decoder, Vec<u8>)) {
    for _ in 0..FRAMES {
        let _ = black_box(decoder.decode(black_box(&event)));
    }
}

fn conversation() -> Conversation {
    let settings = Settings {
        conversation_id: ConversationId::new(Timestamp::UNIX_EPOCH, [7; 10]),
        audio_prefix: "audio/u/c/".to_owned(),
        pause_ms: 1_500,
        texts: None,
        opening_clip: None,
        objectives: Vec::new(),
        limits: Limits {
            conversation_ms_max: 600_000,
            silence_ms_max: 300_000,
            nudge_after_ms: 400_000,
            wrap_up_ms: 60_000,
            grace_ms_max: 60_000,
            renew_after_ms: 700_000,
            renew_by_ms: 800_000,
            stall_ms_max: 15_000,
        },
        jitter_permille: 0,
    };
    let mut conversation = Conversation::new(settings, 0);
    conversation.handle(Input::Attached, 0);
    conversation.handle(Input::StreamOpened(StreamId(0)), 0);
    while conversation.poll().is_some() {}
    conversation
}

// A frame of the learner through the state machine.
#[library_benchmark]
#[bench::silence(conversation(), frame(false))]
#[bench::speech(conversation(), frame(true))]
fn hear(mut conversation: Conversation, frame: Bytes) {
    for n in 0..FRAMES {
        conversation.handle(Input::Audio(black_box(frame.clone())), n * 32);
        while let Some(output) = conversation.poll() {
            black_box(output);
        }
    }
}

fn speaking() -> (Conversation, ModelEvent) {
    let mut conversation = conversation();
    let (mut decoder, event) = decoder();
    conversation.handle(Input::Model(StreamId(0), ModelEvent::AudioStart), 0);
    let audio = decoder.decode(&event).expect("the event has audio").event;
    (conversation, audio)
}

// A frame of the tutor through the state machine.
#[library_benchmark]
#[bench::frames(speaking())]
fn speak((mut conversation, event): (Conversation, ModelEvent)) {
    for n in 0..FRAMES {
        conversation.handle(Input::Model(StreamId(0), black_box(event.clone())), n * 32);
        while let Some(output) = conversation.poll() {
            black_box(output);
        }
    }
}

fn envelope() -> String {
    include_str!("../../schemas/example/conversation.completed.json").to_owned()
}

// An event of the pipeline: read and written once.
#[library_benchmark]
#[bench::completed(envelope())]
fn pass_on(json: String) -> Option<String> {
    let envelope = Envelope::decode(black_box(&json)).ok()?;
    Some(black_box(&envelope).encode())
}

library_benchmark_group!(name = live, benchmarks = [encode, decode, hear, speak, pass_on]);

main!(library_benchmark_groups = live);
