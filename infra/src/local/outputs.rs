//! PURE. The outputs of the deployed stacks, as one value.

use std::collections::BTreeMap;

use anyhow::Context as _;
use events::workers::{Resource, Worker};
use serde::{Deserialize, Serialize};

/// Names, URLs and ARNs of the deployed resources.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Outputs {
    pub users_table: String,
    /// Sessions of signed-in learners.
    pub sessions_table: String,
    /// The journal.
    pub conversations_table: String,
    pub images_table: String,
    /// Progress by learner and day.
    pub user_progress_table: String,
    /// Markers that make effects happen once.
    pub effects_table: String,
    /// Transcripts and assessments.
    pub logs_bucket: String,
    pub audio_bucket: String,
    pub images_bucket: String,
    pub bus_name: String,
    pub queues: BTreeMap<Worker, Queue>,
    /// URL of the dead-letter queue of the rules: events that could not be delivered.
    pub events_dead_letter_url: String,
    /// ARN of the topic of critical alerts.
    pub critical_topic: String,
    pub warning_topic: String,
    pub info_topic: String,
    pub user_pool_id: String,
    /// The client of the user pool, which the ingress is.
    pub client_id: String,
    /// The function of the user pool's triggers.
    pub sign_up_function: String,
    pub identity_pool_id: String,
    /// ARNs of the task roles, by the name of the binary.
    pub roles: BTreeMap<String, String>,
}

/// A queue and its dead-letter queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Queue {
    pub url: String,
    /// ARN of the queue.
    pub arn: String,
    pub dead_letter_url: String,
}

impl Outputs {
    /// Reads the outputs of all stacks.
    ///
    /// # Errors
    /// An output is missing. The error names it.
    pub fn from_stacks(all: &BTreeMap<String, String>) -> anyhow::Result<Self> {
        let get =
            |key: &str| all.get(key).cloned().with_context(|| format!("no template has the output {key}"));
        let queue = |worker: Worker| {
            let name = format!("{worker:?}");
            let queue = Queue {
                url: get(&format!("{name}QueueUrl"))?,
                arn: get(&format!("{name}QueueArn"))?,
                dead_letter_url: get(&format!("{name}DeadLetterQueueUrl"))?,
            };
            anyhow::Ok((worker, queue))
        };
        let roles = all.iter().filter_map(|(key, arn)| {
            key.strip_suffix("RoleArn").map(|binary| (binary.to_ascii_lowercase(), arn.clone()))
        });
        Ok(Self {
            users_table: get("UsersTable")?,
            sessions_table: get("SessionsTable")?,
            conversations_table: get("ConversationsTable")?,
            images_table: get("ImagesTable")?,
            user_progress_table: get("UserProgressTable")?,
            effects_table: get("EffectsTable")?,
            logs_bucket: get("LogsBucket")?,
            audio_bucket: get("AudioBucket")?,
            images_bucket: get("ImagesBucket")?,
            bus_name: get("BusName")?,
            queues: Worker::ALL.into_iter().map(queue).collect::<anyhow::Result<_>>()?,
            events_dead_letter_url: get("EventsDeadLetterQueueUrl")?,
            critical_topic: get("CriticalTopicArn")?,
            warning_topic: get("WarningTopicArn")?,
            info_topic: get("InfoTopicArn")?,
            client_id: get("ClientId")?,
            sign_up_function: get("SignUpFunctionName")?,
            identity_pool_id: get("IdentityPoolId")?,
            user_pool_id: get("UserPoolId")?,
            roles: roles.collect(),
        })
    }

    /// The queue of `worker`.
    ///
    /// # Errors
    /// The worker has no queue here.
    pub fn queue(&self, worker: Worker) -> anyhow::Result<&Queue> {
        self.queues.get(&worker).with_context(|| format!("there is no queue of the worker {worker}"))
    }

    /// The environment of `worker`, without the variables that have a default.
    ///
    /// # Errors
    /// A queue is missing.
    pub fn environment(&self, worker: Worker) -> anyhow::Result<Vec<(&'static str, String)>> {
        let queue = self.queue(worker)?;
        let mut environment = self.variables(worker.spec().needs)?;
        environment.push(("NOVA_QUEUE_URL", queue.url.clone()));
        environment.push(("NOVA_DEAD_LETTER_QUEUE_URL", queue.dead_letter_url.clone()));
        environment.push(("NOVA_ATTEMPTS_TABLE", self.effects_table.clone()));
        Ok(environment)
    }

    pub(super) fn variables(&self, needs: &[Resource]) -> anyhow::Result<Vec<(&'static str, String)>> {
        needs.iter().map(|resource| Ok((resource.variable(), self.value(*resource)?))).collect()
    }

    fn value(&self, resource: Resource) -> anyhow::Result<String> {
        let value = match resource {
            Resource::ConversationsTable => &self.conversations_table,
            Resource::ImagesTable => &self.images_table,
            Resource::UsersTable => &self.users_table,
            Resource::ProgressTable => &self.user_progress_table,
            Resource::EffectsTable => &self.effects_table,
            Resource::LogsBucket => &self.logs_bucket,
            Resource::AudioBucket => &self.audio_bucket,
            Resource::ImagesBucket => &self.images_bucket,
            Resource::EventBus => &self.bus_name,
            Resource::WatchdogQueueUrl => &self.queue(Worker::Watchdog)?.url,
            Resource::ErasureQueueUrl => &self.queue(Worker::Erasure)?.url,
            Resource::WorkerQueueUrls => {
                let urls: Vec<&str> = self.queues.values().map(|queue| queue.url.as_str()).collect();
                return Ok(urls.join(","));
            }
            Resource::WatchedQueueUrls => {
                let queues = self.queues.values().map(|queue| queue.dead_letter_url.as_str());
                let urls: Vec<&str> = queues.chain([self.events_dead_letter_url.as_str()]).collect();
                return Ok(urls.join(","));
            }
            Resource::TopicCriticalArn => &self.critical_topic,
            Resource::TopicWarningArn => &self.warning_topic,
            Resource::TopicInfoArn => &self.info_topic,
            Resource::UserPoolId => &self.user_pool_id,
            Resource::ClientId => &self.client_id,
            Resource::IdentityPoolId => &self.identity_pool_id,
            Resource::SessionsTable => &self.sessions_table,
        };
        Ok(value.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_output_is_named() {
        let error = Outputs::from_stacks(&BTreeMap::new()).unwrap_err();
        assert_eq!(error.to_string(), "no template has the output UsersTable");
    }
}
