//! PURE. What our templates demand and MiniStack accepts without doing: read from the templates, so that they stay
//! the only place where it is written.
//!
//! MiniStack 1.5.33 reports CREATE_COMPLETE for tables and buckets but throws away time to live, encryption,
//! point-in-time recovery, replicas, replication and lifecycle rules. Its own service calls for them do work. Buckets under a key of KMS are encrypted by S3
//! itself there: the emulator neither encrypts with such a key nor checks who may use it.

use anyhow::{Context as _, bail};
use saphyr::{LoadableYamlNode as _, Yaml};
use serde::{Deserialize, Deserializer, de::Error};
use serde_json::Value;

use crate::template::json;

/// A resource whose properties have to be applied by service calls.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct UnsupportedProperties {
    /// Its name in the template.
    pub(super) logical_id: String,
    pub(super) properties: Properties,
}

/// Demanded properties by the type of resource.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Properties {
    /// Of an `AWS::DynamoDB::GlobalTable`.
    Table(TableProperties),
    /// Of an `AWS::S3::Bucket`.
    Bucket(BucketProperties),
}

/// Of an `AWS::DynamoDB::GlobalTable`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TableProperties {
    #[serde(rename = "TimeToLiveSpecification")]
    pub(super) time_to_live: Option<TimeToLive>,
    #[serde(rename = "SSESpecification")]
    pub(super) encryption: Option<TableEncryption>,
    /// The local cloud has one region, so the first replica is the table. The others depend on a condition.
    #[serde(rename = "Replicas", deserialize_with = "first_replica", default)]
    pub(super) recovery: Option<Recovery>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TimeToLive {
    pub(super) attribute_name: String,
    pub(super) enabled: bool,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(super) struct TableEncryption {
    #[serde(rename = "SSEEnabled")]
    pub(super) enabled: bool,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(super) struct Recovery {
    #[serde(rename = "PointInTimeRecoveryEnabled")]
    pub(super) enabled: bool,
    #[serde(rename = "RecoveryPeriodInDays")]
    pub(super) days: Option<i32>,
}

/// Of an `AWS::S3::Bucket`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub(super) struct BucketProperties {
    #[serde(rename = "BucketEncryption")]
    pub(super) encryption: Option<BucketEncryption>,
    #[serde(rename = "LifecycleConfiguration")]
    pub(super) lifecycle: Option<Lifecycle>,
    #[serde(rename = "ReplicationConfiguration", deserialize_with = "only_replicated", default)]
    _replication: (),
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(super) struct BucketEncryption {
    #[serde(rename = "ServerSideEncryptionConfiguration")]
    pub(super) rules: Vec<EncryptionRule>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(super) struct EncryptionRule {
    #[serde(rename = "ServerSideEncryptionByDefault")]
    pub(super) default: DefaultEncryption,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(super) struct DefaultEncryption {
    #[serde(rename = "SSEAlgorithm")]
    pub(super) algorithm: String,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Lifecycle {
    pub(super) rules: Vec<LifecycleRule>,
}

/// A rule over the whole bucket, or over its larger objects. Unknown fields are refused: a rule that is not applied whole is not the rule.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct LifecycleRule {
    pub(super) id: String,
    pub(super) status: String,
    /// In bytes, as a text.
    pub(super) object_size_greater_than: Option<String>,
    #[serde(default)]
    pub(super) transitions: Vec<Transition>,
    pub(super) expiration_in_days: Option<i32>,
    pub(super) noncurrent_version_expiration: Option<NoncurrentVersionExpiration>,
    pub(super) abort_incomplete_multipart_upload: Option<AbortIncompleteMultipartUpload>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct NoncurrentVersionExpiration {
    pub(super) noncurrent_days: i32,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct AbortIncompleteMultipartUpload {
    pub(super) days_after_initiation: i32,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Transition {
    pub(super) storage_class: String,
    pub(super) transition_in_days: i32,
}

/// The tables and buckets of a template with what they demand.
///
/// # Errors
/// When the template is no YAML, or a demanded property has a shape that is not understood.
pub(super) fn read(template: &str) -> anyhow::Result<Vec<UnsupportedProperties>> {
    let documents = Yaml::load_from_str(template).context("the template is not YAML")?;
    let Some(document) = documents.first() else { bail!("the template is empty") };
    let resources = document.as_mapping_get("Resources").and_then(Yaml::as_mapping);
    let mut all = Vec::new();
    for (name, resource) in resources.context("the template has no Resources")? {
        let logical_id = name.as_str().context("a resource's name is not text")?.to_owned();
        let kind = resource.as_mapping_get("Type").and_then(Yaml::as_str).unwrap_or_default();
        let properties = resource.as_mapping_get("Properties").map_or(Value::Null, json);
        let understood = || format!("cannot apply the properties of {logical_id}");
        let properties = match kind {
            "AWS::DynamoDB::GlobalTable" => {
                Properties::Table(serde_json::from_value(properties).with_context(understood)?)
            }
            "AWS::S3::Bucket" => {
                Properties::Bucket(serde_json::from_value(properties).with_context(understood)?)
            }
            _ => continue,
        };
        all.push(UnsupportedProperties { logical_id, properties });
    }
    Ok(all)
}

/// The recovery of the first replica. A further one is a demand only where there is another region.
fn first_replica<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Recovery>, D::Error> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Replica {
        point_in_time_recovery_specification: Option<Recovery>,
    }
    let mut replicas = Vec::<Value>::deserialize(deserializer)?.into_iter();
    let first = replicas.next().ok_or_else(|| Error::custom("a table without replicas"))?;
    replicas.try_for_each(|replica| conditional(&replica).map_err(Error::custom))?;
    let first: Replica = serde_json::from_value(first).map_err(Error::custom)?;
    Ok(first.point_in_time_recovery_specification)
}

fn only_replicated<'de, D: Deserializer<'de>>(deserializer: D) -> Result<(), D::Error> {
    conditional(&Value::deserialize(deserializer)?).map_err(Error::custom)
}

/// Refuses a demand that the local cloud drops although it applies there.
fn conditional(demand: &Value) -> Result<(), &'static str> {
    let is_conditional =
        demand["Fn::If"][0] == "Replicated" && demand["Fn::If"][2]["Fn::Ref"] == "AWS::NoValue";
    if is_conditional {
        Ok(())
    } else {
        Err("the local cloud has no other region; a replica needs the condition Replicated")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATA: &str = include_str!("../../templates/data.yaml");

    fn table(name: &str) -> TableProperties {
        let all = read(DATA).unwrap();
        let found = all.into_iter().find(|dropped| dropped.logical_id == name).unwrap();
        match found.properties {
            Properties::Table(properties) => properties,
            Properties::Bucket(_) => panic!("{name} is a bucket"),
        }
    }

    fn bucket(name: &str) -> BucketProperties {
        let all = read(DATA).unwrap();
        let found = all.into_iter().find(|dropped| dropped.logical_id == name).unwrap();
        match found.properties {
            Properties::Bucket(properties) => properties,
            Properties::Table(_) => panic!("{name} is a table"),
        }
    }

    #[test]
    fn every_table_and_bucket_of_the_template_is_read() {
        let names: Vec<String> = read(DATA).unwrap().into_iter().map(|dropped| dropped.logical_id).collect();
        let tables = [
            "UsersTable",
            "SessionsTable",
            "ConversationsTable",
            "ImagesTable",
            "UserProgressTable",
            "EffectsTable",
        ];
        let buckets = ["LogsBucket", "AudioBucket", "ImagesBucket", "ArtifactsBucket"];
        assert_eq!(names, [&tables[..], &buckets[..]].concat());
    }

    #[test]
    fn tables_are_encrypted_and_recoverable_and_the_journal_forgets() {
        let journal = table("ConversationsTable");
        let ttl = TimeToLive { attribute_name: "expiresAt".to_owned(), enabled: true };
        assert_eq!(journal.time_to_live, Some(ttl));
        for name in [
            "UsersTable",
            "SessionsTable",
            "ConversationsTable",
            "ImagesTable",
            "UserProgressTable",
            "EffectsTable",
        ] {
            let table = table(name);
            assert_eq!(table.encryption, Some(TableEncryption { enabled: true }), "{name}");
            assert_eq!(table.recovery, Some(Recovery { enabled: true, days: Some(35) }), "{name}");
        }
    }

    #[test]
    fn recordings_and_transcripts_are_under_keys_of_their_own() {
        let algorithms = ["AudioBucket", "LogsBucket"]
            .map(|name| bucket(name).encryption.unwrap().rules[0].default.algorithm.clone());
        assert_eq!(algorithms, ["aws:kms", "aws:kms"]);
    }

    #[test]
    fn voices_are_deleted_and_logs_grow_cold() {
        let voices = bucket("AudioBucket").lifecycle.unwrap();
        assert_eq!(voices.rules[0].expiration_in_days, Some(30));
        let logs = bucket("LogsBucket").lifecycle.unwrap();
        let steps: Vec<_> = logs.rules[0]
            .transitions
            .iter()
            .map(|step| (step.storage_class.as_str(), step.transition_in_days))
            .collect();
        assert_eq!(steps, [("GLACIER_IR", 90)]);
        assert_eq!(logs.rules[0].object_size_greater_than.as_deref(), Some("131072"));
        assert_eq!(bucket("ImagesBucket").encryption.unwrap().rules[0].default.algorithm, "AES256");
    }

    /// A transcript, an assessment and an export are read at any time: no object may have to be restored first.
    #[test]
    fn every_object_can_be_read_at_once_whatever_its_age() {
        let at_once = ["STANDARD_IA", "ONEZONE_IA", "GLACIER_IR"];
        let mut classes = Vec::new();
        for stack in crate::deploy::StackKind::all() {
            for UnsupportedProperties { logical_id, properties } in
                read(stack.template().unwrap().body).unwrap()
            {
                let Properties::Bucket(bucket) = properties else { continue };
                let rules = bucket.lifecycle.into_iter().flat_map(|lifecycle| lifecycle.rules);
                classes.extend(
                    rules
                        .flat_map(|rule| rule.transitions)
                        .map(|step| (logical_id.clone(), step.storage_class)),
                );
            }
        }
        assert!(!classes.is_empty());
        for (bucket, class) in classes {
            assert!(at_once.contains(&class.as_str()), "{bucket}: {class} has to be restored");
        }
    }

    /// Prices of us-east-1 in US dollars: a gigabyte and month, and a thousand objects moved.
    #[test]
    fn what_moves_pays_within_a_year_and_what_stays_never_would() {
        const STANDARD: f64 = 0.023;
        const COLD: f64 = 0.004;
        const MOVED: f64 = 0.02 / 1000.0;
        const BILLED_MIN: f64 = 131_072.0;
        let gigabytes = |bytes: f64| bytes / 1_073_741_824.0;
        let saved_in = |bytes: f64, months: f64| {
            months * (STANDARD * gigabytes(bytes) - COLD * gigabytes(bytes.max(BILLED_MIN))) - MOVED
        };
        let rule = &bucket("LogsBucket").lifecycle.unwrap().rules[0];
        let least: f64 = rule.object_size_greater_than.as_ref().unwrap().parse().unwrap();
        assert!(saved_in(least, 12.0) > 0.0, "{}", saved_in(least, 12.0));
        // Ten years of a transcript of 8 KB.
        assert!(saved_in(8192.0, 120.0) < 0.0, "{}", saved_in(8192.0, 120.0));
    }

    #[test]
    fn a_rule_that_is_not_understood_is_an_error() {
        let template = "Resources:\n  B:\n    Type: AWS::S3::Bucket\n    Properties:\n      \
            LifecycleConfiguration:\n        Rules:\n          - { Id: a, Status: Enabled, Prefix: x }\n";
        assert!(read(template).is_err());
    }

    #[test]
    fn replica_without_the_condition_is_an_error() {
        let table = |replica: &str| {
            format!(
                "Resources:\n  T:\n    Type: AWS::DynamoDB::GlobalTable\n    Properties:\n      Replicas:\n        \
                 - {{ Region: us-east-1 }}\n        - {replica}\n"
            )
        };
        assert!(read(&table("!If [Replicated, { Region: us-west-2 }, !Ref AWS::NoValue]")).is_ok());
        let error = format!("{:#}", read(&table("{ Region: us-west-2 }")).unwrap_err());
        assert!(error.contains("needs the condition Replicated"), "{error}");
    }

    #[test]
    fn a_demand_that_depends_on_a_parameter_is_an_error() {
        let template = "Resources:\n  T:\n    Type: AWS::DynamoDB::GlobalTable\n    Properties:\n      \
            SSESpecification:\n        SSEEnabled: !If [Production, true, false]\n";
        assert!(read(template).is_err());
    }
}
