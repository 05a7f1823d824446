//! The steps of a failover on two regions of the local cloud: what they change, that they may be repeated, and that a dry run changes
//! nothing. The local cloud starts no tasks, so stacks with the same parameters stand for the services. Each region has its own
//! tables: the local cloud's replica would be the same table.

use std::{collections::BTreeMap, net::IpAddr, time::Duration};

use aws_config::{Region, SdkConfig};
use events::workers::Worker;
use infra::{
    deploy::{DeployOptions, PlannedStack, StackKind, Template, apply, parameters},
    failover::{Failover, FailoverRegion, FailoverStep},
    local::{Cloud, CloudOptions, Outputs, Progress},
};

/// A service with the parameters of the templates of tasks.
const SERVICE: &str = "
Parameters:
  TasksMin: { Type: Number, Default: 1 }
  TasksDesired: { Type: Number, Default: 1 }
  TasksMax: { Type: Number, Default: 4 }
  Name: { Type: String }
Resources:
  Service:
    Type: AWS::SQS::Queue
    Properties:
      QueueName: !Ref Name
      Tags: [{ Key: tasks, Value: !Sub '${TasksMin} ${TasksDesired} ${TasksMax}' }]
Outputs:
  ServiceName: { Value: !Ref Name }
";

async fn table(sdk: &SdkConfig, name: &str, keys: &[(&str, &str)]) {
    use aws_sdk_dynamodb::types::{
        AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
    };
    let mut create = aws_sdk_dynamodb::Client::new(sdk).create_table().table_name(name);
    for (index, (key, kind)) in keys.iter().enumerate() {
        let kind = ScalarAttributeType::from(*kind);
        let attribute =
            AttributeDefinition::builder().attribute_name(*key).attribute_type(kind).build().unwrap();
        let role = if index == 0 { KeyType::Hash } else { KeyType::Range };
        let schema = KeySchemaElement::builder().attribute_name(*key).key_type(role).build().unwrap();
        create = create.attribute_definitions(attribute).key_schema(schema);
    }
    create.billing_mode(BillingMode::PayPerRequest).send().await.unwrap();
}

/// The outputs of a standby: only the tables matter.
fn outputs() -> Outputs {
    let name = |name: &str| format!("nova-{name}");
    Outputs {
        users_table: name("users"),
        sessions_table: name("sessions"),
        conversations_table: name("conversations"),
        images_table: name("images"),
        user_progress_table: name("user-progress"),
        effects_table: name("effects"),
        logs_bucket: String::new(),
        audio_bucket: String::new(),
        images_bucket: String::new(),
        bus_name: String::new(),
        queues: BTreeMap::new(),
        events_dead_letter_url: String::new(),
        critical_topic: String::new(),
        warning_topic: String::new(),
        info_topic: String::new(),
        user_pool_id: String::new(),
        client_id: String::new(),
        sign_up_function: String::new(),
        identity_pool_id: String::new(),
        roles: BTreeMap::new(),
    }
}

fn services() -> impl Iterator<Item = StackKind> {
    [StackKind::Api].into_iter().chain(Worker::ALL.map(StackKind::Worker))
}

/// A region with all services, and with its own tables.
async fn region(cloud: &Cloud, name: &str) -> FailoverRegion {
    let sdk = cloud.root().into_builder().region(Region::new(name.to_owned())).build();
    let client = aws_sdk_cloudformation::Client::new(&sdk);
    for kind in services() {
        let stack = PlannedStack {
            kind,
            name: kind.stack_name("nova"),
            template: Template::parse(SERVICE).unwrap(),
            parameters: [("Name".to_owned(), kind.stack_name("nova"))].into(),
        };
        apply(&client, &stack, DeployOptions::default(), &Progress::silent()).await.unwrap();
    }
    let outputs = outputs();
    table(&sdk, &outputs.users_table, &[("userId", "S")]).await;
    table(&sdk, &outputs.sessions_table, &[("userId", "S"), ("sessionId", "S")]).await;
    table(&sdk, &outputs.conversations_table, &[("sessionId", "S"), ("timestamp", "N")]).await;
    table(&sdk, &outputs.user_progress_table, &[("userId", "S"), ("date", "S")]).await;
    table(&sdk, &outputs.effects_table, &[("effectId", "S")]).await;
    FailoverRegion { name: name.to_owned(), sdk, prefix: "nova".to_owned() }
}

/// `TasksMin`, `TasksDesired` and `TasksMax` of the ingress and of a worker.
async fn tasks(region: &FailoverRegion) -> [[String; 3]; 2] {
    let client = aws_sdk_cloudformation::Client::new(&region.sdk);
    let mut all = Vec::new();
    for kind in [StackKind::Api, StackKind::Worker(Worker::Progress)] {
        let found = parameters(&client, &kind.stack_name("nova")).await.unwrap();
        all.push(["TasksMin", "TasksDesired", "TasksMax"].map(|name| found[name].clone()));
    }
    all.try_into().unwrap()
}

fn numbers(numbers: [[u32; 3]; 2]) -> [[String; 3]; 2] {
    numbers.map(|of| of.map(|number| number.to_string()))
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[tokio::test]
async fn steps_of_a_failover_stop_one_region_and_start_the_other_once() {
    let state = tempfile::tempdir().unwrap();
    let options =
        CloudOptions { state_dir: state.path().to_owned(), port: None, progress: Progress::silent() };
    let cloud = Cloud::start(&options).await.unwrap();
    let (primary, standby) = (region(&cloud, "us-east-1").await, region(&cloud, "us-west-2").await);
    let mut failover = Failover {
        primary: Some(primary.clone()),
        standby: standby.clone(),
        outputs: outputs(),
        tasks: 3,
        replication_timeout: Duration::from_secs(2),
        name_timeout: Duration::from_secs(2),
        apply: false,
    };
    let progress = Progress::silent();
    let before = numbers([[1, 1, 4], [1, 1, 4]]);
    let services = services().count();
    let dry = failover.stop_primary(&progress).await.unwrap();
    assert_eq!(dry, format!("us-east-1: {services} services would be changed, 0 were like that already"));
    failover.start_standby(&progress).await.unwrap();
    assert_eq!((tasks(&primary).await, tasks(&standby).await), (before.clone(), before.clone()));

    failover.apply = true;
    failover.stop_primary(&progress).await.unwrap();
    assert_eq!((tasks(&primary).await, tasks(&standby).await), (numbers([[0; 3]; 2]), before.clone()));
    let again = failover.stop_primary(&progress).await.unwrap();
    assert_eq!(again, format!("us-east-1: 0 services changed, {services} were like that already"));

    // Nothing replicates these tables, so the check ends at its limit and the advice says how to go on.
    let error = failover.check_replication().await.unwrap_err().to_string();
    assert!(error.contains("has not arrived in us-west-2 after 2 s"), "{error}");
    assert!(FailoverStep::CheckReplication.advice().contains("--primary-lost"));
    let lost = Failover { primary: None, ..failover };
    assert!(lost.stop_primary(&progress).await.unwrap().contains("left alone"));
    assert!(lost.check_replication().await.unwrap().contains("is lost"));

    lost.start_standby(&progress).await.unwrap();
    assert_eq!(tasks(&standby).await, numbers([[3, 3, 10], [1, 1, 6]]));

    // The record of Route 53 leads to the standby from the second look on.
    let mut looks = 0;
    let switched = lost.switch_name(("api.nova.example", "standby"), async |name: &str| {
        looks += 1;
        let is_switched = name == "standby" || looks > 2;
        Ok([address(if is_switched { "192.0.2.2" } else { "192.0.2.1" })].into())
    });
    assert_eq!(switched.await.unwrap(), "api.nova.example leads to the standby");
    let stuck = lost.switch_name(("api.nova.example", "standby"), async |name: &str| {
        Ok([address(if name == "standby" { "192.0.2.2" } else { "192.0.2.1" })].into())
    });
    assert!(stuck.await.unwrap_err().to_string().contains("and not to standby after 2 s"));
}
