//! The real analysis worker on virtual time, before models of Bedrock that refuse a parameter of the request or write careless
//! JSON.

use std::time::Duration;

use events::{
    contract::{ConversationId, StoredAnalysis},
    document,
    pipeline::names::analysis_key,
    runtime::delivery::FAILURES_MAX,
    workers::Worker,
};
use tests::{
    deployment::{LOGS, config},
    model::Cloud,
};
use workers::analysis::{Analyses, Config};

use crate::small_scale::{self, LEARNER, Running};

const QUEUE: &str = "nova-analysis";

/// A conversation whose event waits in the queue of the worker.
async fn waiting(cloud: &Cloud) -> ConversationId {
    let completed = small_scale::ended(cloud).await;
    cloud.send(QUEUE, &completed.encode());
    completed.event.conversation_id().expect("it is of a conversation")
}

async fn start(cloud: &Cloud, name: &str, settings: &[(&str, &str)]) -> Running {
    let sdk = cloud.sdk_config(name);
    let settings = [&[("NOVA_ANALYSIS_MODEL_ID", "model")], settings].concat();
    let config: Config = config(Worker::Analysis, &settings);
    let handler = Analyses::start(&config, &sdk).await.expect("the stores exist");
    Running::start(Worker::Analysis, sdk, handler)
}

/// Waits until the queue of the worker is empty. Returns the stored assessment.
async fn assessed(cloud: &Cloud, id: ConversationId) -> StoredAnalysis {
    let is_empty = || cloud.state().sqs.queues[QUEUE].messages.is_empty();
    let emptied = tokio::time::timeout(Duration::from_secs(3600), async {
        while !is_empty() {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    });
    emptied.await.expect("the message is handled");
    let key = analysis_key(&LEARNER.parse().expect("a valid user id"), id);
    let state = cloud.state();
    assert_eq!(dead_letters(&state), 0);
    let stored = &state.s3.objects[&(LOGS.to_owned(), key)];
    let content = document::read(&stored.body).expect("it is compressed");
    serde_json::from_slice(&content).expect("it is an analysis")
}

fn dead_letters(state: &tests::model::State) -> usize {
    state.sqs.queues[&format!("{QUEUE}-dlq")].messages.len()
}

#[test]
fn refused_parameter_opens_the_breaker_and_costs_no_message() {
    small_scale::runtime().block_on(Box::pin(async {
        let (cloud, _world) = small_scale::cloud(1);
        cloud.state().bedrock.refuses_sampling = true;
        let id = waiting(&cloud).await;
        let wrong = start(&cloud, "analysis-1", &[("NOVA_ANALYSIS_TEMPERATURE", "0")]).await;
        tokio::time::sleep(Duration::from_secs(3600)).await;
        {
            let state = cloud.state();
            assert_eq!((state.sqs.queues[QUEUE].messages.len(), dead_letters(&state)), (1, 0));
            let refused = state.bedrock.refused;
            // More often than failures of a message would allow, and at the pace of the breaker's probes.
            assert!((2 * FAILURES_MAX..600).contains(&refused), "{refused} requests in an hour");
        }
        wrong.stop().await;
        // The operator removes the parameter.
        let right = start(&cloud, "analysis-2", &[]).await;
        assessed(&cloud, id).await;
        right.stop().await;
    }));
}

#[test]
fn careless_json_of_the_model_costs_one_request_and_is_assessed() {
    small_scale::runtime().block_on(Box::pin(async {
        let (cloud, _world) = small_scale::cloud(1);
        cloud.state().bedrock.is_careless = true;
        let id = waiting(&cloud).await;
        let worker = start(&cloud, "analysis", &[]).await;
        let stored = assessed(&cloud, id).await;
        assert_eq!(stored.assessment.overall, 64);
        assert_eq!(stored.assessment.next_objective, "Tell a story \u{fffd}.");
        let place = stored.assessment.skills.fluency.evidence[0].place.expect("a quote has a place");
        assert_eq!((place.turn, place.start), (0, 0));
        assert_eq!(cloud.state().bedrock.answers.values().sum::<u32>(), 1, "no repair is paid");
        worker.stop().await;
    }));
}
