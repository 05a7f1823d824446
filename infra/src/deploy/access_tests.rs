//! What each role may do on AWS, asked of its policies for every pair of an action and a resource, and compared with the list of workers.
//! That each role may do all that its program needs is shown by the end-to-end tests, whose cloud enforces the same policies.

use std::collections::{BTreeMap, BTreeSet};

use events::workers::{Resource, Worker};
use serde_json::Value;

use super::{
    StackKind,
    test_policy::{Call, allows, statements},
    test_resolved::{ACCOUNT, REGION, ResolvedStack, production},
};

/// Characters of all inline policies of a role, without white space.
const INLINE_CHARS_MAX: usize = 10_240;

/// Calls that change what the templates made, take over another identity or read a secret: no program makes them.
const ADMINISTRATION: [&str; 34] = [
    "cloudformation:CreateStack",
    "cloudformation:UpdateStack",
    "cloudwatch:DeleteAlarms",
    "cognito-idp:AdminCreateUser",
    "cognito-idp:ListUsers",
    "cognito-idp:UpdateUserPool",
    "dynamodb:CreateTable",
    "dynamodb:DeleteTable",
    "dynamodb:ExportTableToPointInTime",
    "dynamodb:PartiQLSelect",
    "dynamodb:RestoreTableToPointInTime",
    "dynamodb:UpdateTable",
    "ecs:UpdateService",
    "events:DeleteRule",
    "events:PutRule",
    "events:PutTargets",
    "iam:PassRole",
    "iam:PutRolePolicy",
    "kms:CreateGrant",
    "kms:PutKeyPolicy",
    "kms:ScheduleKeyDeletion",
    "lambda:InvokeFunction",
    "lambda:UpdateFunctionCode",
    "logs:GetLogEvents",
    "s3:DeleteBucket",
    "s3:PutBucketPolicy",
    "s3:PutLifecycleConfiguration",
    "secretsmanager:GetSecretValue",
    "secretsmanager:PutSecretValue",
    "sns:Subscribe",
    "sqs:DeleteQueue",
    "sqs:PurgeQueue",
    "sqs:SetQueueAttributes",
    "sts:AssumeRole",
];

const QUEUE_ACTIONS: [&str; 5] = [
    "sqs:ReceiveMessage",
    "sqs:DeleteMessage",
    "sqs:ChangeMessageVisibility",
    "sqs:SendMessage",
    "sqs:GetQueueAttributes",
];

const TABLE_ACTIONS: [&str; 9] = [
    "dynamodb:BatchGetItem",
    "dynamodb:BatchWriteItem",
    "dynamodb:ConditionCheckItem",
    "dynamodb:DeleteItem",
    "dynamodb:GetItem",
    "dynamodb:PutItem",
    "dynamodb:Query",
    "dynamodb:Scan",
    "dynamodb:UpdateItem",
];

const OBJECT_ACTIONS: [&str; 4] =
    ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:DeleteObjectVersion"];

/// Tables with the setting that names each.
const TABLES: [(&str, Resource); 6] = [
    ("conversations", Resource::ConversationsTable),
    ("images", Resource::ImagesTable),
    ("users", Resource::UsersTable),
    ("user-progress", Resource::ProgressTable),
    ("effects", Resource::EffectsTable),
    ("sessions", Resource::SessionsTable),
];

const BUCKETS: [(&str, Resource); 3] = [
    ("conversation-logs", Resource::LogsBucket),
    ("audio-files", Resource::AudioBucket),
    ("learning-images", Resource::ImagesBucket),
];

/// Where each worker writes and deletes objects: `documents` that no other worker writes.
const WRITES: [(Worker, &str, &str); 2] = [
    (Worker::Transcript, "conversation-logs", "transcripts/"),
    (Worker::Analysis, "conversation-logs", "analyses/"),
];

/// All roles of the templates, by stack and logical id.
fn roles(stacks: &[ResolvedStack]) -> BTreeMap<String, &Value> {
    let of_stack = |stack: &ResolvedStack| stack.kind.stack_name("nova");
    stacks
        .iter()
        .flat_map(|stack| {
            let roles = stack.resources.iter().filter(|(_, one)| one["Type"] == "AWS::IAM::Role");
            roles.map(move |(name, role)| (format!("{}/{name}", of_stack(stack)), &role["Properties"]))
        })
        .collect()
}

fn role_of(stacks: &[ResolvedStack], worker: Worker) -> Value {
    let access = stacks.iter().find(|stack| stack.kind == StackKind::Access).unwrap();
    access.resources[&format!("{worker:?}Role")]["Properties"].clone()
}

fn queue(name: &str) -> String {
    format!("arn:aws:sqs:{REGION}:{ACCOUNT}:nova-{name}")
}

fn table(name: &str) -> String {
    format!("arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/nova-{name}")
}

fn object(bucket: &str, key: &str) -> String {
    format!("arn:aws:s3:::nova-{bucket}-{ACCOUNT}-{REGION}/{key}")
}

fn allowed<'a>(role: &Value, actions: &'a [&'a str], resource: &str) -> BTreeSet<&'a str> {
    let statements = statements(role);
    actions.iter().copied().filter(|action| allows(&statements, &Call::new(action, resource))).collect()
}

#[test]
fn worker_receives_from_its_own_queue_only_and_sends_only_where_it_has_to() {
    let stacks = production();
    let consume: BTreeSet<&str> =
        QUEUE_ACTIONS.into_iter().filter(|action| *action != "sqs:SendMessage").collect();
    for worker in Worker::ALL {
        let role = role_of(&stacks, worker);
        for of in Worker::ALL {
            let work = allowed(&role, &QUEUE_ACTIONS, &queue(of.name()));
            let dead = allowed(&role, &QUEUE_ACTIONS, &queue(&format!("{of}-dlq")));
            if of == worker {
                assert!(work.is_superset(&consume), "{worker}: {work:?}");
                // Two look again at their own work, later.
                let sends = matches!(worker, Worker::Watchdog | Worker::Erasure);
                assert_eq!(work.contains("sqs:SendMessage"), sends, "{worker}");
                assert_eq!(dead, BTreeSet::from(["sqs:GetQueueAttributes", "sqs:SendMessage"]), "{worker}");
            } else {
                assert_eq!(work, BTreeSet::new(), "{worker} may use the queue of {of}");
                let watches = worker.spec().needs.contains(&Resource::WatchedQueueUrls);
                let expected =
                    if watches { BTreeSet::from(["sqs:GetQueueAttributes"]) } else { BTreeSet::new() };
                assert_eq!(dead, expected, "{worker} may use the dead letters of {of}");
            }
        }
    }
}

#[test]
fn worker_reaches_the_stores_it_is_configured_with_and_no_others() {
    let stacks = production();
    for worker in Worker::ALL {
        let role = role_of(&stacks, worker);
        let needs = |resource: &Resource| worker.spec().needs.contains(resource);
        for (name, resource) in TABLES {
            let found = allowed(&role, &TABLE_ACTIONS, &table(name));
            assert_eq!(!found.is_empty(), needs(&resource), "{worker} may {found:?} the table {name}");
            assert!(!found.contains("dynamodb:Scan"), "{worker} may scan the table {name}");
        }
        for (name, resource) in BUCKETS {
            for folder in ["transcripts/", "analyses/", "audio/", "pictures/", "other/"] {
                let found = allowed(&role, &OBJECT_ACTIONS, &object(name, &format!("{folder}u/1")));
                assert!(found.is_empty() || needs(&resource), "{worker} may {found:?} {name}/{folder}");
                let writes = WRITES.contains(&(worker, name, folder));
                assert_eq!(found.contains("s3:PutObject"), writes, "{worker} in {name}/{folder}");
                let deletes = found.contains("s3:DeleteObject");
                assert!(!deletes || writes || worker == Worker::Erasure, "{worker} in {name}/{folder}");
            }
        }
        for level in ["critical", "warning", "info"] {
            let topic = format!("arn:aws:sns:{REGION}:{ACCOUNT}:nova-alerts-{level}");
            let publishes = allowed(&role, &["sns:Publish"], &topic);
            assert_eq!(!publishes.is_empty(), needs(&Resource::TopicCriticalArn), "{worker}: {level}");
        }
        let pool = format!("arn:aws:cognito-idp:{REGION}:{ACCOUNT}:userpool/{REGION}_UserPool");
        let deletes = allowed(&role, &["cognito-idp:AdminDeleteUser"], &pool);
        assert_eq!(!deletes.is_empty(), needs(&Resource::UserPoolId), "{worker}");
    }
}

/// Workers share the table of effects; the local cloud cannot tell their items apart.
#[test]
fn worker_without_an_effect_of_its_own_writes_notes_of_attempts_only() {
    let stacks = production();
    for worker in [Worker::Transcript, Worker::Watchdog] {
        let role = role_of(&stacks, worker);
        let statements = statements(&role);
        let writes = |key: &str| {
            let write = |action: &&&str| {
                let call = Call::new(action, &table("effects")).with("dynamodb:LeadingKeys", &[key]);
                allows(&statements, &call)
            };
            ["dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"].iter().filter(write).count()
        };
        assert_eq!(writes("attempt#transcript#1"), 1, "{worker}");
        for key in ["analysis#1", "progress#1", "alert#1", "erasure#1", "spending#1", "limit#1", "audit#1"] {
            assert_eq!(writes(key), 0, "{worker} may write {key}");
        }
    }
}

#[test]
fn role_publishes_events_in_its_own_name_only() {
    let stacks = production();
    let bus = format!("arn:aws:events:{REGION}:{ACCOUNT}:event-bus/nova");
    let sources = Worker::ALL.map(Worker::name).into_iter().chain(["ingress", "ops"]);
    let sources: Vec<String> = sources.map(|name| format!("nova.{name}")).collect();
    for (name, role) in roles(&stacks) {
        let statements = statements(role);
        let may = |source: &str| {
            let publish = Call::new("events:PutEvents", &bus).with("events:source", &[source]);
            allows(&statements, &publish.with("events:detail-type", &["conversation.completed"]))
        };
        let own = name.trim_start_matches("nova-access/").trim_end_matches("Role").to_ascii_lowercase();
        for source in &sources {
            assert!(!may(source) || *source == format!("nova.{own}"), "{name} may publish as {source}");
        }
        assert!(!may("aws.s3"), "{name}");
    }
}

#[test]
fn no_role_administers_what_the_templates_made() {
    let stacks = production();
    let resources = [
        "*".to_owned(),
        queue("transcript"),
        queue("events-dlq"),
        table("users"),
        table("effects"),
        object("conversation-logs", "transcripts/u/1"),
        format!("arn:aws:s3:::nova-conversation-logs-{ACCOUNT}-{REGION}"),
        format!("arn:aws:sns:{REGION}:{ACCOUNT}:nova-alerts-critical"),
        format!("arn:aws:cognito-idp:{REGION}:{ACCOUNT}:userpool/{REGION}_UserPool"),
        format!("arn:aws:kms:{REGION}:{ACCOUNT}:key/TranscriptsKey"),
        format!("arn:aws:events:{REGION}:{ACCOUNT}:rule/nova/nova-transcript"),
        format!("arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:nova/ticket-key-AbCdEf"),
        format!("arn:aws:iam::{ACCOUNT}:role/OpsRole"),
        format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:nova-sign-up"),
        format!("arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/nova-data/1"),
        format!("arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/ecs/nova-api:*"),
        format!("arn:aws:ecs:{REGION}:{ACCOUNT}:service/nova-english-cluster/nova-api-service"),
    ];
    for (name, role) in roles(&stacks) {
        let found: BTreeSet<(&str, &String)> = resources
            .iter()
            .flat_map(|resource| {
                allowed(role, &ADMINISTRATION, resource).into_iter().map(move |one| (one, resource))
            })
            .collect();
        // What starts tasks reads secrets, to give them to the tasks. What replaces the key of tickets reads and writes this one, and
        // restarts the tasks that use it.
        let expected = |(action, resource): &(&str, &String)| match name.as_str() {
            "nova-compute/ExecutionRole" => *action == "secretsmanager:GetSecretValue",
            "nova-compute/RotationRole" => {
                let of_key =
                    resource.contains(":secret:nova/ticket-key-") && action.starts_with("secretsmanager:");
                of_key || (resource.ends_with("/nova-api-service") && *action == "ecs:UpdateService")
            }
            _ => false,
        };
        assert!(found.iter().all(expected), "{name} may {found:?}");
    }
}

#[test]
fn role_trusts_one_service_of_this_account() {
    let stacks = production();
    for (name, role) in roles(&stacks) {
        for statement in role["AssumeRolePolicyDocument"]["Statement"].as_array().unwrap() {
            let Some(service) = statement["Principal"]["Service"].as_str() else {
                let by_identity = statement["Principal"]["Federated"] == "cognito-identity.amazonaws.com";
                let by_operator = statement["Condition"]["Bool"]["aws:MultiFactorAuthPresent"] == "true";
                assert!(by_identity || by_operator, "{name}: {statement}");
                continue;
            };
            // Lambda names no source when it assumes the role of a function.
            if service == "lambda.amazonaws.com" {
                continue;
            }
            let condition = &statement["Condition"];
            assert_eq!(condition["StringEquals"]["aws:SourceAccount"], ACCOUNT, "{name}");
            let source = condition["ArnLike"]["aws:SourceArn"].as_str().unwrap_or_default();
            let (service, _) = service.split_once('.').unwrap();
            let service = service.trim_end_matches("-tasks");
            assert!(
                source.starts_with(&format!("arn:aws:{service}:{REGION}:{ACCOUNT}:")),
                "{name}: {source}"
            );
        }
    }
}

#[test]
fn inline_policies_fit_in_a_role() {
    let stacks = production();
    for (name, role) in roles(&stacks) {
        let chars: usize = role["Policies"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|policy| {
                policy["PolicyDocument"].to_string().chars().filter(|one| !one.is_whitespace()).count()
            })
            .sum();
        assert!(chars <= INLINE_CHARS_MAX, "{name}: {chars} characters");
    }
}
