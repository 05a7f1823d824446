//! An objective of the picture that the learner meets: the message to the client, the journal, and the next connection.

use events::contract::{ConversationId, live::MetObjective};
use serde_json::{Value, json};
use tests::live::{Live, LiveOptions, block_on};
use tokio_tungstenite::tungstenite::Message;

use super::raw_client::RawClient;

const SENTENCE: &str = "I see two women who buy fresh bread.";

#[test]
fn objective_that_is_met_reaches_the_client_and_the_journal() {
    block_on(async {
        let live = Live::start(LiveOptions::default()).await.unwrap();
        let token = live.token("learner-1").unwrap();
        let (mut client, offer) = RawClient::begin(&live, &token).await;
        let id: ConversationId = offer["conversationId"].as_str().unwrap().parse().unwrap();
        client.until("turn").await;
        client.send(Message::text(json!({ "type": "text", "text": SENTENCE }).to_string())).await;
        // The turn comes first.
        let turn = client.until("turn").await["turn"].clone();
        assert_eq!(turn["text"], SENTENCE);
        let met = client.until("objectiveMet").await;
        assert!(SENTENCE.starts_with(met["quote"].as_str().unwrap()), "{met}");
        assert_eq!(met["turn"], turn["index"]);
        // The tutor continues after the result of its tool call.
        client.until("turn").await;

        let objective = met["objective"].as_str().unwrap().to_owned();
        let recorded = live.journal(id).await.unwrap().header.objectives_met;
        assert_eq!(recorded, Some(vec![MetObjective { objective: objective.clone(), turn: 1 }]));

        drop(client);
        let again = live.ask_again(&token, id).await.unwrap();
        let mut client = RawClient::open(&live, &again).await.unwrap();
        let ready: Value = client.until("ready").await;
        assert_eq!(ready["objectivesMet"], json!([{ "objective": objective, "turn": 1 }]));
        assert_eq!(ready["textSupported"], true);
        assert!(ready["endsAt"].as_str().unwrap().ends_with('Z'), "{ready}");
        assert_eq!(client.end().await["reason"], "learner");
        live.stop().await.unwrap();
    });
}
