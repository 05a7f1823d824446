//! A conversation without trouble, as a check of the harness itself.

use infra::{client::Script, simulator::audible::Heard};
use tests::live::{Live, LiveOptions, block_on};

#[test]
fn a_conversation_in_scaled_time_is_what_was_said_and_heard() {
    block_on(async {
        // The signature of every message of the stream is verified, too.
        let keys = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&keys, "id=secret\n").unwrap();
        let mut options = LiveOptions::default();
        options.simulator.verify_signatures = Some(keys.path().to_owned());
        let live = Live::start(options).await.unwrap();
        let learner = live.learner("learner-1").unwrap();
        let script = Script::new("street-market", ["I see a market.", "There is a dog."]);
        let held = learner.converse(&script).await.unwrap();
        // The page hears of the end before it is published.
        live.app.sessions.ended().await;
        let journal = live.journal(held.conversation_id).await.unwrap();
        assert_eq!(journal.turns, held.turns);
        assert_eq!(live.completed(held.conversation_id).len(), 1);
        assert_eq!(live.recordings(held.conversation_id).len(), held.turns.len());
        assert!(held.heard.iter().all(|heard| matches!(heard, Heard::Text(_))), "{:?}", held.heard);
        live.stop().await.unwrap();
    });
}
