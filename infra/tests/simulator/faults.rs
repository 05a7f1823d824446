//! Faults, limits and barge-in as the Rust SDK sees them, set at run time through the control endpoint.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::client::{Answer, Conversation, Failure, SONIC};
use super::{Setup, Tuning};

impl Setup {
    async fn change(&self, change: Value) {
        let (status, state) = self.control("", Some(change)).await;
        assert_eq!(status, 200, "{state}");
    }

    /// Opens a stream with `fault` after one second of the simulator's time, and reads it to its end.
    async fn with_fault(&self, fault: &str) -> (Vec<String>, Result<(), Failure>) {
        self.change(json!({ "faults": [format!("{fault}@1000")] })).await;
        let mut conversation = Conversation::open(&self.bedrock(), SONIC).await.unwrap();
        conversation.type_text("(Greet the learner.)").await;
        let mut names = Vec::new();
        loop {
            match conversation.next().await {
                Ok(Some((name, _))) => names.push(name),
                Ok(None) => return (names, Ok(())),
                Err(failure) => return (names, Err(failure)),
            }
        }
    }
}

#[tokio::test]
async fn faults_in_the_stream() {
    let setup = Setup::start(|_, _| {}).await;
    for (fault, code) in [
        ("exception:internalServerException", "InternalServerException"),
        ("exception:modelStreamErrorException", "ModelStreamErrorException"),
        ("exception:modelTimeoutException", "ModelTimeoutException"),
        ("exception:serviceUnavailableException", "ServiceUnavailableException"),
        ("exception:throttlingException", "ThrottlingException"),
        ("exception:validationException", "ValidationException"),
        ("instability", "ValidationException"),
    ] {
        let (names, end) = setup.with_fault(fault).await;
        let failure = end.unwrap_err();
        assert!(failure.text.contains(code), "{fault}: {failure:?}");
        assert!(names.contains(&"audioOutput".to_owned()), "{fault}: in the middle of a sentence: {names:?}");
    }
    for (fault, text) in [("reset", "unexpected internal error"), ("cut", "close"), ("corrupt", "checksum")] {
        let (names, end) = setup.with_fault(fault).await;
        assert!(names.contains(&"audioOutput".to_owned()), "{fault}");
        let failure = end.unwrap_err();
        assert!(failure.text.contains(text), "{fault}: {failure:?}");
    }
    // For the Rust SDK a reset without an error is an end like any other.
    for fault in ["end", "reset-no-error"] {
        let (names, end) = setup.with_fault(fault).await;
        end.unwrap();
        assert!(!names.contains(&"completionEnd".to_owned()), "{fault}");
    }
}

#[tokio::test]
async fn a_silent_stall_lasts_until_the_stream_has_lived_its_time() {
    let setup = Setup::start(|options, _| options.tuning.stream_limit_seconds = 20.0).await;
    let started = Instant::now();
    let (names, end) = setup.with_fault("stall").await;
    end.unwrap();
    assert!(started.elapsed() >= Duration::from_millis(900), "20 seconds at 20 times the speed");
    assert!(names.contains(&"audioOutput".to_owned()) && !names.contains(&"completionEnd".to_owned()));
}

#[tokio::test]
async fn a_goaway_ends_no_stream_and_new_ones_are_opened_elsewhere() {
    let setup = Setup::start(|_, _| {}).await;
    setup.change(json!({ "faults": ["goaway@100"] })).await;
    let bedrock = setup.bedrock();
    let mut first = Conversation::open(&bedrock, SONIC).await.unwrap();
    first.type_text("(Greet the learner.)").await;
    assert_eq!(first.answer().await.said.len(), 2);
    let mut second = Conversation::open(&bedrock, SONIC).await.unwrap();
    second.type_text("(Greet the learner.)").await;
    assert_eq!(second.answer().await.said.len(), 2);
    assert_eq!(first.close().await.last().unwrap().0, "completionEnd");
}

#[tokio::test]
async fn requests_refused_on_purpose() {
    let setup = Setup::start(|_, _| {}).await;
    for (fault, code) in [
        ("throttling", "ThrottlingException"),
        ("not-ready", "ModelNotReadyException"),
        ("internal", "InternalServerException"),
        ("unavailable", "ServiceUnavailableException"),
        ("access-denied", "AccessDeniedException"),
        ("end-of-life", "ResourceNotFoundException"),
    ] {
        setup.change(json!({ "faults": [fault] })).await;
        let failure = Conversation::open(&setup.bedrock(), SONIC).await.err().unwrap();
        // The SDK knows no ResourceNotFoundException for this operation by name, but passes on its code.
        assert_eq!(failure.code.as_deref(), Some(code));
    }
    Conversation::open(&setup.bedrock(), SONIC).await.unwrap();
}

#[tokio::test]
async fn headers_that_come_late() {
    let setup = Setup::start(|_, _| {}).await;
    setup.change(json!({ "faults": ["late-headers@10000"] })).await;
    let started = Instant::now();
    Conversation::open(&setup.bedrock(), SONIC).await.unwrap();
    assert!(started.elapsed() >= Duration::from_millis(500), "10 seconds at 20 times the speed");
}

#[tokio::test]
async fn a_fault_in_a_stream_that_is_open() {
    let setup = Setup::start(|_, _| {}).await;
    let mut conversation = Conversation::open(&setup.bedrock(), SONIC).await.unwrap();
    let (_, streams) = setup.control("/streams", None).await;
    let id = streams[0]["sessionId"].as_str().unwrap().to_owned();
    let path = format!("/streams/{id}");
    assert_eq!(setup.control(&path, Some(json!({ "fault": "nonsense" }))).await.0, 400);
    assert_eq!(setup.control(&path, Some(json!({ "fault": "exception:throttlingException" }))).await.0, 202);
    assert!(conversation.failure().await.text.contains("ThrottlingException"));
    assert_eq!(setup.control("/streams/unknown", None).await.0, 404);
}

#[tokio::test]
async fn limits_of_time_and_number() {
    let setup = Setup::start(|options, _| {
        options.tuning = Tuning { stream_limit_seconds: 10.0, streams_max: 1, ..options.tuning };
    })
    .await;
    let bedrock = setup.bedrock();
    let mut only = Conversation::open(&bedrock, SONIC).await.unwrap();
    let refused = Conversation::open(&bedrock, SONIC).await.err().unwrap();
    assert_eq!(refused.code.as_deref(), Some("ThrottlingException"));
    let failure = only.failure().await;
    assert!(failure.text.contains("Model has timed out in processing the request"), "{failure:?}");

    setup.change(json!({ "idleLimitSeconds": 2.0, "streamsMax": 20 })).await;
    let failure = Conversation::open(&bedrock, SONIC).await.unwrap().failure().await;
    assert!(failure.text.contains("Timed out waiting for input events"), "{failure:?}");
}

#[tokio::test]
async fn a_barge_in_in_each_style() {
    let setup = Setup::start(|options, _| options.tuning.clock_scale = 1.0).await;
    for style in ["text", "audio", "marker"] {
        setup.change(json!({ "interruption": style })).await;
        let mut conversation = Conversation::open(&setup.bedrock(), SONIC).await.unwrap();
        conversation.type_text("(Greet the learner.)").await;
        let mut answer = Answer::default();
        while answer.audio.len() < 16_000 {
            let (name, fields) = conversation.next().await.unwrap().unwrap();
            answer.take(&name, &fields);
        }
        conversation.say("Wait a moment, please").await;
        conversation.silence(1_600).await;
        while answer.user.is_empty() {
            let (name, fields) = conversation.next().await.unwrap().unwrap();
            answer.take(&name, &fields);
        }
        assert_eq!(answer.user, ["Wait a moment, please"], "{style}");
        let marked = answer.said.contains(&"{ \"interrupted\" : true }".to_owned());
        assert_eq!(
            (answer.interrupted, marked),
            (style != "marker", style == "marker"),
            "{style}: {answer:?}"
        );
        assert!(
            answer.planned.len() > answer.said.len() || !answer.said.ends_with(&answer.planned),
            "{style}"
        );
    }
}

#[tokio::test]
async fn http_1_is_spoken_too() {
    let setup = Setup::start(|_, _| {}).await;
    let ca = std::fs::read(setup.simulator.ca_file()).unwrap();
    // Already installed when another test was faster.
    let _installed = rustls::crypto::ring::default_provider().install_default();
    let roots = [reqwest::Certificate::from_pem(&ca).unwrap()];
    let http = reqwest::Client::builder().tls_certs_only(roots).http1_only().build().unwrap();
    let health = http.get(format!("{}/health", setup.simulator.endpoint())).send().await.unwrap();
    assert_eq!(health.version(), reqwest::Version::HTTP_11);
    assert_eq!(health.json::<Value>().await.unwrap()["status"], "ok");
}
