//! All templates with their intrinsic functions resolved, as CloudFormation would resolve them on AWS. For tests of what a deployment
//! says. What AWS itself chooses, as the id of a user pool, is made from the logical id.

use std::collections::BTreeMap;

use saphyr::{LoadableYamlNode as _, Yaml};
use serde_json::{Map, Value, json};

use super::{Environment, StackKind, plan};
use crate::template::{json as to_json, text};

pub(super) const REGION: &str = "us-east-1";

pub(super) const ACCOUNT: &str = "123456789012";

/// A stack as it would be on AWS.
pub(super) struct ResolvedStack {
    pub(super) kind: StackKind,
    /// Resources whose condition holds, by logical id.
    pub(super) resources: BTreeMap<String, Value>,
}

/// All stacks of production.
pub(super) fn production() -> Vec<ResolvedStack> {
    resolved("prod")
}

/// All stacks of a stage.
pub(super) fn resolved(stage: &str) -> Vec<ResolvedStack> {
    resolved_with(stage, "")
}

/// The same with further parameters, each `, Name: value`.
pub(super) fn resolved_with(stage: &str, parameters: &str) -> Vec<ResolvedStack> {
    let environment = format!(
        "stage: {stage}\nregion: {REGION}\naccount: \"{ACCOUNT}\"\nparameters: {{ HostedZoneId: Z0123456789{parameters} }}"
    );
    let environment = Environment::parse(&environment).unwrap();
    let image = format!("{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/nova-api@sha256:{}", "0".repeat(64));
    let mut provided: BTreeMap<String, String> = [
        ("Env", "production"),
        ("Image", &image),
        ("CodeBucket", "artifacts"),
        ("CodeKey", "functions/x.zip"),
        ("FunctionArchitecture", "x86_64"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    provided.extend(super::page_parameters());
    let mut exports = BTreeMap::new();
    let stacks = plan(&environment, StackKind::all(), &provided).unwrap();
    stacks
        .into_iter()
        .map(|stack| {
            let document = Yaml::load_from_str(stack.template.body).unwrap();
            let document = to_json(&document[0]);
            let stack = Resolver { document: &document, given: &stack.parameters, exports: &exports }
                .stack(stack.kind);
            exports.extend(stack.1);
            stack.0
        })
        .collect()
}

struct Resolver<'a> {
    document: &'a Value,
    given: &'a BTreeMap<String, String>,
    exports: &'a BTreeMap<String, String>,
}

impl Resolver<'_> {
    /// The stack and its exports.
    fn stack(&self, kind: StackKind) -> (ResolvedStack, BTreeMap<String, String>) {
        let resources = self.document["Resources"].as_object().unwrap();
        let holds = |one: &Value| one["Condition"].as_str().is_none_or(|name| self.condition(name));
        let resources = resources.iter().filter(|(_, one)| holds(one));
        let resources = resources.map(|(name, one)| (name.clone(), self.value(one))).collect();
        let mut exports = BTreeMap::new();
        for (_, output) in self.document["Outputs"].as_object().into_iter().flatten() {
            let value = text(&self.value(&output["Value"]));
            if let Some(export) = self.value(&output["Export"]["Name"]).as_str() {
                exports.insert(export.to_owned(), value);
            }
        }
        (ResolvedStack { kind, resources }, exports)
    }

    fn condition(&self, name: &str) -> bool {
        self.holds(&self.document["Conditions"][name])
    }

    fn holds(&self, condition: &Value) -> bool {
        let (name, argument) = condition.as_object().and_then(|map| map.iter().next()).unwrap();
        let all = || argument.as_array().unwrap().iter();
        match name.as_str() {
            "Fn::Equals" => text(&self.value(&argument[0])) == text(&self.value(&argument[1])),
            "Fn::Not" => !self.holds(&argument[0]),
            "Fn::And" => all().all(|one| self.holds(one)),
            "Fn::Or" => all().any(|one| self.holds(one)),
            "Fn::Condition" => self.condition(argument.as_str().unwrap()),
            other => panic!("unknown condition {other}"),
        }
    }

    fn value(&self, value: &Value) -> Value {
        match value {
            Value::Object(map) => match map.iter().next() {
                Some((name, argument)) if map.len() == 1 && name.starts_with("Fn::") => {
                    self.function(name, argument)
                }
                _ => {
                    let entries = map.iter().map(|(key, value)| (key.clone(), self.value(value)));
                    Value::Object(entries.filter(|(_, value)| !value.is_null()).collect::<Map<_, _>>())
                }
            },
            Value::Array(items) => {
                items.iter().map(|item| self.value(item)).filter(|item| !item.is_null()).collect()
            }
            scalar @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => scalar.clone(),
        }
    }

    fn function(&self, name: &str, argument: &Value) -> Value {
        match name {
            "Fn::Ref" => self.reference(argument.as_str().unwrap()),
            "Fn::GetAtt" => {
                let (resource, attribute) = argument.as_str().unwrap().split_once('.').unwrap();
                self.attribute(resource, attribute)
            }
            "Fn::Sub" => Value::String(match argument.as_array() {
                Some(parts) => self.substitute(parts[0].as_str().unwrap(), &parts[1]),
                None => self.substitute(argument.as_str().unwrap(), &Value::Null),
            }),
            "Fn::ImportValue" => {
                let name = text(&self.value(argument));
                let value = self.exports.get(&name);
                Value::String(value.unwrap_or_else(|| panic!("no stack before exports {name}")).clone())
            }
            "Fn::If" => {
                let holds = self.condition(argument[0].as_str().unwrap());
                self.value(&argument[if holds { 1 } else { 2 }])
            }
            "Fn::Join" => {
                let items = self.value(&argument[1]);
                let items: Vec<String> = items.as_array().unwrap().iter().map(text).collect();
                Value::String(items.join(argument[0].as_str().unwrap()))
            }
            "Fn::Split" => {
                let whole = text(&self.value(&argument[1]));
                whole.split(argument[0].as_str().unwrap()).map(|part| json!(part)).collect()
            }
            other => panic!("unknown function {other}"),
        }
    }

    fn reference(&self, name: &str) -> Value {
        match name {
            "AWS::NoValue" => return Value::Null,
            "AWS::AccountId" => return json!(ACCOUNT),
            "AWS::Region" => return json!(REGION),
            "AWS::Partition" => return json!("aws"),
            "AWS::URLSuffix" => return json!("amazonaws.com"),
            _ => {}
        }
        let parameter = &self.document["Parameters"][name];
        if parameter.is_object() {
            let given = self.given.get(name).cloned();
            let value = given.unwrap_or_else(|| text(&parameter["Default"]));
            return if parameter["Type"] == "CommaDelimitedList" {
                value.split(',').collect()
            } else {
                json!(value)
            };
        }
        let (kind, properties) = self.resource(name);
        let named = |property: &str| text(&self.value(&properties[property]));
        json!(match kind {
            "AWS::DynamoDB::GlobalTable" => named("TableName"),
            "AWS::S3::Bucket" => named("BucketName"),
            "AWS::SQS::Queue" =>
                format!("https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{}", named("QueueName")),
            "AWS::SNS::Topic" => format!("arn:aws:sns:{REGION}:{ACCOUNT}:{}", named("TopicName")),
            "AWS::Events::EventBus" | "AWS::Lambda::Function" =>
                named(if kind.ends_with("Bus") { "Name" } else { "FunctionName" }),
            "AWS::Logs::LogGroup" => named("LogGroupName"),
            "AWS::ECS::Cluster" => named("ClusterName"),
            "AWS::ElastiCache::SubnetGroup" => named("CacheSubnetGroupName"),
            "AWS::SES::EmailIdentity" => named("EmailIdentity"),
            "AWS::SecretsManager::Secret" => self.arn(kind, name, properties),
            _ => name.to_owned(),
        })
    }

    fn attribute(&self, name: &str, attribute: &str) -> Value {
        let (kind, properties) = self.resource(name);
        json!(match (kind, attribute) {
            (_, "Arn") | ("AWS::SecretsManager::Secret", "Id") => self.arn(kind, name, properties),
            ("AWS::SQS::Queue", "QueueName") => text(&self.value(&properties["QueueName"])),
            _ => format!("{name}.{attribute}"),
        })
    }

    fn arn(&self, kind: &str, name: &str, properties: &Value) -> String {
        let named = |property: &str| text(&self.value(&properties[property]));
        let of = |service: &str, rest: String| format!("arn:aws:{service}:{REGION}:{ACCOUNT}:{rest}");
        match kind {
            "AWS::SQS::Queue" => of("sqs", named("QueueName")),
            "AWS::S3::Bucket" => format!("arn:aws:s3:::{}", named("BucketName")),
            "AWS::DynamoDB::GlobalTable" => of("dynamodb", format!("table/{}", named("TableName"))),
            "AWS::Events::EventBus" => of("events", format!("event-bus/{}", named("Name"))),
            "AWS::Cognito::UserPool" => of("cognito-idp", format!("userpool/{REGION}_{name}")),
            "AWS::KMS::Key" => of("kms", format!("key/{name}")),
            "AWS::SecretsManager::Secret" => of("secretsmanager", format!("secret:{}-AbCdEf", named("Name"))),
            "AWS::ECR::Repository" => of("ecr", format!("repository/{}", named("RepositoryName"))),
            "AWS::Lambda::Function" => of("lambda", format!("function:{}", named("FunctionName"))),
            "AWS::IAM::Role" => format!("arn:aws:iam::{ACCOUNT}:role/{name}"),
            other => of("other", format!("{other}/{name}")),
        }
    }

    fn resource(&self, name: &str) -> (&str, &Value) {
        let resource = &self.document["Resources"][name];
        let kind = resource["Type"].as_str();
        (kind.unwrap_or_else(|| panic!("there is no {name}")), &resource["Properties"])
    }

    fn substitute(&self, pattern: &str, own: &Value) -> String {
        let mut out = String::new();
        let mut rest = pattern;
        while let Some((before, after)) = rest.split_once("${") {
            let (name, after) = after.split_once('}').unwrap();
            out += before;
            out += &match (own.get(name), name.split_once('.')) {
                (Some(value), _) => text(&self.value(value)),
                (None, Some((resource, attribute))) => text(&self.attribute(resource, attribute)),
                (None, None) => text(&self.reference(name)),
            };
            rest = after;
        }
        out + rest
    }
}
