//! Deploys the production templates to a cloud through CloudFormation, one stack a template, and applies what the local
//! cloud ignores.

use std::collections::BTreeMap;

use anyhow::Context as _;
use aws_config::SdkConfig;
use aws_sdk_cloudformation::Client;

use super::{Binaries, Outputs, Progress, apply_properties, function::sign_up_function, sdk};
use crate::deploy::{DeployOptions, PlannedStack, StackKind, apply};

/// Changes to the list of e-mail domains that cannot sign up: learners of tests and of the demo have addresses of the
/// reserved domain `example`, which has no mailboxes.
pub(super) const REFUSED_EMAIL_DOMAINS: &str = "-example";

/// The domain of the sender of mails about accounts.
pub(super) const MAIL_DOMAIN: &str = "nova.example";

/// First part of all names on the local cloud.
const PREFIX: &str = "nova";

/// The stacks that the service needs on this machine, in the order of their dependencies. Network, tasks and edge are
/// processes and loopback here.
fn kinds() -> impl Iterator<Item = StackKind> {
    StackKind::all().filter(|kind| match kind {
        StackKind::Data
        | StackKind::Messaging
        | StackKind::Queue(_)
        | StackKind::Identity
        | StackKind::Access
        | StackKind::Monitoring => true,
        StackKind::Network
        | StackKind::Compute
        | StackKind::Api
        | StackKind::ResourceAlarms
        | StackKind::Worker(_)
        | StackKind::Edge => false,
    })
}

/// Deploys the templates to the empty emulated cloud that `sdk` reaches at `endpoint`, with the functions of `binaries`,
/// applies what the emulator throws away, and returns what is there.
///
/// # Errors
/// When a function is not built or a stack cannot be made: the reason is the first failed resource's own.
pub async fn deploy(
    sdk: &SdkConfig,
    endpoint: &str,
    binaries: &Binaries,
    progress: &Progress,
) -> anyhow::Result<Outputs> {
    let cloudformation = Client::new(sdk);
    let mut outputs: BTreeMap<String, String> = BTreeMap::new();
    for kind in kinds() {
        let mut parameters = kind.own_parameters(PREFIX);
        parameters.insert("Env".to_owned(), "local".to_owned());
        if kind == StackKind::Monitoring {
            // One process of the ingress is enough here.
            parameters.insert("TasksMin".to_owned(), "1".to_owned());
        }
        if kind == StackKind::Identity {
            let bucket =
                outputs.get("ArtifactsBucket").context("no template has the output ArtifactsBucket")?;
            parameters.extend(identity_parameters(sdk, endpoint, bucket, binaries).await?);
        }
        let name = kind.stack_name(PREFIX);
        let stack = PlannedStack { kind, name: name.clone(), template: kind.template()?, parameters };
        let outcome = apply(&cloudformation, &stack, DeployOptions::default(), progress).await?;
        outputs.extend(outcome.outputs.into_iter().map(|(key, value)| (kind.output_name(&key), value)));
        let names = physical_names(&cloudformation, &name).await?;
        apply_properties::apply(sdk, stack.template.body, &names).await?;
    }
    Outputs::from_stacks(&outputs)
}

/// Puts the code of the pool's triggers into `bucket` and says where it is.
async fn identity_parameters(
    sdk: &SdkConfig,
    endpoint: &str,
    bucket: &str,
    binaries: &Binaries,
) -> anyhow::Result<[(String, String); 7]> {
    let function = sign_up_function(binaries).await?;
    function.upload(&sdk::s3_client(sdk), bucket).await?;
    let pairs = [
        ("CodeBucket", bucket.to_owned()),
        ("CodeKey", function.key),
        ("FunctionArchitecture", function.architecture.to_owned()),
        ("RefusedEmailDomains", REFUSED_EMAIL_DOMAINS.to_owned()),
        ("EndpointUrl", endpoint.to_owned()),
        ("DomainName", MAIL_DOMAIN.to_owned()),
        // Only production has records of it.
        ("HostedZoneId", "Z00000".to_owned()),
    ];
    Ok(pairs.map(|(name, value)| (name.to_owned(), value)))
}

async fn physical_names(cloudformation: &Client, stack: &str) -> anyhow::Result<BTreeMap<String, String>> {
    let resources = cloudformation.describe_stack_resources().stack_name(stack).send().await;
    let resources = resources.with_context(|| format!("cannot list the resources of the stack {stack}"))?;
    let pairs = resources
        .stack_resources
        .unwrap_or_default()
        .into_iter()
        .filter_map(|resource| Some((resource.logical_resource_id?, resource.physical_resource_id?)));
    Ok(pairs.collect())
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use serde_json::{Map, Value, json};

    use events::{
        alert::BY_TIME,
        contract::{
            AccountDeletionRequested, AnalysisFailed, ConversationAnalyzed, ConversationCompleted,
            ConversationId, ConversationStalled, EventId, ProgressUpdated, TranscriptStored,
        },
        pipeline::names,
        runtime::delivery::{FAILURES_MAX_LIMIT, RECEIVES_PER_FAILURE},
        workers::Worker,
    };

    use super::*;

    /// The resources of a template, by name, with the prefix of production in place.
    fn resources(stack: &str) -> Map<String, Value> {
        let kind = kinds().find(|kind| kind.stack_name("nova") == stack).unwrap();
        let resources = kind.template().unwrap().resources;
        resources.into_iter().map(|(name, value)| (name, with_prefix(value))).collect()
    }

    fn with_prefix(value: Value) -> Value {
        match value {
            Value::Object(map) => match map.get("Fn::Sub").and_then(Value::as_str) {
                Some(text) if text.contains("${Prefix}") => {
                    let text = text.replace("${Prefix}", "nova");
                    if text.contains("${") { json!({ "Fn::Sub": text }) } else { Value::String(text) }
                }
                _ => map.into_iter().map(|(key, value)| (key, with_prefix(value))).collect(),
            },
            Value::Array(items) => items.into_iter().map(with_prefix).collect(),
            scalar @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => scalar,
        }
    }

    fn of_type<'a>(all: &'a Map<String, Value>, kind: &str) -> Vec<(&'a str, &'a Value)> {
        let is_kind = |(_, resource): &(&'a String, &'a Value)| resource["Type"] == kind;
        let all = all.iter().filter(is_kind);
        all.map(|(name, resource)| (name.as_str(), &resource["Properties"])).collect()
    }

    #[test]
    fn every_queue_and_every_rule_target_has_its_dead_letter_queue() {
        let queue = resources("nova-queue-progress");
        let properties = &queue["Queue"]["Properties"];
        assert_eq!(properties["RedrivePolicy"]["deadLetterTargetArn"]["Fn::GetAtt"], "DeadLetterQueue.Arn");
        let receives_min = u64::from(RECEIVES_PER_FAILURE * FAILURES_MAX_LIMIT);
        let receives = properties["RedrivePolicy"]["maxReceiveCount"].as_u64();
        assert!(receives >= Some(receives_min), "it gives up before its worker knows why");
        for target in queue["Rule"]["Properties"]["Targets"].as_array().unwrap() {
            assert_eq!(
                target["DeadLetterConfig"]["Arn"],
                json!({ "Fn::ImportValue": "nova-events-dlq-arn" })
            );
            assert!(target["RetryPolicy"]["MaximumRetryAttempts"].is_i64());
        }
        let messaging = resources("nova-messaging");
        let policy = &messaging["EventsDeadLetterQueuePolicy"]["Properties"]["PolicyDocument"];
        let allowed = policy["Statement"][0]["Condition"]["ArnLike"]["aws:SourceArn"]["Fn::Sub"].as_str();
        assert!(allowed.unwrap().ends_with(":rule/${Bus}/*"), "{allowed:?}");
    }

    #[test]
    fn queues_rules_and_roles_are_those_of_the_list_of_workers() {
        let access = resources("nova-access");
        for worker in Worker::ALL {
            let own = StackKind::Queue(worker).own_parameters("nova");
            assert_eq!(own["Events"], worker.spec().consumes.join(","));
            assert_eq!(own["VisibilitySeconds"], worker.spec().visibility_seconds.to_string());
            let name =
                &StackKind::Queue(worker).template().unwrap().resources["Queue"]["Properties"]["QueueName"];
            let name = name["Fn::Sub"].as_str().unwrap();
            let name = name.replace("${Prefix}", "nova").replace("${Worker}", worker.name());
            assert_eq!(name, worker.queue_name());
            let policies = |role: &str| access[role]["Properties"]["Policies"].to_string();
            let (queue, dead) = (format!("nova-{worker}-queue-arn"), format!("nova-{worker}-dlq-arn"));
            for role in [format!("{worker:?}Role"), "OpsRole".to_owned(), "IngressRole".to_owned()] {
                assert!(policies(&role).contains(&queue), "{role} may not use {queue}");
                assert!(policies(&role).contains(&dead), "{role} may not use {dead}");
            }
            assert!(policies("AlertsRole").contains(&dead), "AlertsRole may not use {dead}");
        }
    }

    #[test]
    fn every_queue_has_its_alarms() {
        let queue = resources("nova-queue-progress");
        let of_queue = of_type(&queue, "AWS::CloudWatch::Alarm");
        let watched = |queue: &str, metric: &str| -> Vec<Value> {
            let name = json!({ "Fn::GetAtt": format!("{queue}.QueueName") });
            let dimensions = json!([{ "Name": "QueueName", "Value": name }]);
            let watches = of_queue
                .iter()
                .filter(|(_, alarm)| alarm["Dimensions"] == dimensions && alarm["MetricName"] == metric);
            watches.map(|(_, alarm)| alarm["Threshold"].clone()).collect()
        };
        let (depth, age) = ("ApproximateNumberOfMessagesVisible", "ApproximateAgeOfOldestMessage");
        assert_eq!((watched("Queue", depth).len(), watched("Queue", age).len()), (1, 2));
        assert_eq!(
            (watched("DeadLetterQueue", depth), watched("DeadLetterQueue", age)),
            (vec![json!(0)], vec![])
        );
    }

    #[test]
    fn every_kind_of_security_event_has_its_alarm() {
        let monitoring = resources("nova-monitoring");
        let watched: BTreeSet<&str> = of_type(&monitoring, "AWS::CloudWatch::Alarm")
            .iter()
            .filter(|(_, alarm)| alarm["Namespace"] == json!({ "Fn::Ref": "MetricsNamespace" }))
            .filter(|(_, alarm)| alarm["Dimensions"] == json!([{ "Name": "service", "Value": "ingress" }]))
            .filter_map(|(_, alarm)| alarm["MetricName"].as_str())
            .collect();
        let page = include_str!("../../runbooks/metrics.md");
        let metrics = page.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
        let security: BTreeSet<&str> =
            metrics.map(|(name, _)| name).filter(|name| name.starts_with("Security")).collect();
        assert!(security.len() >= 5 && security.is_subset(&watched), "{security:?} of {watched:?}");
    }

    /// The figures of each endpoint are no metrics.
    #[test]
    fn dashboard_queries_the_access_log_for_the_errors_of_each_endpoint() {
        let monitoring = resources("nova-monitoring");
        let body = monitoring["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"].as_str().unwrap();
        let body: Value = serde_json::from_str(body).unwrap();
        let widgets = body["widgets"].as_array().unwrap();
        let query = |title: &str| {
            let widget = widgets.iter().find(|widget| widget["properties"]["title"] == title).unwrap();
            widget["properties"]["query"].as_str().unwrap()
        };
        let errors = query("Errors by endpoint");
        for part in
            ["SOURCE '${IngressLogGroup}'", "target = 'access'", "floor(status / 500)", "by method, route"]
        {
            assert!(errors.contains(part), "{part}: {errors}");
        }
        let page = include_str!("../../runbooks/metrics.md");
        for property in ["endReasons", "outcomes"] {
            assert!(
                body.to_string().contains(property) && page.contains(&format!("| `{property}` |")),
                "{property}"
            );
        }
    }

    /// Whether the pattern of a policy, with `*` for any text, admits `text`.
    fn admits(pattern: &str, text: &str) -> bool {
        let Some((before, after)) = pattern.split_once('*') else { return pattern == text };
        text.strip_prefix(before).is_some_and(|rest| {
            (0..=rest.len()).any(|at| rest.is_char_boundary(at) && admits(after, &rest[at..]))
        })
    }

    #[test]
    fn every_sonic_model_is_admitted_and_no_other_model() {
        let source = include_str!("../../templates/access.yaml");
        let parameter = source.split_once("  SonicModels:\n").unwrap().1;
        let pattern = parameter.split_once("Default: ").unwrap().1.lines().next().unwrap();
        for model in [
            "amazon.nova-2-sonic-v1:0",
            "amazon.nova-sonic-v1:0",
            "amazon.nova-2-5-sonic-v1:0",
            "amazon.nova-2-5-sonic-20261001-v1:0",
            "amazon.nova-3-sonic-v1:0",
        ] {
            assert!(admits(pattern, model), "{pattern} does not admit {model}");
        }
        for model in
            ["amazon.nova-2-lite-v1:0", "amazon.nova-canvas-v1:0", "anthropic.claude-sonnet-5-5", "x"]
        {
            assert!(!admits(pattern, model), "{pattern} admits {model}");
        }
    }

    #[test]
    fn the_ingress_reads_the_marks_that_it_looks_for_and_no_other_notes() {
        let access = resources("nova-access");
        let policy = &access["IngressRole"]["Properties"]["Policies"][0]["PolicyDocument"];
        let is_of_effects = |statement: &&Value| {
            let action = statement["Action"].to_string();
            let reads = ["dynamodb:GetItem", "dynamodb:Query"].iter().any(|read| action.contains(read));
            reads && statement["Resource"].to_string().contains("nova-effects-table")
        };
        let statements: Vec<&Value> =
            policy["Statement"].as_array().unwrap().iter().filter(is_of_effects).collect();
        let [marks, alerts] = statements.as_slice() else { panic!("{statements:?}") };
        assert_eq!(alerts["Action"], json!(["dynamodb:Query"]));
        assert!(alerts["Resource"].to_string().contains(&format!("/index/{BY_TIME}")), "{alerts}");
        let actions = ["dynamodb:DescribeTable", "dynamodb:GetItem", "dynamodb:ConditionCheckItem"];
        assert_eq!(marks["Action"], json!(actions));
        let keys = &marks["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"];
        let kinds: BTreeSet<&str> = keys.as_array().unwrap().iter().filter_map(Value::as_str).collect();
        let id: ConversationId = "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap();
        let read = [
            names::alerts_effect(id),
            names::analysis_effect(id),
            names::erasure_effect(&"learner-1".parse().unwrap()),
            names::progress_effect(EventId::derive(id, "conversation.completed")),
        ];
        let kind = |effect: &String| format!("{}#*", effect.split('#').next().unwrap());
        // Besides these, what the models may cost on a day and have cost.
        let further = ["limit#*", "spending#*"].map(str::to_owned);
        let expected: BTreeSet<String> = read.iter().map(kind).chain(further).collect();
        assert_eq!(kinds, expected.iter().map(String::as_str).collect());
    }

    #[test]
    fn only_sums_of_a_day_and_records_of_reads_are_written_beside_the_marks() {
        let access = resources("nova-access");
        let written = |role: &str, action: &str| -> Vec<Value> {
            let statements = statements(&access[role]["Properties"], action);
            let of_effects = statements.into_iter();
            let of_effects =
                of_effects.filter(|one| one["Resource"].to_string().contains("nova-effects-table"));
            let keys =
                |one: &Value| one["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"].clone();
            of_effects.map(keys).collect()
        };
        assert_eq!(written("IngressRole", "dynamodb:UpdateItem"), [json!(["spending#*"])]);
        assert_eq!(written("OpsRole", "dynamodb:UpdateItem"), [json!(["limit#*"])]);
        for role in ["IngressRole", "OpsRole"] {
            assert_eq!(written(role, "dynamodb:PutItem"), [json!(["audit#*"])], "{role}");
            assert!(written(role, "dynamodb:DeleteItem").is_empty(), "{role}");
        }
    }

    #[test]
    fn the_user_pool_its_triggers_and_its_identity_pool_are_as_they_were_designed() {
        let identity = resources("nova-identity");
        let pool = &identity["UserPool"]["Properties"];
        assert_eq!(pool["UserPoolName"], "nova-english-users");
        assert_eq!(pool["UsernameAttributes"], json!(["email"]));
        let verified = json!(["email", "phone_number"]);
        assert_eq!(pool["AutoVerifiedAttributes"], verified);
        let before_update = &pool["UserAttributeUpdateSettings"]["AttributesRequireVerificationBeforeUpdate"];
        assert_eq!(before_update, &verified, "an address counts before it was verified");
        let policy = json!({
            "MinimumLength": 8,
            "RequireUppercase": true,
            "RequireLowercase": true,
            "RequireNumbers": true,
            "RequireSymbols": false,
        });
        assert_eq!(pool["Policies"]["PasswordPolicy"], policy);
        assert_eq!(pool["MfaConfiguration"], "OPTIONAL");
        assert_eq!(pool["EnabledMfas"], json!(["SMS_MFA", "SOFTWARE_TOKEN_MFA"]));
        let attributes = pool["Schema"].as_array().unwrap().iter();
        let attributes = attributes.map(|one| (one["Name"].as_str().unwrap(), one["Required"] == true));
        let expected = [("email", true), ("name", true), ("learning_level", false), ("interests", false)];
        assert_eq!(attributes.collect::<Vec<_>>(), expected);
        let function = json!({ "Fn::GetAtt": "SignUpFunction.Arn" });
        let triggers = json!({ "PreSignUp": function, "PostConfirmation": function });
        assert_eq!(pool["LambdaConfig"], triggers);
        let function = &identity["SignUpFunction"]["Properties"];
        assert_eq!(function["Runtime"], "provided.al2023");
        // Cognito waits no longer.
        assert_eq!(function["Timeout"], 5);
        let logs = &identity["FunctionsLogGroup"]["Properties"];
        assert_eq!(logs["LogGroupName"], "/aws/lambda/nova-functions");
        assert_eq!(logs["RetentionInDays"], 14);
        assert_eq!(identity["IdentityPool"]["Properties"]["IdentityPoolName"], "nova-english-identity");
        let roles = &identity["IdentityPoolRoles"]["Properties"]["Roles"];
        assert_eq!(roles["unauthenticated"], json!({ "Fn::GetAtt": "UnauthenticatedRole.Arn" }));
        let limited = &identity["UnauthenticatedRole"]["Properties"]["Policies"][0]["PolicyDocument"];
        let allowed: Vec<&Value> =
            limited["Statement"].as_array().unwrap().iter().map(|one| &one["Action"]).collect();
        assert_eq!(allowed, [&json!(["s3:GetObject"])]);
    }

    /// The statements of a role that allow `action`, from its properties.
    fn statements<'a>(role: &'a Value, action: &str) -> Vec<&'a Value> {
        let policies = role["Policies"].as_array().into_iter().flatten();
        let statements =
            policies.filter_map(|policy| policy["PolicyDocument"]["Statement"].as_array()).flatten();
        let allows = |statement: &&Value| statement["Action"].to_string().contains(&format!("\"{action}\""));
        statements.filter(allows).collect()
    }

    #[test]
    fn only_the_ingress_mails_and_from_one_address_on_aws() {
        let access = resources("nova-access");
        let roles = of_type(&access, "AWS::IAM::Role").into_iter();
        let mails = roles.flat_map(|(name, role)| {
            statements(role, "ses:SendEmail").into_iter().map(move |one| (name, one))
        });
        let found: Vec<(&str, &Value)> = mails.collect();
        let [("IngressRole", statement)] = found.as_slice() else { panic!("{found:?}") };
        let condition = &statement["Condition"]["Fn::If"];
        assert_eq!(condition[0], "Production");
        assert!(
            statement["Resource"]["Fn::If"][1].to_string().contains(":identity/${Domain}"),
            "{statement}"
        );
        let sender = &condition[1]["StringEquals"]["ses:FromAddress"];
        let api = StackKind::Api.template().unwrap().resources;
        let settings = &api["TaskDefinition"]["Properties"]["ContainerDefinitions"][0]["Environment"];
        let setting =
            settings.as_array().unwrap().iter().find(|one| one["Name"] == "NOVA_MAIL_FROM").unwrap();
        assert_eq!(with_prefix(setting["Value"].clone()), *sender, "the role may send from another address");
    }

    #[test]
    fn every_role_publishes_only_its_own_events_on_aws() {
        let access = resources("nova-access");
        let mut found = BTreeMap::new();
        for (name, role) in of_type(&access, "AWS::IAM::Role") {
            for statement in statements(role, "events:PutEvents") {
                assert_eq!(statement["Action"], json!(["events:PutEvents"]), "{name}");
                let condition = statement["Condition"]["Fn::If"].as_array().expect("a condition of AWS only");
                assert_eq!(condition[0], "Production", "{name}");
                assert_eq!(condition[2], json!({ "Fn::Ref": "AWS::NoValue" }), "{name}");
                let equals = condition[1]["StringEquals"].as_object().unwrap();
                assert_eq!(equals.len(), 2, "{name}");
                let types = equals["events:detail-type"].as_array().unwrap().iter();
                let types: Vec<_> = types.map(|name| name.as_str().unwrap().to_owned()).collect();
                found.insert(name.to_owned(), (equals["events:source"].as_str().unwrap().to_owned(), types));
            }
        }
        let expected = [
            (
                "IngressRole",
                "nova.ingress",
                vec![ConversationCompleted::NAME, AccountDeletionRequested::NAME],
            ),
            ("TranscriptRole", "nova.transcript", vec![TranscriptStored::NAME]),
            ("AnalysisRole", "nova.analysis", vec![ConversationAnalyzed::NAME, AnalysisFailed::NAME]),
            ("ProgressRole", "nova.progress", vec![ProgressUpdated::NAME]),
            ("WatchdogRole", "nova.watchdog", vec![ConversationCompleted::NAME, ConversationStalled::NAME]),
            ("OpsRole", "nova.ops", vec![ConversationCompleted::NAME]),
        ];
        let expected = expected.map(|(role, source, types)| {
            (role.to_owned(), (source.to_owned(), types.into_iter().map(str::to_owned).collect()))
        });
        assert_eq!(found, BTreeMap::from(expected));
    }

    #[test]
    fn every_role_that_reads_or_writes_a_store_may_use_its_key_and_no_other_does() {
        let (data, access) = (resources("nova-data"), resources("nova-access"));
        for (bucket, key) in [("LogsBucket", "TranscriptsKey"), ("AudioBucket", "RecordingsKey")] {
            let rules = &data[bucket]["Properties"]["BucketEncryption"]["ServerSideEncryptionConfiguration"];
            let default = &rules[0]["ServerSideEncryptionByDefault"];
            assert_eq!(default["KMSMasterKeyID"], json!({ "Fn::GetAtt": format!("{key}.Arn") }), "{bucket}");
            assert_eq!(data[key]["Properties"]["EnableKeyRotation"], true, "{key}");
        }
        let stores = [
            ("nova-logs-bucket", "nova-transcripts-key-arn"),
            ("nova-audio-bucket", "nova-recordings-key-arn"),
        ];
        for (name, role) in of_type(&access, "AWS::IAM::Role") {
            for (store, key) in stores {
                let of_store = |action: &str| {
                    statements(role, action).iter().any(|one| one["Resource"].to_string().contains(store))
                };
                let of_key = |action: &str| {
                    statements(role, action).iter().any(|one| one["Resource"].to_string().contains(key))
                };
                assert_eq!(of_key("kms:Decrypt"), of_store("s3:GetObject"), "{name} reads {store}");
                assert_eq!(of_key("kms:GenerateDataKey"), of_store("s3:PutObject"), "{name} writes {store}");
            }
        }
    }

    #[test]
    fn browser_credentials_read_no_attribute_that_spoils_the_exercise() {
        let identity = resources("nova-identity");
        let reads = statements(&identity["AuthenticatedRole"]["Properties"], "dynamodb:Query");
        assert_eq!(reads.len(), 1);
        for role in ["AuthenticatedRole", "UnauthenticatedRole"] {
            for action in ["dynamodb:GetItem", "dynamodb:Query"] {
                for statement in statements(&identity[role]["Properties"], action) {
                    let condition = &statement["Condition"];
                    assert_eq!(condition["StringEquals"]["dynamodb:Select"], "SPECIFIC_ATTRIBUTES", "{role}");
                    assert_eq!(condition["Null"]["dynamodb:Attributes"], "false", "{role}");
                    let allowed = &condition["ForAllValues:StringEquals"]["dynamodb:Attributes"];
                    let allowed: Vec<_> =
                        allowed.as_array().unwrap().iter().filter_map(Value::as_str).collect();
                    assert!(allowed.contains(&"imageId") && !allowed.contains(&"description"), "{allowed:?}");
                }
            }
            for action in ["dynamodb:BatchGetItem", "dynamodb:Scan"] {
                assert!(statements(&identity[role]["Properties"], action).is_empty(), "{role} {action}");
            }
        }
    }
}
