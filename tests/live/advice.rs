//! What a learner's assessments advise, on its way to the tutor of the next conversation: from the analysis worker
//! through its documents into the system prompt of the model.

#![expect(clippy::unwrap_used, clippy::panic, reason = "these are tests, with their helpers")]

use std::time::Duration;

use serde_json::{Value, json};
use tests::{
    live::{Live, LiveOptions, block_on},
    model::Outage,
};
use tokio::time::Instant;

use crate::{raw_client::RawClient, reader::Reader, workers};

/// What the model of the assessment says in `tests::model`, the objective first.
const ADVICE: &str = "- Tell a story.\n- Use the past tense.\n";

/// Begins a conversation and ends it. Returns the system prompt of its stream.
async fn system_prompt(live: &Live, user_id: &str) -> String {
    let known = live.simulator.streams_after(0).0;
    let (mut client, _) = RawClient::begin(live, &live.token(user_id).unwrap()).await;
    client.until("turn").await;
    let (_, streams) = live.simulator.streams_after(known);
    client.end().await;
    let [stream] = streams.as_slice() else { panic!("{} streams", streams.len()) };
    stream.system_prompt()
}

#[test]
fn tutor_knows_what_the_learner_was_advised_and_nobody_else_was() {
    block_on(async {
        let live = Live::start(LiveOptions::default()).await.unwrap();
        workers::connect(&live);
        let _workers = workers::start(&live).await;
        assert!(!system_prompt(&live, "learner-1").await.contains("assessment"));
        let id = crate::resources::converse(&live, "learner-1", "I see a market.").await;
        let results = format!("/api/conversations/{id}/results");
        Reader::learner(&live, "learner-1").follow(&results, "").await.rest().await.unwrap();

        let prompt = system_prompt(&live, "learner-1").await;
        assert!(prompt.ends_with(ADVICE), "{prompt}");
        assert!(!system_prompt(&live, "stranger").await.contains("assessment"));
        live.stop().await.unwrap();
    });
}

#[test]
fn assessment_judges_the_objectives_and_compares_with_stored_values() {
    block_on(async {
        let live = Live::start(LiveOptions::default()).await.unwrap();
        workers::connect(&live);
        let _workers = workers::start(&live).await;
        let learner = Reader::learner(&live, "learner-1");
        let assessed = async |words: &str| {
            let id = crate::resources::converse(&live, "learner-1", words).await;
            crate::resources::settled(&learner, id).await;
            let (status, view) = learner.get(&format!("/api/conversations/{id}/assessment")).await;
            assert_eq!(status, reqwest::StatusCode::OK, "{view}");
            (id.to_string(), view["assessment"].clone())
        };
        let (first_id, first) = assessed("I see a market.").await;
        let (_, picture) = learner.get("/api/pictures/street-market").await;
        let objectives = |assessment: &Value| {
            let results = assessment["objectives"].as_array().unwrap().iter();
            results.map(|result| result["objective"].clone()).collect::<Value>()
        };
        assert_eq!(objectives(&first), picture["objectives"]);
        let judged = &first["objectives"][0];
        assert_eq!((&judged["verdict"], &judged["quote"]), (&json!("partly_met"), &json!("I see a market.")));
        assert!(judged["place"]["turn"].is_u64(), "{judged}");
        assert_eq!(first["comparisons"], Value::Null, "there is nothing to compare with");

        let (_, second) = assessed("A man sells apples.").await;
        let comparisons = second["comparisons"].as_array().unwrap();
        let [comparison] = comparisons.as_slice() else { panic!("{comparisons:?}") };
        assert_eq!(
            (&comparison["conversationId"], &comparison["value"]),
            (&json!(first_id), &json!("overall"))
        );
        assert_eq!(comparison["earlier"].as_f64(), first["overall"].as_f64());
        assert_eq!(comparison["now"].as_f64(), second["overall"].as_f64());
        live.stop().await.unwrap();
    });
}

#[test]
fn tutor_begins_without_advice_that_cannot_be_read() {
    block_on(async {
        let live = Live::start(LiveOptions::default()).await.unwrap();
        workers::connect(&live);
        let _workers = workers::start(&live).await;
        let id = crate::resources::converse(&live, "learner-1", "I see a market.").await;
        let results = format!("/api/conversations/{id}/results");
        Reader::learner(&live, "learner-1").follow(&results, "").await.rest().await.unwrap();

        {
            let mut state = live.cloud.state();
            let since = state.now();
            let until = since + Duration::from_secs(3_600);
            state.outage = Some(Outage { service: "s3", response: (500, "InternalError"), since, until });
        }
        let begun = Instant::now();
        assert!(!system_prompt(&live, "learner-1").await.contains("assessment"));
        assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
        live.stop().await.unwrap();
    });
}
