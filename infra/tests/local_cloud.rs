//! The local cloud as the tests and the demo rely on it: what the templates demand is there, each service has its own
//! permissions, and nothing outlives its owner.

#![expect(clippy::unwrap_used, reason = "these are tests, with their helpers")]

#[path = "local_cloud/deployment.rs"]
mod deployment;
#[path = "local_cloud/failover.rs"]
mod failover;
#[path = "local_cloud/image.rs"]
mod image;
#[path = "local_cloud/pictures.rs"]
mod pictures;
#[path = "local_cloud/ticket_key.rs"]
mod ticket_key;

use std::{fs::File, io::Read as _, process::Command, sync::Arc, time::Duration};

use aws_config::SdkConfig;
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_sdk_cognitoidentityprovider::operation::{
    forgot_password::ForgotPasswordError, sign_up::SignUpError,
};
use aws_sdk_dynamodb::types::TimeToLiveStatus;
use aws_sdk_sqs::types::QueueAttributeName;
use events::workers::{Resource, Worker};
use infra::local::{
    Binaries, Cloud, CloudOptions, CredentialServer, Outputs, Process, ProcessGroup, Progress, Service,
    build, deploy, http_client,
};
use serde::Deserialize;
use tempfile::TempDir;
use tokio::sync::OnceCell;

struct Local {
    cloud: Cloud,
    outputs: Outputs,
    _state: TempDir,
}

async fn local() -> Local {
    let state = tempfile::tempdir().unwrap();
    let options =
        CloudOptions { state_dir: state.path().to_owned(), port: None, progress: Progress::silent() };
    let cloud = Cloud::start(&options).await.unwrap();
    static BUILT: OnceCell<Binaries> = OnceCell::const_new();
    let binaries = BUILT.get_or_init(|| async { build(&Progress::silent()).await.unwrap() }).await;
    let outputs = deploy(&cloud.root(), cloud.endpoint(), binaries, &Progress::silent()).await.unwrap();
    Local { cloud, outputs, _state: state }
}

#[tokio::test]
async fn the_templates_are_deployed_with_all_they_demand() {
    let Local { cloud, outputs, _state } = local().await;
    let dynamodb = aws_sdk_dynamodb::Client::new(&cloud.root());
    let table = &outputs.conversations_table;
    let ttl = dynamodb.describe_time_to_live().table_name(table).send().await.unwrap();
    let ttl = ttl.time_to_live_description.unwrap();
    assert_eq!(ttl.attribute_name.as_deref(), Some("expiresAt"));
    assert_eq!(ttl.time_to_live_status, Some(TimeToLiveStatus::Enabled));
    let backups = dynamodb.describe_continuous_backups().table_name(table).send().await.unwrap();
    let recovery = backups.continuous_backups_description.unwrap().point_in_time_recovery_description;
    assert_eq!(recovery.unwrap().point_in_time_recovery_status.unwrap().as_str(), "ENABLED");
    let described = dynamodb.describe_table().table_name(table).send().await.unwrap().table.unwrap();
    assert_eq!(described.sse_description.unwrap().status.unwrap().as_str(), "ENABLED");

    let s3 = cloud.s3();
    let voices = s3.get_bucket_lifecycle_configuration().bucket(&outputs.audio_bucket).send().await.unwrap();
    assert_eq!(voices.rules()[0].expiration().unwrap().days(), Some(30));
    let logs = s3.get_bucket_lifecycle_configuration().bucket(&outputs.logs_bucket).send().await.unwrap();
    let [step] = logs.rules()[0].transitions() else { panic!("{logs:?}") };
    assert_eq!((step.days(), step.storage_class().unwrap().as_str()), (Some(90), "GLACIER_IR"));
    assert_eq!(logs.rules()[0].filter().unwrap().object_size_greater_than(), Some(131_072));
    let encryption = s3.get_bucket_encryption().bucket(&outputs.audio_bucket).send().await.unwrap();
    assert_eq!(encryption.server_side_encryption_configuration.unwrap().rules().len(), 1);

    let sqs = aws_sdk_sqs::Client::new(&cloud.root());
    for worker in Worker::ALL {
        let queue = outputs.queue(worker).unwrap();
        let attributes = sqs.get_queue_attributes().queue_url(&queue.url);
        let attributes = attributes.attribute_names(QueueAttributeName::All).send().await.unwrap();
        let attributes = attributes.attributes.unwrap();
        let visibility = worker.spec().visibility_seconds.to_string();
        assert_eq!(attributes[&QueueAttributeName::VisibilityTimeout], visibility, "{worker}");
        assert_eq!(attributes[&QueueAttributeName::MessageRetentionPeriod], "1209600", "{worker}");
        assert!(attributes[&QueueAttributeName::RedrivePolicy].contains(&format!("nova-{worker}-dlq")));
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Session {
    access_key_id: String,
    secret_access_key: String,
    token: String,
    expiration: jiff::Timestamp,
}

async fn session(server: &CredentialServer, service: Service) -> Session {
    let [(_, url), (_, token)] = server.environment(service).unwrap();
    let get = http_client().unwrap().get(url).header("Authorization", token);
    get.send().await.unwrap().error_for_status().unwrap().json().await.unwrap()
}

async fn as_service(cloud: &Cloud, server: &CredentialServer, service: Service) -> SdkConfig {
    let session = session(server, service).await;
    assert!(session.expiration > jiff::Timestamp::now());
    let (key, secret) = (session.access_key_id, session.secret_access_key);
    let credentials = Credentials::new(key, secret, Some(session.token), None, "test");
    let root = cloud.root().into_builder();
    root.credentials_provider(SharedCredentialsProvider::new(credentials)).build()
}

/// Whether the call is allowed. Another error than a refusal is none here.
fn is_allowed<T, E: std::fmt::Debug>(call: Result<T, E>, what: &str) -> bool {
    match call {
        Ok(_) => true,
        Err(error) => {
            let error = format!("{error:?}");
            // The list of a bucket is refused with a status and without a code.
            assert!(error.contains("AccessDenied") || error.contains("Forbidden"), "{what}: {error}");
            false
        }
    }
}

/// Every worker against the resources of all others: the list of workers says which are its own. Topics are left out: their default
/// policy lets the whole account publish, and the one in its place is for AWS only.
#[tokio::test]
async fn a_service_has_the_permissions_of_its_own_role_and_no_others() {
    let Local { cloud, outputs, _state } = local().await;
    let server = CredentialServer::start(&cloud.root(), &outputs, None).await.unwrap();
    for worker in Worker::ALL {
        let sdk = as_service(&cloud, &server, worker.into()).await;
        let needs = |resource: Resource| worker.spec().needs.contains(&resource);
        let sqs = aws_sdk_sqs::Client::new(&sdk);
        for of in Worker::ALL {
            let what = format!("{worker} and the queue of {of}");
            let queue = outputs.queue(of).unwrap();
            let received = sqs.receive_message().queue_url(&queue.url).wait_time_seconds(0).send().await;
            assert_eq!(is_allowed(received, &what), of == worker, "{what}");
            let dead =
                sqs.receive_message().queue_url(&queue.dead_letter_url).wait_time_seconds(0).send().await;
            assert!(!is_allowed(dead, &what), "{what}: dead letters");
            let sent = sqs.send_message().queue_url(&queue.url).message_body("{}").send().await;
            let sends = of == worker && matches!(worker, Worker::Watchdog | Worker::Erasure);
            assert_eq!(is_allowed(sent, &what), sends, "{what}: send");
        }
        let dynamodb = aws_sdk_dynamodb::Client::new(&sdk);
        for (table, resource) in [
            (&outputs.conversations_table, Resource::ConversationsTable),
            (&outputs.images_table, Resource::ImagesTable),
            (&outputs.users_table, Resource::UsersTable),
            (&outputs.user_progress_table, Resource::ProgressTable),
            (&outputs.effects_table, Resource::EffectsTable),
            (&outputs.sessions_table, Resource::SessionsTable),
        ] {
            let described = dynamodb.describe_table().table_name(table).send().await;
            assert_eq!(is_allowed(described, table), needs(resource), "{worker} and {table}");
            let scanned = dynamodb.scan().table_name(table).send().await;
            assert!(!is_allowed(scanned, table), "{worker} may scan {table}");
        }
        let s3 = aws_sdk_s3::config::Builder::from(&sdk).force_path_style(true).build();
        let s3 = aws_sdk_s3::Client::from_conf(s3);
        for (bucket, resource) in [
            (&outputs.logs_bucket, Resource::LogsBucket),
            (&outputs.audio_bucket, Resource::AudioBucket),
            (&outputs.images_bucket, Resource::ImagesBucket),
        ] {
            let listed = s3.list_objects_v2().bucket(bucket).send().await;
            assert_eq!(is_allowed(listed, bucket), needs(resource), "{worker} and {bucket}");
            let put = s3.put_object().bucket(bucket).key("other/key").send().await;
            assert!(!is_allowed(put, bucket), "{worker} may write anywhere in {bucket}");
        }
    }
}

#[tokio::test]
async fn credentials_are_given_for_the_right_token_only() {
    let Local { cloud, outputs, _state } = local().await;
    let server = CredentialServer::start(&cloud.root(), &outputs, None).await.unwrap();
    let [(_, url), _] = server.environment(Worker::Progress.into()).unwrap();
    let [_, (_, token_of_another)] = server.environment(Worker::Alerts.into()).unwrap();
    let http = http_client().unwrap();
    assert_eq!(http.get(&url).send().await.unwrap().status(), 401);
    let other = http.get(&url).header("Authorization", token_of_another).send().await.unwrap();
    assert_eq!(other.status(), 401);
    let first = session(&server, Worker::Progress.into()).await;
    let second = session(&server, Worker::Progress.into()).await;
    assert_eq!(first.access_key_id, second.access_key_id, "a session is used until it is about to end");
}

#[tokio::test]
async fn call_of_the_user_pool_without_the_secret_of_its_client_is_refused() {
    let Local { cloud, outputs, _state } = local().await;
    let cognito = aws_sdk_cognitoidentityprovider::Client::new(&cloud.root());
    let sign_up = cognito.sign_up().client_id(&outputs.client_id).username("learner@nova.example");
    let refused = sign_up.password("Speak-English-1").send().await.unwrap_err();
    assert!(refused.as_service_error().is_some_and(SignUpError::is_not_authorized_exception), "{refused:?}");
    let forgot = cognito.forgot_password().client_id(&outputs.client_id).username("learner@nova.example");
    let refused = forgot.send().await.unwrap_err();
    assert!(
        refused.as_service_error().is_some_and(ForgotPasswordError::is_not_authorized_exception),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_taken_port_is_an_error_with_the_log() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let state = tempfile::tempdir().unwrap();
    let options = CloudOptions {
        state_dir: state.path().to_owned(),
        port: Some(taken.local_addr().unwrap().port()),
        progress: Progress::silent(),
    };
    let error = Cloud::start(&options).await.unwrap_err();
    assert!(error.to_string().contains("the local cloud ended unexpectedly"), "{error}");
}

#[tokio::test]
async fn processes_end_with_their_group() {
    let state = tempfile::tempdir().unwrap();
    let pipe = state.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let group = Arc::new(ProcessGroup::new().unwrap());
    let mut shell = tokio::process::Command::new("sh");
    // The child of a child holds the pipe open: it would outlive a signal to its parent alone.
    shell.args(["-c", "sleep 1000 > \"$0\" & wait"]).arg(&pipe);
    let process = Process::spawn("sleep", shell, &state.path().join("sleep.log"), &group).unwrap();
    let within = Duration::from_secs(20);
    // Opening waits for a writer, reading to the end for the end of all writers.
    let open = tokio::task::spawn_blocking(move || File::open(&pipe).unwrap());
    let mut read = tokio::time::timeout(within, open).await.unwrap().unwrap();
    assert_eq!(process.status(), None);
    drop((process, group));
    let end = tokio::task::spawn_blocking(move || read.read_to_end(&mut Vec::new()).unwrap());
    assert_eq!(tokio::time::timeout(within, end).await.unwrap().unwrap(), 0);
}
