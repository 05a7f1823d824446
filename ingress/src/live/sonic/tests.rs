//! Streams against a far end in memory that is silent, never ends, or responds with arbitrary bytes; on paused time.

use std::sync::{
    Mutex,
    atomic::{AtomicI16, Ordering},
};

use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_sdk_bedrockruntime::config::{BehaviorVersion, Config, Region, retry::RetryConfig};
use aws_smithy_eventstream::frame::write_message_to;
use aws_smithy_runtime_api::{
    client::{
        http::{HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector},
        orchestrator::{HttpRequest, HttpResponse},
        runtime_components::RuntimeComponents,
    },
    http::{Response as HttpAnswer, StatusCode},
};
use aws_smithy_types::{
    body::SdkBody,
    event_stream::{Header, HeaderValue, Message as Frame},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use events::contract::Speaker;
use proptest::prelude::*;
use tokio::time::Instant;

use super::{opening::OPEN_TIMEOUT, *};
use crate::{coordination::Coordination, test_fuzz::cases};

/// The far end of every call.
#[derive(Clone, Debug)]
enum Far {
    /// No response, and no input is read.
    Silent,
    /// A response that begins and never ends.
    Open,
    /// A response of these bytes.
    Says(Arc<Mutex<Bytes>>),
    /// A response of endless audio, one numbered sample at a time, with the count of samples read.
    Speaks(Arc<AtomicI16>),
}

impl HttpClient for Far {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Far {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let far = self.clone();
        HttpConnectorFuture::new(async move {
            let body = match far {
                Self::Silent => {
                    std::future::pending::<()>().await;
                    SdkBody::taken()
                }
                Self::Open => {
                    let (sender, body) = http_body_util::channel::Channel::<Bytes>::new(1);
                    tokio::spawn(async move {
                        let _open = (sender, request);
                        std::future::pending::<()>().await;
                    });
                    SdkBody::from_body_1_x(body)
                }
                Self::Says(bytes) => SdkBody::from(bytes.lock().unwrap().clone()),
                Self::Speaks(taken) => {
                    let (mut sender, body) = http_body_util::channel::Channel::<Bytes>::new(1);
                    tokio::spawn(async move {
                        let _open = request;
                        while sender.send_data(sample(taken.load(Ordering::Relaxed)).into()).await.is_ok() {
                            taken.fetch_add(1, Ordering::Relaxed);
                        }
                    });
                    SdkBody::from_body_1_x(body)
                }
            };
            let mut answer: HttpResponse = HttpAnswer::new(StatusCode::try_from(200).unwrap(), body);
            answer.headers_mut().insert("content-type", "application/vnd.amazon.eventstream");
            answer.headers_mut().insert("x-amzn-requestid", "r-1");
            Ok(answer)
        })
    }
}

fn sonic(far: Far, streams_max: usize) -> Sonic {
    let config = Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new(
            "key", "secret", None, None, "test",
        )))
        .retry_config(RetryConfig::disabled())
        .http_client(far)
        .push_auth_scheme(StreamAuthScheme::default())
        .build();
    let account = AccountStreams::new(Arc::new(Coordination::in_process()), None);
    Sonic::new("amazon.nova-2-sonic-v1:0".to_owned(), vec![Client::from_conf(config)], streams_max, account)
}

fn setup() -> Setup {
    let history = vec![Message { speaker: Speaker::Learner, text: "Hello.".to_owned() }];
    let sensitivity = Some(Sensitivity::Low);
    Setup {
        system_prompt: "Be kind.".into(),
        is_first: false,
        history,
        voice: "tiffany".into(),
        tool: None,
        sensitivity,
    }
}

fn open(sonic: &Sonic, id: u32) -> (Stream, mpsc::Receiver<(StreamId, Signal)>) {
    let (signals, signalled) = mpsc::channel(SIGNALS_MAX);
    (sonic.open(StreamId(id), setup(), signals), signalled)
}

async fn failed(signalled: &mut mpsc::Receiver<(StreamId, Signal)>) -> FailureClass {
    match signalled.recv().await {
        Some((_, Signal::Failed(failure))) => failure.class,
        other => panic!("not a failure: {other:?}"),
    }
}

/// A stream without a call: only its input queue is open.
fn unopened(capacity: usize) -> (Stream, mpsc::Receiver<InputEvent>) {
    let (input, items) = mpsc::channel(capacity);
    let ids = Ids { prompt: "p".to_owned(), audio: "a".to_owned() };
    let stream = Stream {
        ids,
        blocks: 0,
        input: Some(input),
        closing: CancellationToken::new(),
        reader: AbortOnDropHandle::new(tokio::spawn(std::future::pending())),
        requested_at: Instant::now(),
    };
    (stream, items)
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_does_not_open_in_time_is_given_up() {
    let (_stream, mut signalled) = open(&sonic(Far::Silent, 1), 0);
    let begun = Instant::now();
    assert_eq!(failed(&mut signalled).await, FailureClass::OpenDeadline);
    assert_eq!(begun.elapsed().as_secs(), OPEN_TIMEOUT.as_secs());
}

#[tokio::test(start_paused = true)]
async fn streams_of_a_connection_are_bounded_and_their_places_come_back() {
    let sonic = sonic(Far::Silent, 2);
    let begun = Instant::now();
    let (first, mut one) = open(&sonic, 1);
    let (_second, _two) = open(&sonic, 2);
    let (_third, mut three) = open(&sonic, 3);
    assert_eq!(failed(&mut three).await, FailureClass::Throttled);
    assert_eq!(begun.elapsed(), Duration::ZERO, "nothing waits without a word");
    drop(first);
    assert!(one.recv().await.is_none());
    let (_fourth, mut four) = open(&sonic, 4);
    assert_eq!(failed(&mut four).await, FailureClass::OpenDeadline);
}

#[tokio::test(start_paused = true)]
async fn what_a_stream_does_not_take_is_bounded() {
    let (stream, _signalled) = open(&sonic(Far::Silent, 1), 0);
    let mut taken = 0;
    while stream.audio(Bytes::from_static(&[0; AUDIO_EVENT_BYTES_MAX])).is_ok() {
        taken += 1;
    }
    assert_eq!(taken, INPUT_EVENTS_MAX);
}

#[tokio::test]
async fn long_audio_is_sent_in_pieces() {
    let (stream, mut items) = unopened(8);
    stream.audio(Bytes::from_static(&[0; 2 * AUDIO_EVENT_BYTES_MAX + 2])).unwrap();
    drop(stream);
    let mut lengths = Vec::new();
    while let Some(item) = items.recv().await {
        let InputEvent::Audio(pcm) = item else { panic!("not audio: {item:?}") };
        lengths.push(pcm.len());
    }
    assert_eq!(lengths, [AUDIO_EVENT_BYTES_MAX, AUDIO_EVENT_BYTES_MAX, 2]);
}

#[tokio::test(start_paused = true)]
async fn a_closed_stream_is_read_for_a_bounded_time() {
    let (mut stream, mut signalled) = open(&sonic(Far::Open, 1), 0);
    assert!(matches!(signalled.recv().await, Some((_, Signal::Opened))));
    let quiet = tokio::time::timeout(10 * CLOSE_TIMEOUT, signalled.recv()).await;
    assert!(quiet.is_err(), "an open stream may be silent as long as it likes");
    let begun = Instant::now();
    stream.close();
    assert!(matches!(signalled.recv().await, Some((_, Signal::Ended))));
    assert_eq!(begun.elapsed().as_secs(), CLOSE_TIMEOUT.as_secs());
}

/// A message of the response: an event, or an exception.
fn frame(kind: &str, name: &str, payload: Vec<u8>) -> Vec<u8> {
    let text = |text: &str| HeaderValue::String(text.to_owned().into());
    let message = Frame::new(payload)
        .add_header(Header::new(":message-type", text(kind)))
        .add_header(Header::new(format!(":{kind}-type"), text(name)))
        .add_header(Header::new(":content-type", text("application/json")));
    let mut bytes = Vec::new();
    write_message_to(&message, &mut bytes).unwrap();
    bytes
}

fn chunk_of(json: &[u8]) -> Vec<u8> {
    let payload = serde_json::json!({ "bytes": BASE64_STANDARD.encode(json) });
    frame("event", "chunk", payload.to_string().into_bytes())
}

/// The event of one sample of audio.
fn sample(value: i16) -> Vec<u8> {
    let content = BASE64_STANDARD.encode(value.to_le_bytes());
    let event = serde_json::json!({ "event": { "audioOutput": { "contentId": "1", "content": content } } });
    chunk_of(event.to_string().as_bytes())
}

#[tokio::test(start_paused = true)]
async fn a_model_that_is_not_listened_to_is_not_read_and_nothing_of_it_is_lost() {
    /// On the way: in the hands of the reader, of the decoder and of the connection.
    const ON_THE_WAY_MAX: usize = 4;
    let taken = Arc::<AtomicI16>::default();
    let (_stream, mut signalled) = open(&sonic(Far::Speaks(Arc::clone(&taken)), 1), 0);
    let taken = || usize::try_from(taken.load(Ordering::Relaxed)).unwrap();
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(signalled.len(), SIGNALS_MAX);
    assert!((SIGNALS_MAX..SIGNALS_MAX + ON_THE_WAY_MAX).contains(&taken()), "{}", taken());
    assert!(matches!(signalled.recv().await, Some((_, Signal::Opened))));
    for number in 0..3 * i16::try_from(SIGNALS_MAX).unwrap() {
        let Some((_, Signal::Model(ModelEvent::Audio(frame)))) = signalled.recv().await else {
            panic!("not audio");
        };
        assert_eq!(frame.pcm(), number.to_le_bytes());
    }
}

#[tokio::test(start_paused = true)]
async fn stream_whose_incidental_events_are_unreadable_goes_on() {
    let events = [
        r#"{"event":{"completionStart":{"sessionId":7}}}"#,
        r#"{"event":{"usageEvent":{"details":{"total":{"input":{"speechTokens":12.5}}}}}}"#,
        r#"{"event":{"contentStart":{"contentId":"1","type":"TEXT","role":"USER"}}}"#,
        r#"{"event":{"textOutput":{"contentId":"1","content":"a dog \ud83d"}}}"#,
        r#"{"event":{"usageEvent":{"details":{"total":{"input":{"speechTokens":12.0}}}}}}"#,
    ];
    let response = events.map(|json| chunk_of(json.as_bytes())).concat();
    let (_stream, mut signalled) = open(&sonic(Far::Says(Arc::new(Mutex::new(response.into()))), 1), 0);
    let mut signals = Vec::new();
    while let Some((_, signal)) = signalled.recv().await {
        signals.push(signal);
    }
    let unreadable = signals.iter().filter(|signal| matches!(signal, Signal::UnreadableUsage)).count();
    assert_eq!(unreadable, 1, "{signals:?}");
    let said = |signal: &&Signal| matches!(signal, Signal::Model(ModelEvent::Text { content, .. }) if content == "a dog \u{fffd}");
    assert_eq!(signals.iter().filter(said).count(), 1, "{signals:?}");
    let usage = |signal: &&Signal| matches!(signal, Signal::Model(ModelEvent::Usage(usage)) if usage.input.speech_tokens == 12);
    assert_eq!(signals.iter().filter(usage).count(), 1, "{signals:?}");
    assert!(matches!(signals.last(), Some(Signal::Ended)), "{signals:?}");
}

/// Frames as the service could send them, and some that it should not.
fn frames() -> impl Strategy<Value = Vec<u8>> {
    let json = prop::sample::select(vec![
        r#"{"event":{"completionStart":{"sessionId":"s"}}}"#,
        r#"{"event":{"contentStart":{"contentId":"1","type":"AUDIO"}}}"#,
        r#"{"event":{"audioOutput":{"contentId":"1","content":"AAECAw=="}}}"#,
        r#"{"event":{"contentEnd":{"contentId":"1","stopReason":"END_TURN"}}}"#,
        r#"{"event":{"completionEnd":{}}}"#,
    ]);
    let name = "(validationException|modelTimeoutException|internalServerException|throttlingException|news)";
    let bytes = || prop::collection::vec(any::<u8>(), 0..60);
    let one = prop_oneof![
        6 => json.prop_map(|json| chunk_of(json.as_bytes())),
        1 => bytes().prop_map(|json| chunk_of(&json)),
        1 => bytes().prop_map(|payload| frame("event", "chunk", payload)),
        1 => (name, bytes()).prop_map(|(name, payload)| frame("exception", &name, payload)),
        1 => (name, bytes()).prop_map(|(name, payload)| frame("event", &name, payload)),
    ];
    prop::collection::vec(one, 0..6).prop_map(|frames| frames.concat())
}

proptest! {
    #![proptest_config(cases(400))]

    /// One stream, whatever it says: it opens, and comes to one end.
    #[test]
    fn any_response_comes_to_one_end(
        mut response in frames(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        truncated in prop::option::of(any::<prop::sample::Index>()),
        tail in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        if let Some(end) = truncated {
            response.truncate(end.index(response.len() + 1));
        }
        response.extend(tail);
        for (place, value) in damage {
            if !response.is_empty() {
                let place = place.index(response.len());
                response[place] = value;
            }
        }
        RUNTIME.with(|(runtime, sonic, said)| {
            *said.lock().unwrap() = response.into();
            runtime.block_on(check_one_end(sonic));
        });
    }
}

thread_local! {
    /// One client for all cases, on time that passes by itself.
    static RUNTIME: (tokio::runtime::Runtime, Sonic, Arc<Mutex<Bytes>>) = {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
        let said = Arc::<Mutex<Bytes>>::default();
        (runtime.unwrap(), sonic(Far::Says(Arc::clone(&said)), 1), said)
    };
}

async fn check_one_end(sonic: &Sonic) {
    let (_stream, mut signalled) = open(sonic, 0);
    let all = async {
        let mut signals = Vec::new();
        while let Some((_, signal)) = signalled.recv().await {
            signals.push(signal);
        }
        signals
    };
    let signals = tokio::time::timeout(OPEN_TIMEOUT + CLOSE_TIMEOUT, all).await.expect("a response ends");
    let is_end = |signal: &Signal| matches!(signal, Signal::Failed(_) | Signal::Ended);
    assert!(is_end(signals.last().expect("the last signal is an end")), "{signals:?}");
    assert_eq!(signals.iter().filter(|signal| is_end(signal)).count(), 1, "{signals:?}");
}
