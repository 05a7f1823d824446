//! The bytes of a stream beside those of the SDK: the same client, the same events, with the body of the SDK and with ours.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_sdk_bedrockruntime::{
    Client,
    config::{BehaviorVersion, Config, Region, retry::RetryConfig},
    primitives::Blob,
    types::{
        BidirectionalInputPayloadPart, InvokeModelWithBidirectionalStreamInput as Chunk,
        error::InvokeModelWithBidirectionalStreamInputError as InputError,
    },
};
use aws_sigv4::event_stream::{SigningParams, sign_empty_message, sign_message};
use aws_smithy_async::time::{SharedTimeSource, TimeSource};
use aws_smithy_eventstream::frame::{read_message_from, write_message_to};
use aws_smithy_runtime_api::client::{
    http::{HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector},
    orchestrator::HttpRequest,
    result::ConnectorError,
    runtime_components::RuntimeComponents,
};
use aws_smithy_types::event_stream::Message;
use bytes::Bytes;
use http_body_util::BodyExt as _;
use proptest::{collection, prelude::*};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::*;
use crate::{
    live::sonic::{StreamAuthScheme, opening::call, signature::Start, wire::Ids},
    test_fuzz::cases,
};

const MODEL: &str = "amazon.nova-2-sonic-v1:0";

/// Keeps the request of a call and fails it.
#[derive(Clone, Debug, Default)]
struct Capture(Arc<Mutex<Option<HttpRequest>>>);

impl HttpClient for Capture {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Capture {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        *self.0.lock().unwrap() = Some(request);
        HttpConnectorFuture::ready(Err(ConnectorError::user("captured".into())))
    }
}

/// A clock that the test sets, in milliseconds since 1970.
#[derive(Clone, Debug)]
struct Clock(Arc<Mutex<u64>>);

impl TimeSource for Clock {
    fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(*self.0.lock().unwrap())
    }
}

fn credentials() -> Credentials {
    Credentials::new("AKID", "a secret", Some("a token".to_owned()), None, "test")
}

fn client(capture: &Capture, clock: &Clock, ours: bool) -> Client {
    let config = Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials()))
        .retry_config(RetryConfig::disabled())
        .time_source(SharedTimeSource::new(clock.clone()))
        .http_client(capture.clone());
    let config = if ours { config.push_auth_scheme(StreamAuthScheme::default()) } else { config };
    Client::from_conf(config.build())
}

fn ids() -> Ids {
    Ids { prompt: "p".to_owned(), audio: "a".to_owned() }
}

/// The request with our body, and the sender of its events.
async fn our_request(clock: &Clock) -> (HttpRequest, mpsc::Sender<InputEvent>) {
    let (capture, (sender, events)) = (Capture::default(), mpsc::channel(1));
    let failed = call(&client(&capture, clock, true), MODEL.to_owned(), &ids(), events).await;
    assert!(failed.is_err());
    (capture.0.lock().unwrap().take().unwrap(), sender)
}

/// The request with the body of the SDK, and the sender of its chunks.
async fn sdk_request(clock: &Clock) -> (HttpRequest, mpsc::Sender<Result<Chunk, InputError>>) {
    let (capture, (sender, chunks)) = (Capture::default(), mpsc::channel(1));
    let call = client(&capture, clock, false).invoke_model_with_bidirectional_stream().model_id(MODEL);
    assert!(call.body(ReceiverStream::new(chunks).into()).send().await.is_err());
    (capture.0.lock().unwrap().take().unwrap(), sender)
}

async fn frame(request: &mut HttpRequest) -> Option<Bytes> {
    Some(request.body_mut().frame().await?.unwrap().into_data().unwrap())
}

fn json(event: &InputEvent) -> Vec<u8> {
    match event {
        InputEvent::Audio(pcm) => {
            let mut json = Vec::new();
            AudioInput::new(&ids()).write(pcm, &mut json);
            json
        }
        InputEvent::Json(json) => json.clone(),
    }
}

/// The message that the SDK's signer makes of `message`, or of none, and its signature.
fn signed(message: Option<&Message>, last: &str, now_ms: u64) -> (Bytes, String) {
    let identity = credentials().into();
    let params = SigningParams::builder().identity(&identity).region("us-east-1").name("bedrock");
    // Signatures have a resolution of one second.
    let params = params.time(UNIX_EPOCH + Duration::from_secs(now_ms / 1_000)).settings(()).build().unwrap();
    let signed = message
        .map_or_else(|| sign_empty_message(last, &params), |message| sign_message(message, last, &params));
    let (message, signature) = signed.unwrap().into_parts();
    let mut bytes = Vec::new();
    write_message_to(&message, &mut bytes).unwrap();
    (bytes.into(), signature)
}

async fn check(events: Vec<(InputEvent, u64)>, began_ms: u64) {
    let clock = Clock(Arc::new(Mutex::new(began_ms)));
    let (mut ours, our_events) = our_request(&clock).await;
    let (mut sdk, chunks) = sdk_request(&clock).await;
    let signature =
        |request: &HttpRequest| Start::parse(request.headers().get("authorization").unwrap()).unwrap();
    let mut last = signature(&ours).signature;
    for (event, pause_ms) in events {
        *clock.0.lock().unwrap() += pause_ms;
        let now_ms = *clock.0.lock().unwrap();
        let part = BidirectionalInputPayloadPart::builder().bytes(Blob::new(json(&event))).build();
        chunks.send(Ok(Chunk::Chunk(part))).await.unwrap();
        our_events.send(event).await.unwrap();
        // What the SDK signs is the message inside.
        let inner = read_message_from(frame(&mut sdk).await.unwrap()).unwrap();
        let inner = read_message_from(inner.payload().clone()).unwrap();
        let (expected, next) = signed(Some(&inner), &last, now_ms);
        assert_eq!(frame(&mut ours).await.unwrap(), expected);
        last = next;
    }
    drop(our_events);
    let now_ms = *clock.0.lock().unwrap();
    assert_eq!(frame(&mut ours).await.unwrap(), signed(None, &last, now_ms).0);
    assert_eq!(frame(&mut ours).await, None);
}

fn event() -> impl Strategy<Value = InputEvent> {
    prop_oneof![
        collection::vec(any::<u8>(), 0..4096).prop_map(|pcm| InputEvent::Audio(pcm.into())),
        collection::vec(any::<u8>(), 0..3000).prop_map(InputEvent::Json),
    ]
}

proptest! {
    #![proptest_config(cases(64))]

    /// Any events, any time apart, also over midnight: the message inside is that of the SDK's encoder, and the signed one that
    /// of its signer.
    #[test]
    fn stream_has_the_bytes_of_the_sdk(
        events in collection::vec((event(), prop_oneof![0_u64..40, 0_u64..100_000_000]), 1..12),
        began_ms in 0_u64..4_000_000_000_000,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(check(events, began_ms));
    }
}

#[tokio::test]
async fn body_of_a_request_that_was_not_signed_for_it_fails() {
    let clock = Clock(Arc::new(Mutex::new(0)));
    let (capture, (sender, events)) = (Capture::default(), mpsc::channel(1));
    // A client without the auth scheme.
    assert!(call(&client(&capture, &clock, false), MODEL.to_owned(), &ids(), events).await.is_err());
    let mut request = capture.0.lock().unwrap().take().unwrap();
    sender.send(InputEvent::Json(b"{}".to_vec())).await.unwrap();
    assert!(request.body_mut().frame().await.unwrap().is_err());
    assert!(request.body_mut().frame().await.is_none());
}

#[test]
fn buffer_is_reused_when_the_messages_before_are_sent() {
    let start =
        Start { signature: "00".to_owned(), region: "us-east-1".to_owned(), service: "bedrock".to_owned() };
    let mut encoder = InputEncoder::new(AudioInput::new(&ids()), MessageSigner::new(credentials(), start));
    let event = InputEvent::Audio(vec![7; 1024].into());
    let mut places = std::collections::BTreeSet::new();
    for second in 0..100 {
        places.insert(encoder.encode(&event, second).unwrap().as_ptr().addr());
    }
    assert!(places.len() < 10, "{} places", places.len());
}
