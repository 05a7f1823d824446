//! A tap on the event bus: a queue behind a rule that matches every event of the service. It collects what is published and
//! checks each event against its published JSON Schema.

use std::collections::{BTreeMap, HashMap};

use anyhow::{Context as _, bail, ensure};
use aws_sdk_eventbridge::types::Target;
use serde_json::{Value, json};

use crate::{expected, subscription::Subscription};

/// The tap. It collects from its creation on.
pub struct Tap(Subscription);

impl Tap {
    /// Creates the queue and the rule on `bus`.
    ///
    /// # Errors
    /// The local cloud refuses one of them.
    pub async fn open(sdk: &aws_config::SdkConfig, bus: &str) -> anyhow::Result<Self> {
        let bridge = aws_sdk_eventbridge::Client::new(sdk);
        let subscription = Subscription::create(sdk, "tap", &[]).await?;
        let name = &subscription.name;
        let pattern = json!({"source": [{"prefix": "nova."}]}).to_string();
        bridge.put_rule().name(name).event_bus_name(bus).event_pattern(pattern).send().await?;
        let target = Target::builder().id("tap").arn(&subscription.arn).build()?;
        bridge.put_targets().rule(name).event_bus_name(bus).targets(target).send().await?;
        Ok(Self(subscription))
    }

    /// All EventBridge events since the last call.
    ///
    /// # Errors
    /// The queue cannot be read.
    pub async fn drain(&self) -> anyhow::Result<Vec<Value>> {
        self.0.drain().await
    }
}

/// Checks that each of `events` has a known `detail-type`, a source of the service and a `detail` that fits its published
/// schema, and that the events of one conversation or learner are spans of one trace. Returns how many there are of each
/// type.
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
