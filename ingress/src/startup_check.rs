//! The check at startup that all resources of the configuration exist and have the expected schema. The model is not checked: a
//! conversation reports at once if it is unreachable.

use aws_config::SdkConfig;
use events::runtime::{
    aws,
    startup_check::{CONVERSATIONS, EFFECTS, IMAGES, PROGRESS, SESSIONS, USERS, bucket, bus, queue, table},
};

use crate::config::Config;

/// Checks all resources in `config`.
///
/// # Errors
/// The first resource that is missing, not accessible or has another schema.
pub async fn check(config: &Config, sdk: &SdkConfig) -> anyhow::Result<()> {
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
