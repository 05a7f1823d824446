//! The whole deployment on the local cloud: all stacks, the page and the pictures, an update, a refused and a failed one.

use std::{collections::BTreeMap, fs};

use aws_config::Region;
use aws_sdk_cloudformation::types::StackStatus;
use infra::{
    deploy::{
        Artifacts, DeployOptions, Deployment, DeploymentTarget as Target, Environment, Function,
        ImageArtifact, PlannedStack, StackKind, StackOutcome, Template, apply,
    },
    local::{ACCOUNT, Cloud, CloudOptions, Progress},
};

const ENVIRONMENT: &str = r#"
stage: prod
region: us-east-1
account: "000000000000"
parameters: { HostedZoneId: ZONE }
stacks: { api: { TasksMax: 4 } }
"#;

const ZONE: &str = "
Resources:
  Zone: { Type: 'AWS::Route53::HostedZone', Properties: { Name: nova-english.com } }
Outputs:
  Id: { Value: !Ref Zone }
";

const TABLE: &str = "
Parameters:
  Name: { Type: String }
Resources:
  Table:
    Type: AWS::DynamoDB::Table
    Properties:
      TableName: !Ref Name
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{ AttributeName: id, AttributeType: S }]
      KeySchema: [{ AttributeName: id, KeyType: HASH }]
";

/// Its second version has a resource that fails.
const BROKEN: &str = "
Parameters:
  Name: { Type: String }
Resources:
  Queue: { Type: 'AWS::SQS::Queue', Properties: { QueueName: !Ref Name } }
  Alias: { Type: 'AWS::Route53::RecordSet', Properties: { HostedZoneId: ZMISSING, Name: a.b.example, Type: A, TTL: '60', ResourceRecords: [127.0.0.1] } }
";

const SOUND: &str = "
Parameters:
  Name: { Type: String }
Resources:
  Queue: { Type: 'AWS::SQS::Queue', Properties: { QueueName: !Ref Name } }
Outputs:
  Url: { Value: !Ref Queue }
";

async fn cloud(state: &tempfile::TempDir) -> Cloud {
    let options =
        CloudOptions { state_dir: state.path().to_owned(), port: None, progress: Progress::silent() };
    Cloud::start(&options).await.unwrap()
}

fn stack(name: &str, body: &'static str, parameters: &[(&str, &str)]) -> PlannedStack {
    PlannedStack {
        kind: StackKind::Data,
        name: name.to_owned(),
        template: Template::parse(body).unwrap(),
        parameters: parameters.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
    }
}

async fn apply_to(cloud: &Cloud, stack: &PlannedStack) -> anyhow::Result<StackOutcome> {
    let client = aws_sdk_cloudformation::Client::new(&cloud.root());
    apply(&client, stack, DeployOptions::default(), &Progress::silent()).await
}

/// A local cloud with a hosted zone, and a build of the page.
struct Place {
    cloud: Cloud,
    zone: String,
    state: tempfile::TempDir,
}

type Changes = BTreeMap<String, Vec<String>>;

impl Place {
    async fn open() -> Self {
        let state = tempfile::tempdir().unwrap();
        let cloud = cloud(&state).await;
        let zone = apply_to(&cloud, &stack("zone", ZONE, &[])).await.unwrap().outputs["Id"].clone();
        let page = state.path().join("page");
        fs::create_dir_all(page.join("assets")).unwrap();
        for (name, content) in [("index.html", "<html>"), ("assets/a-1.js", "1"), ("assets/a-1.js.br", "b")] {
            fs::write(page.join(name), content).unwrap();
        }
        Self { cloud, zone, state }
    }

    fn environment(&self, api: &str) -> Environment {
        let yaml = ENVIRONMENT.replace("ZONE", &self.zone).replace("TasksMax: 4", api);
        Environment::parse(&yaml).unwrap()
    }

    /// Deploys and returns the outputs, and the changes by stack.
    async fn deploy(&self, environment: &Environment) -> anyhow::Result<(BTreeMap<String, String>, Changes)> {
        let function = Function {
            archive: archive(),
            key: "functions/sign_up/1.zip".to_owned(),
            architecture: "x86_64",
        };
        let image = format!("{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/nova-api@sha256:{}", "0".repeat(64));
        let deployment = Deployment {
            environment,
            options: DeployOptions { termination_protection: true, ..DeployOptions::default() },
            target: Target::Local,
            artifacts: Artifacts {
                image: ImageArtifact::Pushed(image),
                function,
                page: &self.state.path().join("page"),
            },
        };
        let sdk = self.cloud.root().into_builder().region(Region::new(environment.region.clone())).build();
        let s3 = aws_sdk_s3::config::Builder::from(&sdk).force_path_style(true).build();
        let s3 = aws_sdk_s3::Client::from_conf(s3);
        let mut changed = BTreeMap::new();
        let report = |stack: &PlannedStack, outcome: &StackOutcome| {
            changed.insert(stack.name.clone(), outcome.changes.clone());
        };
        let outputs = deployment.run(&sdk, &s3, &Progress::silent(), report).await?;
        Ok((outputs, changed))
    }
}

#[tokio::test]
async fn all_stacks_are_created_updated_and_left_alone() {
    let place = Place::open().await;
    let (outputs, created) = place.deploy(&place.environment("TasksMax: 4")).await.unwrap();
    assert_eq!(created.len(), StackKind::all().count());
    assert!(created.values().all(|changes| !changes.is_empty()), "{created:?}");
    let (s3, bucket) = (place.cloud.s3(), &outputs["PageBucket"]);
    let html = s3.get_object().bucket(bucket).key("index.html").send().await.unwrap();
    assert_eq!(html.cache_control(), Some("public, max-age=3600"));
    assert_eq!(html.content_type(), Some("text/html"));
    let listed = s3.list_objects_v2().bucket(bucket).send().await.unwrap();
    let keys: Vec<&str> = listed.contents().iter().filter_map(|object| object.key()).collect();
    assert_eq!(keys, ["assets/a-1.js", "index.html"]);

    let (_, unchanged) = place.deploy(&place.environment("TasksMax: 4")).await.unwrap();
    assert!(unchanged.values().all(Vec::is_empty), "{unchanged:?}");

    let more = place.environment("TasksMax: 4, ConversationsPerTask: 90");
    let (_, updated) = place.deploy(&more).await.unwrap();
    let updated: Vec<&str> =
        updated.iter().filter(|(_, changes)| !changes.is_empty()).map(|(name, _)| name.as_str()).collect();
    assert_eq!(updated, ["nova-api"]);

    let cloudformation = aws_sdk_cloudformation::Client::new(&place.cloud.root());
    let refused = cloudformation.delete_stack().stack_name("nova-edge").send().await;
    assert!(format!("{:?}", refused.unwrap_err()).contains("rotection"));

    let mut elsewhere = place.environment("TasksMax: 4");
    elsewhere.account = "123456789012".to_owned();
    let error = place.deploy(&elsewhere).await.unwrap_err();
    assert!(error.to_string().contains("those of the account 000000000000"), "{error}");
}

#[tokio::test]
async fn two_stages_and_the_standby_region_share_no_name() {
    let place = Place::open().await;
    let (outputs, _) = place.deploy(&place.environment("TasksMax: 4")).await.unwrap();
    let mut staging = place.environment("TasksMax: 4");
    staging.stage = "staging".to_owned();
    let domain = serde_json::Value::from("staging.nova-english.com");
    staging.parameters.insert("DomainName".to_owned(), domain);
    let (staged, created) = place.deploy(&staging).await.unwrap();
    assert_eq!(created.len(), StackKind::all().count());
    let shared: Vec<&String> =
        outputs.iter().filter(|(key, value)| staged.get(*key) == Some(value)).map(|(key, _)| key).collect();
    assert_eq!(shared, ["LoadBalancerZoneId"], "the stages share what AWS itself owns");

    let mut standby = place.environment("TasksMax: 4");
    (standby.region, standby.edge) = ("us-west-2".to_owned(), false);
    let (_, created) = place.deploy(&standby).await.unwrap();
    assert_eq!(created.len(), StackKind::all().count() - 1);
}

#[tokio::test]
async fn replacement_of_a_table_is_refused_without_the_option() {
    let state = tempfile::tempdir().unwrap();
    let cloud = cloud(&state).await;
    apply_to(&cloud, &stack("tables", TABLE, &[("Name", "one")])).await.unwrap();
    let renamed = stack("tables", TABLE, &[("Name", "two")]);
    let error = apply_to(&cloud, &renamed).await.unwrap_err();
    assert!(error.to_string().contains("would lose data"), "{error}");
    assert!(error.to_string().contains("Table (AWS::DynamoDB::Table, replaced)"), "{error}");
    let client = aws_sdk_cloudformation::Client::new(&cloud.root());
    let options = DeployOptions { allow_replacement: true, ..DeployOptions::default() };
    let outcome = apply(&client, &renamed, options, &Progress::silent()).await.unwrap();
    assert_eq!(outcome.changes.len(), 1);
}

#[tokio::test]
async fn failed_change_is_rolled_back_and_named() {
    let state = tempfile::tempdir().unwrap();
    let cloud = cloud(&state).await;
    let error = apply_to(&cloud, &stack("first", BROKEN, &[("Name", "a")])).await.unwrap_err();
    assert!(error.to_string().contains("Alias: "), "{error}");
    // What is left of a creation that failed does not keep the next one from succeeding.
    apply_to(&cloud, &stack("first", SOUND, &[("Name", "a")])).await.unwrap();
    let error = apply_to(&cloud, &stack("first", BROKEN, &[("Name", "a")])).await.unwrap_err();
    assert!(error.to_string().contains("Alias: "), "{error}");
    let client = aws_sdk_cloudformation::Client::new(&cloud.root());
    let stacks = client.describe_stacks().stack_name("first").send().await.unwrap();
    assert_eq!(stacks.stacks()[0].stack_status(), Some(&StackStatus::UpdateRollbackComplete));
    // A stack that was rolled back can be updated.
    let outcome = apply_to(&cloud, &stack("first", SOUND, &[("Name", "a")])).await.unwrap();
    assert_eq!(outcome.changes, Vec::<String>::new());
}

/// A program that a function of the local cloud could run.
fn archive() -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    zip.start_file(
        "bootstrap",
        zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored),
    )
    .unwrap();
    std::io::Write::write_all(&mut zip, b"#!/bin/sh\n").unwrap();
    zip.finish().unwrap().into_inner()
}
