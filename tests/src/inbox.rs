//! A subscriber of the alert topics: one queue behind all three.

use anyhow::Context as _;
use serde_json::Value;

use crate::subscription::Subscription;

/// The inbox. It collects from its creation on.
pub struct Inbox(Notifications);

/// Everything that topics receive, as text.
pub struct Notifications(Subscription);

/// An alert as a subscriber sees it.
#[derive(Clone, Debug)]
pub struct Alert {
    /// The same in each repetition of an alert.
    pub id: String,
    /// `critical`, `warning` or `info`.
    pub severity: String,
    /// Which rule raised it.
    pub rule: String,
    /// The text.
    pub message: String,
}

impl Notifications {
    /// Creates a queue and subscribes it to `topics`, by ARN.
    ///
    /// # Errors
    /// The local cloud refuses one of them.
    pub async fn open(sdk: &aws_config::SdkConfig, topics: &[&str]) -> anyhow::Result<Self> {
        let sns = aws_sdk_sns::Client::new(sdk);
        let subscription = Subscription::create(sdk, "inbox", topics).await?;
        for topic in topics {
            sns.subscribe().topic_arn(*topic).protocol("sqs").endpoint(&subscription.arn).send().await?;
        }
        Ok(Self(subscription))
    }

    /// All messages since the last call.
    ///
    /// # Errors
    /// The queue cannot be read.
    pub async fn drain(&self) -> anyhow::Result<Vec<String>> {
        let text = |notification: &Value| notification["Message"].as_str().unwrap_or_default().to_owned();
        Ok(self.0.drain().await?.iter().map(text).collect())
    }
}

impl Inbox {
    /// Creates the queue and subscribes it to `topics`, by ARN.
    ///
    /// # Errors
    /// The local cloud refuses one of them.
    pub async fn open(sdk: &aws_config::SdkConfig, topics: [&str; 3]) -> anyhow::Result<Self> {
        Notifications::open(sdk, &topics).await.map(Self)
    }

    /// All alerts since the last call.
    ///
    /// # Errors
    /// The queue cannot be read, or a message is not an alert.
    pub async fn drain(&self) -> anyhow::Result<Vec<Alert>> {
        self.0.0.drain().await?.iter().map(read).collect()
    }
}

fn read(notification: &Value) -> anyhow::Result<Alert> {
    let attribute = |name: &str| {
        let value = notification["MessageAttributes"][name]["Value"].as_str();
        value.map(str::to_owned).with_context(|| format!("an alert without {name}"))
    };
    Ok(Alert {
        id: attribute("alertId")?,
        severity: attribute("severity")?,
        rule: attribute("rule")?,
        message: notification["Message"].as_str().unwrap_or_default().to_owned(),
    })
}
