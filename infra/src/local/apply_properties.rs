//! Applies to tables and buckets what MiniStack's CloudFormation ignores ([`super::unsupported_properties`]), through the
//! services' own calls. On AWS the deployment itself does all of this.

use std::collections::BTreeMap;

use anyhow::Context as _;
use aws_config::SdkConfig;
use aws_sdk_dynamodb::types::{PointInTimeRecoverySpecification, SseSpecification, TimeToLiveSpecification};
use aws_sdk_s3::types::{
    AbortIncompleteMultipartUpload, BucketLifecycleConfiguration, ExpirationStatus, LifecycleExpiration,
    LifecycleRule, LifecycleRuleFilter, NoncurrentVersionExpiration, ServerSideEncryption,
    ServerSideEncryptionByDefault, ServerSideEncryptionConfiguration, ServerSideEncryptionRule, Transition,
    TransitionStorageClass,
};

use super::{
    sdk,
    unsupported_properties::{self, BucketProperties, Properties, TableProperties, UnsupportedProperties},
};

/// Applies what `template` demands to its deployed resources. `names` has the physical names by logical id.
pub(super) async fn apply(
    sdk: &SdkConfig,
    template: &str,
    names: &BTreeMap<String, String>,
) -> anyhow::Result<()> {
    let dynamodb = aws_sdk_dynamodb::Client::new(sdk);
    let s3 = sdk::s3_client(sdk);
    for UnsupportedProperties { logical_id, properties } in unsupported_properties::read(template)? {
        let name = names.get(&logical_id).with_context(|| format!("{logical_id} was not deployed"))?;
        let applied = match &properties {
            Properties::Table(demanded) => table(&dynamodb, name, demanded).await,
            Properties::Bucket(demanded) => bucket(&s3, name, demanded).await,
        };
        applied.with_context(|| format!("cannot apply the properties of {logical_id}"))?;
    }
    Ok(())
}

async fn table(
    dynamodb: &aws_sdk_dynamodb::Client,
    name: &str,
    demanded: &TableProperties,
) -> anyhow::Result<()> {
    if let Some(ttl) = &demanded.time_to_live {
        let ttl = TimeToLiveSpecification::builder()
            .attribute_name(&ttl.attribute_name)
            .enabled(ttl.enabled)
            .build()?;
        dynamodb.update_time_to_live().table_name(name).time_to_live_specification(ttl).send().await?;
    }
    if let Some(encryption) = &demanded.encryption {
        let encryption = SseSpecification::builder().enabled(encryption.enabled).build();
        dynamodb.update_table().table_name(name).sse_specification(encryption).send().await?;
    }
    if let Some(recovery) = &demanded.recovery {
        let recovery = PointInTimeRecoverySpecification::builder()
            .point_in_time_recovery_enabled(recovery.enabled)
            .set_recovery_period_in_days(recovery.days)
            .build()?;
        let update = dynamodb.update_continuous_backups().table_name(name);
        update.point_in_time_recovery_specification(recovery).send().await?;
    }
    Ok(())
}

async fn bucket(s3: &aws_sdk_s3::Client, name: &str, demanded: &BucketProperties) -> anyhow::Result<()> {
    if let Some(encryption) = &demanded.encryption {
        let mut configuration = ServerSideEncryptionConfiguration::builder();
        for rule in &encryption.rules {
            let demanded = ServerSideEncryption::from(rule.default.algorithm.as_str());
            // The local cloud has no encryption with keys of KMS.
            let is_kms = demanded == ServerSideEncryption::AwsKms;
            let algorithm = if is_kms { ServerSideEncryption::Aes256 } else { demanded };
            let default = ServerSideEncryptionByDefault::builder().sse_algorithm(algorithm).build()?;
            let rule =
                ServerSideEncryptionRule::builder().apply_server_side_encryption_by_default(default).build();
            configuration = configuration.rules(rule);
        }
        let put = s3.put_bucket_encryption().bucket(name);
        put.server_side_encryption_configuration(configuration.build()?).send().await?;
    }
    if let Some(lifecycle) = &demanded.lifecycle {
        let rules = lifecycle.rules.iter().map(lifecycle_rule).collect::<anyhow::Result<Vec<_>>>()?;
        let configuration = BucketLifecycleConfiguration::builder().set_rules(Some(rules)).build()?;
        let put = s3.put_bucket_lifecycle_configuration().bucket(name);
        put.lifecycle_configuration(configuration).send().await?;
    }
    Ok(())
}

fn lifecycle_rule(rule: &unsupported_properties::LifecycleRule) -> anyhow::Result<LifecycleRule> {
    let transitions = rule.transitions.iter().map(|step| {
        Transition::builder()
            .days(step.transition_in_days)
            .storage_class(TransitionStorageClass::from(step.storage_class.as_str()))
            .build()
    });
    let transitions: Vec<Transition> = transitions.collect();
    let expiration = rule.expiration_in_days.map(|days| LifecycleExpiration::builder().days(days).build());
    let noncurrent = rule.noncurrent_version_expiration.as_ref().map(|expiration| {
        NoncurrentVersionExpiration::builder().noncurrent_days(expiration.noncurrent_days).build()
    });
    let uploads = rule.abort_incomplete_multipart_upload.as_ref().map(|abort| {
        AbortIncompleteMultipartUpload::builder().days_after_initiation(abort.days_after_initiation).build()
    });
    let larger = rule.object_size_greater_than.as_ref().map(|bytes| bytes.parse()).transpose();
    let larger: Option<i64> =
        larger.with_context(|| format!("{}: ObjectSizeGreaterThan is no number", rule.id))?;
    let filter = match larger {
        Some(bytes) => LifecycleRuleFilter::builder().object_size_greater_than(bytes),
        None => LifecycleRuleFilter::builder().prefix(""),
    };
    let built = LifecycleRule::builder()
        .id(&rule.id)
        .status(ExpirationStatus::from(rule.status.as_str()))
        .filter(filter.build())
        .set_transitions((!transitions.is_empty()).then_some(transitions))
        .set_expiration(expiration)
        .set_noncurrent_version_expiration(noncurrent)
        .set_abort_incomplete_multipart_upload(uploads)
        .build()?;
    Ok(built)
}
