//! What one conversation of ten minutes consumes of AWS: the calls of the ingress and of all workers, from the request for the
//! conversation until the watchdog has found it complete. `infra/cost/conversation.json` is the record, on which `nova cost`
//! computes; this test measures again and compares.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context as _, ensure};
use events::{
    contract::{Level, Usage},
    runtime::{
        consumer::{ConsumerConfig, consume},
        log_filter,
    },
    workers::Worker,
};
use infra::{
    cost::{Calls, Consumption},
    deploy::StackKind,
};
use serde_json::Value;
use tests::{
    deployment::{TOPICS, config, consumer, create_queues_and_rules},
    live::{Live, LiveOptions, block_on},
    model::{Capacities, Index, Meter},
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use workers::watchdog::Watchdog;

use crate::{
    access::second_dispatcher,
    faulty_session::{FaultySession, SessionPlan},
    reader::Reader,
    streams::Streams,
    workers as pipeline,
};

/// Exchanges in ten minutes: the learner speaks for 15 s, the tutor for 13 s, and the learner thinks for a while.
const EXCHANGES: usize = 15;

/// Pause of the learner before each line.
const THINKING: Duration = Duration::from_secs(9);

/// Until the watchdog has looked at the conversation after its end.
const AUDITED_WITHIN: Duration = Duration::from_secs(3_600);

/// Tokens of an assessment by Claude. The model of the tests writes less.
const ASSESSMENT_TOKENS: u64 = 1_000;

/// Bytes of English text and JSON in a token.
const TOKEN_BYTES: u64 = 4;

/// The largest difference of a number from the record: the counts of renewals and of looks for results depend on when they begin.
const TOLERANCE: f64 = 0.1;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The secondary indexes of the tables of the template.
fn indexes() -> anyhow::Result<Capacities> {
    let mut capacities = Capacities::default();
    for resource in StackKind::Data.template()?.resources.values() {
        let properties = &resource["Properties"];
        let Some(name) = properties["TableName"]["Fn::Sub"].as_str() else { continue };
        let texts = |values: &Value, name: Option<&str>| -> Vec<String> {
            let values = values.as_array().into_iter().flatten();
            let text = |value: &Value| name.map_or(value, |name| &value[name]).as_str().map(str::to_owned);
            values.filter_map(text).collect()
        };
        let indexes = properties["GlobalSecondaryIndexes"].as_array().into_iter().flatten().map(|index| {
            let projection = &index["Projection"];
            let is_whole = projection["ProjectionType"] == "ALL";
            Index {
                key: texts(&index["KeySchema"], Some("AttributeName")),
                attributes: (!is_whole).then(|| texts(&projection["NonKeyAttributes"], None)),
            }
        });
        capacities.add(&name.replace("${Prefix}", "nova"), indexes.collect());
    }
    Ok(capacities)
}

/// The watchdog as its process runs it.
fn start_watchdog(live: &Live, stop: CancellationToken) {
    let sdk = live.cloud.sdk_config(Worker::Watchdog.name());
    tokio::spawn(async move {
        let watchdog = Watchdog::start(&config(Worker::Watchdog, &[]), &sdk).await.expect("the stores exist");
        let config = ConsumerConfig { drain_seconds: 5, ..consumer(Worker::Watchdog) };
        consume(Worker::Watchdog.name(), &config, &sdk, stop, watchdog).await.expect("it stops in order");
    });
}

async fn measure(log: &Log) -> anyhow::Result<Consumption> {
    let live = Live::start(LiveOptions::default()).await?;
    TOPICS.iter().for_each(|topic| live.cloud.state().create_topic(topic));
    create_queues_and_rules(&mut live.cloud.state(), &Worker::ALL);
    let _workers = pipeline::start(&live).await;
    let stop = CancellationToken::new();
    let _stopped = stop.clone().drop_guard();
    start_watchdog(&live, stop);
    let words = |length: usize, text: &str| text.chars().cycle().take(length).collect::<String>();
    let question =
        |n: usize| format!("{n}. {}?", words(300, "What do you see beside the old bridge today and "));
    let questions: Vec<String> = (0..=EXCHANGES).map(question).collect();
    let questions: Vec<&str> = questions.iter().map(String::as_str).collect();
    live.publish_picture("cost", "cost", &questions).await?;
    tokio::time::sleep(Duration::from_secs(30)).await;
    {
        let mut state = live.cloud.state();
        state.dynamodb.capacities = Some(indexes()?);
        state.meter = Some(Meter::default());
    }
    log.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    let line =
        |n: usize| format!("Line {n}: {}.", words(350, "I can see a woman who sells apples and pears "));
    let plan = SessionPlan {
        user_id: "learner-1".to_owned(),
        image_id: "cost".to_owned(),
        level: Level::B1,
        lines: (0..EXCHANGES).map(line).collect(),
        frame: Duration::from_millis(128),
        pause: THINKING,
        reports: true,
        disruptions: Vec::new(),
    };
    let (streams, began) = (Streams::default(), Instant::now());
    let record = Box::pin(FaultySession::run(&live, &streams, &plan)).await?;
    let seconds = began.elapsed().as_secs();
    let learner = Reader::learner(&live, "learner-1");
    let results = format!("/api/conversations/{}/results", record.conversation_id);
    learner.follow(&results, "").await.rest().await?;
    await_audit(&live).await?;
    let completed = live.completed(record.conversation_id);
    let data = &completed.first().context("the event is on the bus")?["data"];
    let calls = live.cloud.state().meter.take().context("the meter was set")?.calls();
    let speech: Usage = serde_json::from_value(data["usage"].clone())?;
    let lines = log.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let log_text = String::from_utf8_lossy(&lines);
    let prompt: u64 =
        calls.iter().filter(|calls| calls.operation == "Converse").map(|calls| calls.bytes).sum();
    live.stop().await?;
    Ok(Consumption {
        measured: MEASURED.to_owned(),
        seconds,
        turns: u64::try_from(record.turns.len())?,
        page_requests: u64::try_from(log_text.matches("\"target\":\"access\"").count())?,
        speech_model_id: "amazon.nova-2-sonic-v1:0".to_owned(),
        speech,
        analysis_input_tokens: prompt / TOKEN_BYTES,
        analysis_output_tokens: ASSESSMENT_TOKENS,
        log_bytes: u64::try_from(lines.len())?,
        calls,
    })
}

const MEASURED: &str = "tests/live/cost.rs holds one conversation with the real ingress and all workers against the models of AWS and of \
    Bedrock in scaled time, until the watchdog has found it complete. Units of DynamoDB are counted by the documented rules for \
    items and for the indexes of infra/templates/data.yaml; empty polls are counted apart. Speech tokens are the simulator's (25 a \
    second), tokens of the assessment are a quarter of the prompt's bytes and 1000 for the reply.";

/// Waits until no message about the conversation is left.
async fn await_audit(live: &Live) -> anyhow::Result<()> {
    let empty = async {
        loop {
            let is_empty = live.cloud.state().sqs.queues.values().all(|queue| queue.messages.is_empty());
            if is_empty {
                return;
            }
            tokio::time::sleep(Duration::from_secs(5)).await;
        }
    };
    tokio::time::timeout(AUDITED_WITHIN, empty).await.context("the watchdog does not finish")
}

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../infra/cost/conversation.json")
}

/// Compares the sums by service: number of calls, units, bytes.
fn compare(measured: &Consumption, record: &Consumption) -> anyhow::Result<()> {
    let close = |what: &str, one: f64, other: f64| {
        let most = one.max(other) * TOLERANCE + 2.0;
        ensure!(
            (one - other).abs() <= most,
            "{what}: {one} was measured, {other} is in infra/cost/conversation.json; NOVA_BLESS=1 writes it"
        );
        Ok(())
    };
    let number = |count: u64| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    close("turns", number(measured.turns), number(record.turns))?;
    close("seconds", number(measured.seconds), number(record.seconds))?;
    close("requests of the page", number(measured.page_requests), number(record.page_requests))?;
    let tokens = |of: &Consumption| number(of.speech.output.speech_tokens + of.speech.input.speech_tokens);
    close("speech tokens", tokens(measured), tokens(record))?;
    close("units", measured.units().0, record.units().0)?;
    close("read units", measured.units().1, record.units().1)?;
    for service in ["dynamodb", "s3", "sqs", "events", "sns", "bedrock-runtime"] {
        let is_paid = |calls: &&Calls| !calls.operation.ends_with("(empty)");
        let count = |of: &Consumption| number(of.of(service).filter(is_paid).map(|calls| calls.count).sum());
        close(&format!("calls of {service}"), count(measured), count(record))?;
    }
    for bucket in ["nova-audio-files", "nova-conversation-logs"] {
        close(bucket, measured.stored_bytes(bucket), record.stored_bytes(bucket))?;
    }
    Ok(())
}

#[test]
fn consumption_of_a_conversation_is_that_of_the_record() -> anyhow::Result<()> {
    let log = Log::default();
    let writer = log.clone();
    let _second = second_dispatcher();
    let subscriber = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        .with_env_filter(log_filter(None)?)
        .with_writer(move || writer.clone())
        .finish();
    let measured = tracing::subscriber::with_default(subscriber, || block_on(Box::pin(measure(&log))))?;
    if std::env::var_os("NOVA_BLESS").is_some() {
        fs::write(path(), serde_json::to_string_pretty(&measured)? + "\n")?;
    }
    let record: Consumption = serde_json::from_str(&fs::read_to_string(path())?)?;
    compare(&measured, &record)
}
