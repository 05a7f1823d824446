//! The replacement of the key of tickets: the function of the template, run against the local cloud as Secrets Manager would run it.

use std::{fs, process::Stdio};

use infra::{
    deploy::StackKind,
    local::{Cloud, CloudOptions, Progress, REGION, ministack},
};
use tokio::process::Command;

/// Makes a secret with one key, replaces it as often as the argument says, the first time before there is a service, and prints it before
/// and after each time. Every step is repeated, as Secrets Manager may do.
const DRIVER: &str = r#"
import os, sys, uuid
import botocore.session
import index

session = botocore.session.get_session()
cluster, service = os.environ["CLUSTER"], os.environ["SERVICE"]
ecs = session.create_client("ecs")
ecs.create_cluster(clusterName=cluster)
secrets = session.create_client("secretsmanager")
arn = secrets.create_secret(Name="nova/ticket-key", SecretString="first")["ARN"]
value = lambda: secrets.get_secret_value(SecretId=arn)["SecretString"]
print(value())
for turn in range(int(sys.argv[1])):
    if turn == 1:
        container = {"name": "nova-api", "image": "image", "memory": 8}
        task = ecs.register_task_definition(family="nova-api-task", containerDefinitions=[container])
        task = task["taskDefinition"]["taskDefinitionArn"]
        ecs.create_service(cluster=cluster, serviceName=service, taskDefinition=task, desiredCount=0)
    token = str(uuid.uuid4())
    for step in ["createSecret", "setSecret", "testSecret", "finishSecret"]:
        for _ in range(2):
            index.handler({"SecretId": arn, "ClientRequestToken": token, "Step": step}, None)
    print(value())
"#;

#[tokio::test]
async fn replaced_key_of_tickets_signs_only_when_every_task_knows_it() {
    let state = tempfile::tempdir().unwrap();
    let options =
        CloudOptions { state_dir: state.path().to_owned(), port: None, progress: Progress::silent() };
    let cloud = Cloud::start(&options).await.unwrap();
    let compute = StackKind::Compute.template().unwrap();
    let code = compute.resources["RotationFunction"]["Properties"]["Code"]["ZipFile"].as_str().unwrap();
    fs::write(state.path().join("index.py"), code).unwrap();
    // The local cloud has the library of AWS that Lambda's Python has.
    let python = ministack().command(&Progress::silent()).await.unwrap();
    let output = Command::new(python.as_std().get_program())
        .args(["-c", DRIVER, "4"])
        .env_clear()
        .envs(python.as_std().get_envs().filter_map(|(name, value)| Some((name, value?))))
        .env("PYTHONPATH", state.path())
        .env("AWS_ENDPOINT_URL", cloud.endpoint())
        .env("AWS_DEFAULT_REGION", REGION)
        .envs([("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test")])
        .envs([("CLUSTER", "nova-english-cluster"), ("SERVICE", "nova-api-service")])
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let values: Vec<Vec<&str>> = said.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!((values.len(), &values[0]), (5, &vec!["first"]));
    for pair in values.windows(2) {
        let (before, after) = (&pair[0], &pair[1]);
        assert!(
            before.contains(&after[0]) || before.len() == 1,
            "tasks that were not restarted reject {pair:?}"
        );
        assert!(after.contains(&before[0]), "restarted tasks reject {pair:?}");
        assert!(
            after.len() <= 3 && after[1..].iter().all(|key| key.len() >= 32 || *key == "first"),
            "{pair:?}"
        );
    }
    assert_eq!(values[1][0], "first", "the fresh key is not signed with before all tasks have it");
    assert!(!values[4].contains(&"first"), "{values:?}");
}
