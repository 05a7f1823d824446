//! SNS: records the published messages with their times. Like SNS, it does not recognise repetitions.

use std::time::Duration;

use serde_json::Value;

use super::{
    State,
    reply::{Answer, ServiceError},
};

/// The topics.
#[derive(Debug, Default)]
pub struct Sns {
    pub(super) topics: Vec<String>,
    /// Published messages, in order.
    pub published: Vec<Published>,
}

/// A message of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// The topic's ARN.
    pub topic: String,
    /// The attribute `alertId`.
    pub alert_id: String,
    /// The message.
    pub message: String,
    /// Time since the start.
    pub at: Duration,
}

/// `request` is the form.
pub(super) fn answer(state: &mut State, operation: &str, request: &Value) -> Result<Answer, ServiceError> {
    let text = |name: &str| request[name].as_str().unwrap_or_default().to_owned();
    let topic = text("TopicArn");
    if !state.sns.topics.contains(&topic) {
        return Err(ServiceError::new(404, "NotFound", "no such topic"));
    }
    let result = match operation {
        "GetTopicAttributes" => "<Attributes/>".to_owned(),
        "Publish" => {
            let alert_id = request["MessageAttributes"]["alertId"].as_str().map(str::to_owned);
            let alert_id =
                alert_id.ok_or_else(|| ServiceError::unsupported("a message without alertId".to_owned()))?;
            let (message, at) = (text("Message"), state.now());
            state.sns.published.push(Published { topic, alert_id, message, at });
            format!("<MessageId>sns-{}</MessageId>", state.sns.published.len())
        }
        other => return Err(ServiceError::unsupported(format!("SNS {other}"))),
    };
    Ok(Answer::xml(format!(
        "<{operation}Response><{operation}Result>{result}</{operation}Result><ResponseMetadata><RequestId>1\
         </RequestId></ResponseMetadata></{operation}Response>"
    )))
}
