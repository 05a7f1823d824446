//! Rules over all templates, asked of what a deployment to AWS would make. An exception is in the list of its rule, with its reason.

use std::collections::{BTreeMap, BTreeSet};

use events::runtime::metrics;
use serde_json::Value;

use super::test_resolved::{REGION, ResolvedStack, resolved, resolved_with};

/// A resource: stack, logical id, and the whole resource.
type Found<'a> = (String, &'a Value);

/// Resources that hold data, or whose loss ends the access to data. Each is kept when its stack goes.
const KEPT: [&str; 8] = [
    "AWS::Cognito::UserPool",
    "AWS::DynamoDB::GlobalTable",
    "AWS::ECR::Repository",
    "AWS::KMS::Key",
    "AWS::Logs::LogGroup",
    "AWS::S3::Bucket",
    "AWS::SecretsManager::Secret",
    "AWS::SQS::Queue",
];

/// Kept resources that go with their stack.
const NOT_KEPT: [(&str, &str); 2] = [
    ("nova-identity/FunctionsLogGroup", "lines of 14 days, without an effect that is not in the Users table"),
    ("nova-identity/ClientSecret", "a copy of what the client of the pool has"),
];

/// Statements that allow something on every resource.
const ON_EVERY_RESOURCE: [(&str, &str); 10] = [
    ("nova-access/IngressRole/Alarms", "CloudWatch has no narrower resource for reading"),
    ("nova-access/OpsRole/Ages", "CloudWatch has no narrower resource for reading"),
    ("nova-compute/ExecutionRole/Registry", "the call names no resource"),
    ("nova-compute/RotationRole/Random", "the call names no resource"),
    ("nova-data/RecordingsKey/Account", "in the policy of a key, every resource is this key"),
    ("nova-data/TranscriptsKey/Account", "in the policy of a key, every resource is this key"),
    (
        "nova-messaging/TopicsPolicy/Alarms",
        "the policy belongs to three topics, and every resource is one of them",
    ),
    (
        "nova-messaging/TopicsPolicy/Budget",
        "the policy belongs to three topics, and every resource is one of them",
    ),
    (
        "nova-messaging/TopicsPolicy/Deployments",
        "the policy belongs to three topics, and every resource is one of them",
    ),
    (
        "nova-messaging/TopicsPolicy/Mails",
        "the policy belongs to three topics, and every resource is one of them",
    ),
];

/// Properties that are physical names, which an account has once.
const NAMES: [&str; 17] = [
    "AlarmName",
    "AliasName",
    "BucketName",
    "CacheSubnetGroupName",
    "ClusterName",
    "DashboardName",
    "Family",
    "FunctionName",
    "IdentityPoolName",
    "LogGroupName",
    "Name",
    "QueueName",
    "ReplicationGroupId",
    "RepositoryName",
    "TableName",
    "TopicName",
    "UserPoolName",
];

fn all(stacks: &[ResolvedStack]) -> impl Iterator<Item = Found<'_>> {
    stacks.iter().flat_map(|stack| {
        let name = stack.kind.stack_name("nova");
        stack.resources.iter().map(move |(id, one)| (format!("{name}/{id}"), one))
    })
}

fn of_type<'a>(stacks: &'a [ResolvedStack], kind: &'a str) -> Vec<Found<'a>> {
    let found: Vec<Found<'_>> = all(stacks).filter(|(_, one)| one["Type"] == kind).collect();
    assert!(!found.is_empty(), "no template has {kind}");
    found
}

/// All statements of policies, wherever they are, by place and Sid.
fn statements(stacks: &[ResolvedStack]) -> Vec<(String, &Value)> {
    fn collect<'a>(place: &str, value: &'a Value, found: &mut Vec<(String, &'a Value)>) {
        match value {
            Value::Object(map) if map.contains_key("Effect") => {
                let sid = value["Sid"].as_str().map(|sid| format!("/{sid}")).unwrap_or_default();
                found.push((format!("{place}{sid}"), value));
            }
            Value::Object(map) => map.values().for_each(|value| collect(place, value, found)),
            Value::Array(items) => items.iter().for_each(|value| collect(place, value, found)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let mut found = Vec::new();
    for (name, resource) in all(stacks) {
        collect(&name, &resource["Properties"], &mut found);
    }
    found
}

fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::Array(items) => items.iter().filter_map(Value::as_str).collect(),
        Value::String(one) => vec![one],
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => Vec::new(),
    }
}

/// The regions of a table, in each of which it is protected and recoverable.
fn regions(table: &Value) -> Vec<&str> {
    let replicas = table["Properties"]["Replicas"].as_array().unwrap().iter();
    replicas
        .map(|replica| {
            let recovery = &replica["PointInTimeRecoverySpecification"];
            assert_eq!(recovery["PointInTimeRecoveryEnabled"], true, "{replica}");
            assert_eq!(recovery["RecoveryPeriodInDays"], 35, "{replica}");
            assert_eq!(replica["DeletionProtectionEnabled"], true, "{replica}");
            replica["Region"].as_str().unwrap()
        })
        .collect()
}

#[test]
fn other_region_has_copies_of_tables_documents_and_backups_and_none_of_recordings() {
    let stacks = resolved_with("prod", ", ReplicaRegion: us-west-2");
    for (name, table) in of_type(&stacks, "AWS::DynamoDB::GlobalTable") {
        assert_eq!(regions(table), [REGION, "us-west-2"], "{name}");
        assert!(table["Properties"]["StreamSpecification"].is_object(), "{name}");
    }
    let replicated: Vec<String> = of_type(&stacks, "AWS::S3::Bucket")
        .into_iter()
        .filter(|(_, bucket)| {
            let rule = &bucket["Properties"]["ReplicationConfiguration"]["Rules"][0];
            let to = rule["Destination"]["Bucket"].as_str().unwrap_or_default();
            rule["DeleteMarkerReplication"]["Status"] == "Enabled" && to.ends_with("-us-west-2")
        })
        .map(|(name, _)| name)
        .collect();
    assert_eq!(replicated, ["nova-data/ImagesBucket", "nova-data/LogsBucket"]);
    let plans = of_type(&stacks, "AWS::Backup::BackupPlan");
    let rule = &plans[0].1["Properties"]["BackupPlan"]["BackupPlanRule"][0];
    assert_eq!(
        (&rule["Lifecycle"]["DeleteAfterDays"], &rule["CopyActions"][0]["Lifecycle"]["DeleteAfterDays"]),
        (&35.into(), &35.into())
    );
    let vault = rule["CopyActions"][0]["DestinationBackupVaultArn"].as_str().unwrap();
    assert!(vault.starts_with("arn:aws:backup:us-west-2:"), "{vault}");

    // The tables of the standby are those replicas.
    let standby = resolved_with("prod", ", PrimaryRegion: us-west-2");
    assert!(all(&standby).all(|(_, resource)| resource["Type"] != "AWS::DynamoDB::GlobalTable"));
}

#[test]
fn stores_are_encrypted_and_recoverable() {
    let stacks = resolved("prod");
    for (name, table) in of_type(&stacks, "AWS::DynamoDB::GlobalTable") {
        let properties = &table["Properties"];
        assert_eq!(properties["SSESpecification"]["SSEEnabled"], true, "{name}");
        assert_eq!(properties["BillingMode"], "PAY_PER_REQUEST", "{name}");
        assert_eq!(regions(table), [REGION], "{name}");
    }
    for (name, bucket) in of_type(&stacks, "AWS::S3::Bucket") {
        let rules = &bucket["Properties"]["BucketEncryption"]["ServerSideEncryptionConfiguration"];
        let algorithm = rules[0]["ServerSideEncryptionByDefault"]["SSEAlgorithm"].as_str();
        assert!(matches!(algorithm, Some("AES256" | "aws:kms")), "{name}: {algorithm:?}");
    }
    for (name, queue) in of_type(&stacks, "AWS::SQS::Queue") {
        assert_eq!(queue["Properties"]["SqsManagedSseEnabled"], true, "{name}");
        assert_eq!(queue["Properties"]["MessageRetentionPeriod"], 1_209_600, "{name}");
    }
    for (name, cache) in of_type(&stacks, "AWS::ElastiCache::ReplicationGroup") {
        for property in ["AtRestEncryptionEnabled", "TransitEncryptionEnabled"] {
            assert_eq!(cache["Properties"][property], true, "{name}");
        }
    }
    // Topics are not encrypted: alarms of CloudWatch do not reach a topic under the key of SNS, and alerts carry ids only.
    assert!(
        of_type(&stacks, "AWS::SNS::Topic")
            .iter()
            .all(|(_, topic)| topic["Properties"].get("KmsMasterKeyId").is_none())
    );
}

#[test]
fn nothing_is_public_but_the_load_balancer() {
    let stacks = resolved("prod");
    for (name, bucket) in of_type(&stacks, "AWS::S3::Bucket") {
        let properties = &bucket["Properties"];
        let block = properties["PublicAccessBlockConfiguration"].as_object().unwrap();
        assert!(block.len() == 4 && block.values().all(|value| value == true), "{name}: {block:?}");
        let ownership = &properties["OwnershipControls"]["Rules"][0]["ObjectOwnership"];
        assert_eq!(ownership, "BucketOwnerEnforced", "{name}");
    }
    let mut open = BTreeSet::new();
    for (name, group) in of_type(&stacks, "AWS::EC2::SecurityGroup") {
        for rule in group["Properties"]["SecurityGroupIngress"].as_array().into_iter().flatten() {
            if rule.get("CidrIp").is_some() {
                open.insert((name.clone(), rule["FromPort"].as_u64().unwrap()));
            }
        }
    }
    let balancer = "nova-network/LoadBalancerSecurityGroup".to_owned();
    assert_eq!(open, BTreeSet::from([(balancer.clone(), 80), (balancer, 443)]));
    for (place, statement) in statements(&stacks) {
        let principal = &statement["Principal"];
        let anyone = principal == "*" || principal["AWS"] == "*";
        assert!(!anyone || statement["Effect"] == "Deny", "{place} lets anyone in");
    }
}

#[test]
fn every_bucket_queue_and_topic_demands_tls() {
    let stacks = resolved("prod");
    let demanded: BTreeSet<String> = statements(&stacks)
        .into_iter()
        .filter(|(_, one)| {
            one["Effect"] == "Deny" && one["Condition"]["Bool"]["aws:SecureTransport"] == "false"
        })
        .flat_map(|(_, one)| texts(&one["Resource"]).into_iter().map(str::to_owned).collect::<Vec<_>>())
        .collect();
    for (name, bucket) in of_type(&stacks, "AWS::S3::Bucket") {
        let arn = format!("arn:aws:s3:::{}", bucket["Properties"]["BucketName"].as_str().unwrap());
        assert!(demanded.contains(&arn) && demanded.contains(&format!("{arn}/*")), "{name}: {arn}");
    }
    for (name, queue) in of_type(&stacks, "AWS::SQS::Queue") {
        let queue = queue["Properties"]["QueueName"].as_str().unwrap();
        assert!(demanded.iter().any(|arn| arn.ends_with(&format!(":{queue}"))), "{name}");
    }
    assert!(demanded.contains("*"), "the topics");
}

#[test]
fn no_statement_allows_every_action_or_every_resource_without_a_reason() {
    let stacks = resolved("prod");
    let mut excepted = BTreeSet::new();
    for (place, statement) in statements(&stacks) {
        if statement["Effect"] != "Allow" {
            continue;
        }
        let is_key = place.ends_with("Key/Account");
        let whole = |action: &&str| *action == "*" || action.ends_with(":*");
        assert!(is_key || !texts(&statement["Action"]).iter().any(whole), "{place} allows every action");
        if texts(&statement["Resource"]).contains(&"*") {
            assert!(
                ON_EVERY_RESOURCE.iter().any(|(known, _)| *known == place),
                "{place} is on every resource"
            );
            excepted.insert(place);
        }
    }
    let known: BTreeSet<String> = ON_EVERY_RESOURCE.iter().map(|(place, _)| (*place).to_owned()).collect();
    assert_eq!(excepted, known, "an exception is not needed any more");
}

#[test]
fn service_that_is_let_in_acts_for_this_account_and_a_named_resource() {
    let stacks = resolved("prod");
    for (place, statement) in statements(&stacks) {
        let service = &statement["Principal"]["Service"];
        if statement["Effect"] != "Allow" || service.is_null() {
            continue;
        }
        // Lambda names no source when it assumes the role of a function.
        if service == "lambda.amazonaws.com" {
            continue;
        }
        let condition = &statement["Condition"];
        let has = |key: &str| {
            ["StringEquals", "ArnEquals", "ArnLike"]
                .iter()
                .any(|operator| condition[operator].get(key).is_some())
        };
        assert!(has("aws:SourceArn"), "{place} names no source");
        // The ARN of a distribution has the account in it.
        assert!(
            has("aws:SourceAccount") || service == "cloudfront.amazonaws.com",
            "{place} names no account"
        );
    }
}

#[test]
fn what_holds_data_is_kept_and_expires_only_where_that_is_said() {
    let stacks = resolved("prod");
    let mut excepted = BTreeSet::new();
    for (name, resource) in all(&stacks) {
        let kind = resource["Type"].as_str().unwrap();
        if !KEPT.contains(&kind) {
            continue;
        }
        if NOT_KEPT.iter().any(|(known, _)| *known == name) {
            assert_eq!(resource["DeletionPolicy"], "Delete", "{name}");
            excepted.insert(name);
            continue;
        }
        // A creation that fails leaves nothing behind whose name the next one needs.
        assert_eq!(resource["DeletionPolicy"], "RetainExceptOnCreate", "{name}");
        assert_eq!(resource["UpdateReplacePolicy"], "Retain", "{name}");
    }
    assert_eq!(excepted.len(), NOT_KEPT.len(), "an exception is not needed any more");
    for (name, group) in of_type(&stacks, "AWS::Logs::LogGroup") {
        let days = group["Properties"]["RetentionInDays"].as_u64();
        assert!(matches!(days, Some(14 | 30)), "{name}: {days:?}");
    }
    for (name, bucket) in of_type(&stacks, "AWS::S3::Bucket") {
        let rules = bucket["Properties"]["LifecycleConfiguration"]["Rules"].as_array();
        let rules = rules.unwrap_or_else(|| panic!("{name} has no lifecycle"));
        let has = |property: &str| {
            rules.iter().any(|rule| rule.get(property).is_some() && rule["Status"] == "Enabled")
        };
        assert!(has("AbortIncompleteMultipartUpload"), "{name} keeps parts of uploads for ever");
        let versioned = bucket["Properties"]["VersioningConfiguration"]["Status"] == "Enabled";
        assert_eq!(has("NoncurrentVersionExpiration"), versioned, "{name}");
    }
}

/// The metrics of the service, and what is computed from them: alarms and scaling.
#[test]
fn stages_of_one_account_share_no_metric() {
    let namespaces = |stage: &str| -> BTreeSet<String> {
        let stacks = resolved(stage);
        let text: String = all(&stacks).map(|(_, resource)| resource.to_string()).collect();
        let starts = text.match_indices(metrics::NAMESPACE).map(|(start, _)| &text[start..]);
        starts.map(|rest| rest.split(['"', '\\']).next().unwrap_or_default().to_owned()).collect()
    };
    assert_eq!(namespaces("prod"), [metrics::NAMESPACE.to_owned()].into());
    assert_eq!(namespaces("staging"), [format!("{}-staging", metrics::NAMESPACE)].into());
}

#[test]
fn stages_of_one_account_share_no_name() {
    let names = |stage: &str| -> BTreeMap<String, String> {
        let stacks = resolved(stage);
        all(&stacks)
            // Groups of a pool, and containers and their settings, are named within something.
            .filter(|(_, resource)| {
                resource["Type"] != "AWS::Cognito::UserPoolGroup"
                    && resource["Type"] != "AWS::Route53::RecordSet"
            })
            .flat_map(|(place, resource)| {
                assert!(resource["Properties"].get("RoleName").is_none(), "{place} has a fixed name");
                let named = NAMES
                    .iter()
                    .filter_map(|property| Some((property, resource["Properties"][property].as_str()?)));
                named
                    .map(|(property, name)| (format!("{place}/{property}"), name.to_owned()))
                    .collect::<Vec<_>>()
            })
            .collect()
    };
    let (production, staging) = (names("prod"), names("staging"));
    assert!(production.len() > 60, "{}", production.len());
    for (place, name) in &production {
        assert!(name.contains("nova"), "{place}: {name}");
        assert_ne!(staging.get(place), Some(name), "{place}");
    }
}
