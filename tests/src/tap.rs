//! A tap on the event bus: a queue of its own behind a rule that matches every event of the service.
//!
//! It shows what was published, whoever consumed it, and checks each event against its published JSON Schema.

use std::collections::{BTreeMap, HashMap};

use anyhow::{Context as _, bail, ensure};
use aws_sdk_eventbridge::types::Target;
use aws_sdk_sqs::types::QueueAttributeName;
use serde_json::{Value, json};

use crate::expected;

/// How many receives may be answered empty before the tap counts as drained. The local cloud delivers an event
/// before `PutEvents` returns, so one is enough.
const EMPTY_RECEIVES: u32 = 1;

/// The tap. It collects from its creation on.
pub struct Tap {
    sqs: aws_sdk_sqs::Client,
    queue_url: String,
}

impl Tap {
    /// Creates the queue and the rule on `bus`.
    ///
    /// # Errors
    /// When the local cloud refuses one of them.
    pub async fn open(sdk: &aws_config::SdkConfig, bus: &str) -> anyhow::Result<Self> {
        let sqs = aws_sdk_sqs::Client::new(sdk);
        let bridge = aws_sdk_eventbridge::Client::new(sdk);
        let name = format!("tap-{}", uuid::Uuid::new_v4());
        let queue_url =
            sqs.create_queue().queue_name(&name).send().await?.queue_url.context("no queue URL")?;
        let attributes = sqs.get_queue_attributes().queue_url(&queue_url);
        let attributes = attributes.attribute_names(QueueAttributeName::QueueArn).send().await?;
        let arn = attributes.attributes.as_ref().and_then(|all| all.get(&QueueAttributeName::QueueArn));
        let arn = arn.context("the tap's queue has no ARN")?;
        let pattern = json!({"source": [{"prefix": "nova."}]}).to_string();
        bridge.put_rule().name(&name).event_bus_name(bus).event_pattern(pattern).send().await?;
        let target = Target::builder().id("tap").arn(arn).build()?;
        bridge.put_targets().rule(&name).event_bus_name(bus).targets(target).send().await?;
        Ok(Self { sqs, queue_url })
    }

    /// Everything published since the last call, as it stood on the bus.
    ///
    /// # Errors
    /// When the queue cannot be read.
    pub async fn drain(&self) -> anyhow::Result<Vec<Value>> {
        let mut events = Vec::new();
        let mut empty = 0;
        while empty < EMPTY_RECEIVES {
            let receive = self.sqs.receive_message().queue_url(&self.queue_url).max_number_of_messages(10);
            let messages = receive.wait_time_seconds(1).send().await?.messages.unwrap_or_default();
            if messages.is_empty() {
                empty += 1;
            }
            for message in messages {
                events.push(serde_json::from_str(message.body.as_deref().unwrap_or_default())?);
                let handle = message.receipt_handle.context("a message without a receipt handle")?;
                self.sqs.delete_message().queue_url(&self.queue_url).receipt_handle(handle).send().await?;
            }
        }
        Ok(events)
    }
}

/// Checks that every event of `events` carries a known `detail-type`, a source of ours and a `detail` that its
/// published schema accepts, and that the events of one conversation, or about one learner as a whole, are spans of one trace; returns how many there
/// were of each type.
///
/// # Errors
/// Names the first event that does not.
pub fn check(events: &[Value]) -> anyhow::Result<BTreeMap<String, usize>> {
    let mut validators = HashMap::new();
    let mut counts = BTreeMap::new();
    for event in events {
        let name = event["detail-type"].as_str().context("an event without a detail-type")?;
        let source = event["source"].as_str().unwrap_or_default();
        if !source.starts_with("nova.") {
            bail!("{name} has the source {source:?}");
        }
        if !validators.contains_key(name) {
            validators.insert(name.to_owned(), validator(name)?);
        }
        if let Err(error) = validators[name].validate(&event["detail"]) {
            bail!("{name} does not fit its schema at {}: {error}", error.instance_path());
        }
        *counts.entry(name.to_owned()).or_default() += 1;
    }
    let mut found = Vec::new();
    expected::distinct_events(events.iter().map(|event| &event["detail"]), &mut found);
    ensure!(found.is_empty(), "{}", found.join("\n"));
    Ok(counts)
}

fn validator(name: &str) -> anyhow::Result<jsonschema::Validator> {
    let path = format!("{}/../schemas/event/{name}.v1.json", env!("CARGO_MANIFEST_DIR"));
    let schema = std::fs::read_to_string(&path).with_context(|| format!("{name} has no published schema"))?;
    Ok(jsonschema::validator_for(&serde_json::from_str(&schema)?)?)
}
