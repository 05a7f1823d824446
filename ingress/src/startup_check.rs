//! The check at startup that all resources of the configuration exist and have the expected schema, and that the model has not
//! reached its end of life. Whether the model can be reached is not checked: a conversation reports at once if it cannot.

use aws_config::SdkConfig;
use events::runtime::{
    aws, env,
    model_lifecycle::{self, SPEECH_MODEL_DEFAULT},
    startup_check::{CONVERSATIONS, EFFECTS, IMAGES, PROGRESS, SESSIONS, USERS, bucket, bus, queue, table},
};
use jiff::Timestamp;

use crate::config::Config;

/// Checks all resources in `config`.
///
/// # Errors
/// The model that is gone, or the first resource that is missing, not accessible or has another schema.
pub async fn check(config: &Config, sdk: &SdkConfig) -> anyhow::Result<()> {
    check_model(&config.sonic_model_id, env::now())?;
    let dynamodb = aws_sdk_dynamodb::Client::new(sdk);
    let s3 = aws::s3_client(sdk);
    let sqs = aws_sdk_sqs::Client::new(sdk);
    let bridge = aws_sdk_eventbridge::Client::new(sdk);
    // Boxed because the combined future is large.
    Box::pin(async {
        tokio::try_join!(
            table(&dynamodb, CONVERSATIONS, &config.conversations_table),
            table(&dynamodb, IMAGES, &config.images_table),
            table(&dynamodb, USERS, &config.users_table),
            table(&dynamodb, PROGRESS, &config.progress_table),
            table(&dynamodb, EFFECTS, &config.effects_table),
            table(&dynamodb, SESSIONS, &config.sessions_table),
            bucket(&s3, "NOVA_AUDIO_BUCKET", &config.audio_bucket),
            bucket(&s3, "NOVA_LOGS_BUCKET", &config.logs_bucket),
            bucket(&s3, "NOVA_IMAGES_BUCKET", &config.images_bucket),
            queue(&sqs, "NOVA_WATCHDOG_QUEUE_URL", &config.watchdog_queue_url),
            queue(&sqs, "NOVA_ERASURE_QUEUE_URL", &config.erasure_queue_url),
            bus(&bridge, "NOVA_EVENT_BUS", &config.event_bus),
        )
    })
    .await?;
    Ok(())
}

fn check_model(model_id: &str, now: Timestamp) -> anyhow::Result<()> {
    model_lifecycle::check("NOVA_SONIC_MODEL_ID", model_id, SPEECH_MODEL_DEFAULT, now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_generation_is_refused_since_its_end_of_life() {
        let refused = |model_id, now: &str| check_model(model_id, now.parse().unwrap()).err();
        let error = refused("amazon.nova-sonic-v1:0", "2026-09-14T00:00:00Z").unwrap().to_string();
        for part in ["NOVA_SONIC_MODEL_ID", "amazon.nova-sonic-v1:0", "2026-09-14", SPEECH_MODEL_DEFAULT] {
            assert!(error.contains(part), "{error}");
        }
        assert!(refused("amazon.nova-sonic-v1:0", "2026-09-13T23:59:59Z").is_none());
        for model_id in [SPEECH_MODEL_DEFAULT, "amazon.nova-2-5-sonic-v1:0"] {
            assert!(refused(model_id, "2026-11-24T00:00:00Z").is_none(), "{model_id}");
        }
    }
}
