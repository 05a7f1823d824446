//! The log line of a message: one for each delivery, only with documented fields, without message content.

use std::{
    collections::BTreeSet,
    io::Write,
    sync::{Arc, Mutex},
};

use serde_json::Value;
use tracing_subscriber::fmt::MakeWriter;

use super::{Consumer, EventHandler, Events, MINUTE, eventually, fake::Fake};
use crate::{
    contract::Envelope,
    runtime::{consumer::Delivery, failure::Failure},
};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, text: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(text)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Log {
    /// The `handled` lines.
    fn handled(&self) -> Vec<Value> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.filter(|line| line["message"] == "handled").collect()
    }
}

/// Succeeds at a second receive.
struct Second;

impl EventHandler for Second {
    async fn handle(&self, _: &Envelope, delivery: &Delivery) -> Result<(), Failure> {
        if delivery.receive_count == 1 { Err(Failure::retry(anyhow::anyhow!("once"))) } else { Ok(()) }
    }
}

#[tokio::test(start_paused = true)]
async fn one_line_is_told_of_each_delivery_and_nothing_of_what_it_says() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt().json().flatten_event(true).with_writer(log.clone()).finish();
    let _logged = tracing::subscriber::set_default(subscriber);
    // With one subscriber in the process, `tracing` caches the interest of the thread that first reaches a callsite, and the
    // threads of other tests have no subscriber; with two subscribers it queries both.
    let _another = tracing::Dispatch::new(tracing_subscriber::fmt().with_writer(std::io::sink).finish());
    let path = format!("{}/../schemas/example/conversation.completed.json", env!("CARGO_MANIFEST_DIR"));
    let event = std::fs::read_to_string(path).unwrap();
    let fake = Fake::with([event.clone(), "what a learner said".to_owned()]);
    let consumer = Consumer::start(&fake, 8, 80, Events(Second));
    eventually(MINUTE, "both are gone", || fake.state().messages.is_empty()).await;
    consumer.stop().await;

    let lines = log.handled();
    let told: Vec<_> = lines.iter().map(|line| (&line["outcome"], &line["action"])).collect();
    let expected = [("rejected", "dead_letter"), ("retry", "release"), ("done", "delete")];
    assert_eq!(told.len(), expected.len(), "{told:?}");
    for (outcome, action) in expected {
        assert!(told.contains(&(&outcome.into(), &action.into())), "{told:?}");
    }
    let documented = include_str!("../log_line.rs");
    let standard = ["timestamp", "level", "target", "message"];
    for line in &lines {
        for field in line.as_object().unwrap().keys().filter(|field| !standard.contains(&field.as_str())) {
            assert!(documented.contains(&format!("`{field}`")), "{field} is not documented");
        }
    }
    let done = lines.iter().find(|line| line["outcome"] == "done").unwrap();
    let envelope = Envelope::decode(&event).unwrap();
    assert_eq!(done["schema"], "conversation.completed");
    assert_eq!(done["conversation_id"], envelope.event.subject());
    assert_eq!((&done["receive_count"], &done["failures"], &done["runs"]), (&2.into(), &1.into(), &1.into()));
    let traces: BTreeSet<_> = lines
        .iter()
        .filter_map(|line| Some((line["trace_id"].as_str()?, line["span_id"].as_str()?)))
        .collect();
    assert_eq!(traces.len(), 1, "both deliveries are one span: {traces:?}");
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    // The queue of this test derives message ids from bodies.
    assert!(!text.replace("id of what a learner said", "").contains("learner said"));
}
