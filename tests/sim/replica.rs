//! The erasure of an account deletes the copies of its documents in the other region, too.

use events::{pipeline::names::transcript_key, runtime::env, workers::Worker};
use tests::{
    deployment::{LOGS, USERS, config, create_queues_and_rules},
    model::Cloud,
};
use tokio::time::{Duration, Instant};
use workers::erasure::{Config, Erasure};

use crate::{
    account_deletion,
    plan::learner,
    small_scale::{self, Running},
};

const COPIES: &str = "nova-conversation-logs-copies";

/// An erasure settles for a second and sweeps until it finds nothing.
const ERASED_WITHIN: Duration = Duration::from_secs(600);

async fn put(cloud: &Cloud, bucket: &str, number: u32) {
    let s3 = aws_sdk_s3::Client::new(&cloud.sdk_config("transcript"));
    let id = events::contract::ConversationId::new(env::now(), [7; 10]);
    let key = transcript_key(&learner(number), id);
    s3.put_object().bucket(bucket).key(key).body(vec![1].into()).send().await.expect("nothing fails");
}

/// The objects of the logs and of their copies that are left after the erasure of the first of two learners.
async fn left(replica: &str) -> (usize, usize) {
    let (cloud, _world) = small_scale::cloud(1);
    cloud.state().create_bucket(COPIES);
    create_queues_and_rules(&mut cloud.state(), &[Worker::Erasure]);
    account_deletion::sign_up(&cloud).await;
    for bucket in [LOGS, COPIES] {
        put(&cloud, bucket, 0).await;
        put(&cloud, bucket, 1).await;
    }
    let settings: Config = config(
        Worker::Erasure,
        &[
            ("NOVA_ERASURE_SETTLE_SECONDS", "1"),
            ("NOVA_REPLICA_REGION", replica),
            ("NOVA_REPLICA_LOGS_BUCKET", COPIES),
        ],
    );
    let sdk = cloud.sdk_config("erasure");
    let handler = Erasure::start(&settings, &sdk).await.expect("the stores exist");
    let erasure = Running::start(Worker::Erasure, sdk, handler);
    let accounts = account_deletion::open(&cloud.sdk_config("ingress"));
    let user = accounts.users.get(&learner(0)).await.ok().flatten().expect("the learner has a record");
    accounts.request_deletion(&user, env::now()).await.expect("nothing fails");
    let deadline = Instant::now() + ERASED_WITHIN;
    let is_there = || {
        let key = (learner(0).to_string(), String::new());
        cloud.state().dynamodb.tables[USERS].items.contains_key(&key)
    };
    while is_there() {
        assert!(Instant::now() < deadline, "the account is not deleted");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    erasure.stop().await;
    let state = cloud.state();
    let count = |of: &str| state.s3.objects.keys().filter(|(bucket, _)| bucket == of).count();
    (count(LOGS), count(COPIES))
}

#[test]
fn erasure_deletes_in_both_regions() {
    let left = |replica| small_scale::runtime().block_on(Box::pin(left(replica)));
    assert_eq!(left("us-west-2"), (1, 1), "only the other learner's documents are left");
    assert_eq!(left(""), (1, 2), "without another region nothing is deleted there");
}
