//! PURE. What the deployed stacks say of themselves, by name instead of by output key.

use std::collections::BTreeMap;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

/// Everything deployed that somebody needs the name, URL or ARN of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Outputs {
    /// Table of user records.
    pub users_table: String,
    /// The journal.
    pub conversations_table: String,
    /// Table of pictures.
    pub images_table: String,
    /// Table of progress by learner and day.
    pub user_progress_table: String,
    /// Table that makes effects happen once.
    pub effects_table: String,
    /// Bucket of transcripts and assessments.
    pub logs_bucket: String,
    /// Bucket of voices.
    pub audio_bucket: String,
    /// Bucket of pictures.
    pub images_bucket: String,
    /// The event bus.
    pub bus_name: String,
    /// The transcript worker's queue.
    pub transcript_queue: Queue,
    /// The analysis worker's queue.
    pub analysis_queue: Queue,
    /// The progress worker's queue.
    pub progress_queue: Queue,
    /// The alerts worker's queue.
    pub alerts_queue: Queue,
    /// The erasure worker's queue.
    pub erasure_queue: Queue,
    /// The watchdog's queue.
    pub watchdog_queue: Queue,
    /// URL of the queue of events that no rule could deliver.
    pub events_dead_letter_url: String,
    /// ARN of the topic of critical alerts.
    pub critical_topic: String,
    /// ARN of the topic of warnings.
    pub warning_topic: String,
    /// ARN of the topic of information.
    pub info_topic: String,
    /// The user pool.
    pub user_pool_id: String,
    /// The web page's client of the user pool.
    pub client_id: String,
    /// The function of the user pool's triggers.
    pub sign_up_function: String,
    /// The identity pool.
    pub identity_pool_id: String,
    /// The `iss` of access tokens.
    pub issuer: String,
    /// Where the keys of access tokens are. On AWS it is below the issuer; an emulator issues the same `iss` but
    /// serves the keys itself.
    pub jwks_url: String,
    /// ARNs of the task roles by the name of the binary.
    pub roles: BTreeMap<String, String>,
}

/// A queue and its dead-letter queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Queue {
    /// URL of the queue.
    pub url: String,
    /// ARN of the queue.
    pub arn: String,
    /// URL of its dead-letter queue.
    pub dead_letter_url: String,
}

impl Outputs {
    /// Reads the outputs of all stacks together, as deployed at `endpoint`.
    ///
    /// # Errors
    /// When an output is missing: it is named.
    pub fn from_stacks(all: &BTreeMap<String, String>, endpoint: &str) -> anyhow::Result<Self> {
        let get =
            |key: &str| all.get(key).cloned().with_context(|| format!("no template has the output {key}"));
        let queue = |name: &str| {
            anyhow::Ok(Queue {
                url: get(&format!("{name}QueueUrl"))?,
                arn: get(&format!("{name}QueueArn"))?,
                dead_letter_url: get(&format!("{name}DeadLetterQueueUrl"))?,
            })
        };
        let roles = all.iter().filter_map(|(key, arn)| {
            key.strip_suffix("RoleArn").map(|binary| (binary.to_ascii_lowercase(), arn.clone()))
        });
        let user_pool_id = get("UserPoolId")?;
        Ok(Self {
            users_table: get("UsersTable")?,
            conversations_table: get("ConversationsTable")?,
            images_table: get("ImagesTable")?,
            user_progress_table: get("UserProgressTable")?,
            effects_table: get("EffectsTable")?,
            logs_bucket: get("LogsBucket")?,
            audio_bucket: get("AudioBucket")?,
            images_bucket: get("ImagesBucket")?,
            bus_name: get("BusName")?,
            transcript_queue: queue("Transcript")?,
            analysis_queue: queue("Analysis")?,
            progress_queue: queue("Progress")?,
            alerts_queue: queue("Alerts")?,
            erasure_queue: queue("Erasure")?,
            watchdog_queue: queue("Watchdog")?,
            events_dead_letter_url: get("EventsDeadLetterQueueUrl")?,
            critical_topic: get("CriticalTopicArn")?,
            warning_topic: get("WarningTopicArn")?,
            info_topic: get("InfoTopicArn")?,
            client_id: get("ClientId")?,
            sign_up_function: get("SignUpFunctionName")?,
            identity_pool_id: get("IdentityPoolId")?,
            issuer: get("Issuer")?,
            jwks_url: format!("{endpoint}/{user_pool_id}/.well-known/jwks.json"),
            user_pool_id,
            roles: roles.collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_output_is_named() {
        let error = Outputs::from_stacks(&BTreeMap::new(), "http://127.0.0.1:1").unwrap_err();
        assert_eq!(error.to_string(), "no template has the output UserPoolId");
    }
}
