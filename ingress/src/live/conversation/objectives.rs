//! PURE. Which objectives of the picture the learner has met. The model reports one by a tool call with a quote. A report counts
//! once, and only if the learner has said the quote.

use events::{contract::live::MetObjective, json, quote::Said, text::caseless};
use serde::Deserialize;

use super::{history::History, model_event::ToolCall};

/// The tool with which the model reports an objective.
pub const OBJECTIVE_TOOL: &str = "report_objective";

/// What the model receives: that the report counts, or why it does not.
pub type ToolResult = Result<&'static str, &'static str>;

/// See the module.
#[derive(Debug)]
pub(super) struct Objectives {
    all: Vec<String>,
    /// In the order in which they were met.
    met: Vec<MetObjective>,
}

/// What a tool call means.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Report {
    /// The learner has met another objective.
    Met {
        /// The learner's words that meet it.
        quote: String,
    },
    Repeated,
    UnknownTool,
    Unreadable,
    UnknownObjective,
    NotSaid,
}

impl Report {
    /// The result of the tool call.
    pub(super) fn result(&self) -> ToolResult {
        match self {
            Self::Met { .. } => Ok("recorded"),
            Self::Repeated => Ok("recorded before; do not report it again"),
            Self::UnknownTool => Err("there is no such tool"),
            Self::Unreadable => Err("the arguments are an objective and a quote, both texts"),
            Self::UnknownObjective => Err("the objective is not one of the listed ones, word for word"),
            Self::NotSaid => Err("the quote is not in one of the learner's last turns, word for word"),
        }
    }
}

impl Objectives {
    /// `all` objectives of the picture. None is met.
    pub(super) fn new(all: &[String]) -> Self {
        Self { all: all.to_vec(), met: Vec::new() }
    }

    /// Continues with the objectives that were met before.
    pub(super) fn resume(&mut self, met: &[MetObjective]) {
        self.met = met.to_vec();
    }

    /// The objectives that are met.
    pub(super) fn met(&self) -> &[MetObjective] {
        &self.met
    }

    /// Judges a tool call, and keeps the objective that it reports.
    pub(super) fn report(&mut self, call: &ToolCall, history: &History) -> Report {
        #[derive(Deserialize)]
        struct Arguments {
            objective: String,
            quote: String,
        }
        if call.name != OBJECTIVE_TOOL {
            return Report::UnknownTool;
        }
        let arguments = json::lossy(call.arguments.as_bytes());
        let Ok(Arguments { objective, quote }) = serde_json::from_str::<Arguments>(&arguments) else {
            return Report::Unreadable;
        };
        let reported = plain(&objective);
        let Some(objective) = self.all.iter().find(|known| plain(known) == reported) else {
            return Report::UnknownObjective;
        };
        if self.met.iter().any(|met| met.objective == *objective) {
            return Report::Repeated;
        }
        let Some(place) = Said::of_texts(history.quotable()).find(&quote) else { return Report::NotSaid };
        self.met.push(MetObjective { objective: objective.clone(), turn: place.turn });
        Report::Met { quote }
    }
}

/// Objectives differ in more than case and white space.
fn plain(text: &str) -> String {
    caseless(&text.split_whitespace().collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use events::contract::live::{MetObjective, ServerMessage};

    use crate::live::conversation::{
        Conversation, Input, Output, Resumed, StreamId,
        model_event::ModelEvent,
        objectives::ToolResult,
        test_fixture::{Harness, limits, objective_report, settings, tool_use},
    };

    fn met(objective: &str, turn: u32) -> MetObjective {
        MetObjective { objective: objective.to_owned(), turn }
    }

    /// A conversation in which the learner has said "A man has a RED hat." in turn 1.
    fn talk() -> Harness {
        let mut talk = Harness::new(settings());
        talk.open(StreamId(0));
        talk.tutor_says("What do you see?", 1_000);
        talk.learner_says("A man has a RED hat.", 1_000);
        talk.model(ModelEvent::ToolStart);
        talk
    }

    fn recorded(talk: &Harness) -> Vec<(Vec<MetObjective>, String)> {
        let recorded = |output: &Output| {
            let Output::RecordObjective { met, quote } = output else { return None };
            Some((met.clone(), quote.clone()))
        };
        talk.outputs.iter().filter_map(recorded).collect()
    }

    fn results(talk: &Harness) -> Vec<ToolResult> {
        let result = |output: &Output| {
            if let Output::ReturnToolResult { result, .. } = output { Some(*result) } else { None }
        };
        talk.outputs.iter().filter_map(result).collect()
    }

    #[test]
    fn objective_with_a_quote_of_the_learner_is_recorded_once() {
        let mut talk = talk();
        talk.model(objective_report("use colours", "a red  hat"));
        talk.model(objective_report("Use colours", "A man"));
        talk.model(objective_report("Describe people", "a man has"));
        let colours = met("Use colours", 1);
        let both = vec![colours.clone(), met("Describe people", 1)];
        let expected = [(vec![colours], "a red  hat".to_owned()), (both.clone(), "a man has".to_owned())];
        assert_eq!(recorded(&talk), expected);
        assert_eq!(results(&talk).iter().filter(|result| result.is_ok()).count(), 3);
        talk.input(Input::Detached);
        talk.input(Input::Attached);
        let Some(ServerMessage::Ready { objectives_met, .. }) = talk.sent().pop() else {
            panic!("not ready")
        };
        assert_eq!(*objectives_met, both);
    }

    #[test]
    fn report_without_a_proof_is_answered_with_an_error_and_changes_nothing() {
        let mut talk = talk();
        for (call, why) in [
            (objective_report("Use colours", "a green hat"), "the quote is not in"),
            // The tutor's words, a part of a word, and no word at all.
            (objective_report("Use colours", "what do you see"), "the quote is not in"),
            (objective_report("Use colours", "re"), "the quote is not in"),
            (objective_report("Use colours", "."), "the quote is not in"),
            (objective_report("Sing", "a man"), "the objective is not one of"),
            (tool_use("report_objective", r#"{"objective":7}"#), "the arguments are"),
            (tool_use("report_objective", "\u{fffd}"), "the arguments are"),
            (tool_use("look_up", "{}"), "there is no such tool"),
        ] {
            talk.model(call.clone());
            let result = results(&talk).pop().unwrap();
            assert!(result.is_err_and(|error| error.starts_with(why)), "{call:?}: {result:?}");
        }
        assert_eq!(recorded(&talk), []);
        talk.model(objective_report("Use colours", "a red hat"));
        assert_eq!(recorded(&talk).len(), 1);
    }

    #[test]
    fn report_after_the_closing_sequence_counts_and_gets_no_result() {
        let mut talk = talk();
        talk.input(Input::EndRequested);
        talk.model(objective_report("Use colours", "a red hat"));
        assert_eq!((recorded(&talk).len(), results(&talk).len()), (1, 0));
    }

    #[test]
    fn next_task_neither_repeats_nor_loses_an_objective() {
        let mut before = talk();
        before.model(objective_report("Use colours", "a red hat"));
        let resumed = Resumed {
            epoch: 2,
            turns: before.turns().into_iter().cloned().collect(),
            usage: events::contract::Usage::default(),
            metrics: None,
            objectives_met: recorded(&before).pop().unwrap().0,
            heard_samples: None,
            unfinished: Vec::new(),
        };
        let conversation = Conversation::resume(settings(), &resumed, before.now_ms());
        let mut after = Harness::of(conversation, before.now_ms());
        let Some(ServerMessage::Ready { objectives_met, ends_at, .. }) = after.sent().pop() else {
            panic!("not ready")
        };
        assert_eq!(*objectives_met, [met("Use colours", 1)]);
        assert_eq!(u64::try_from(ends_at.as_millisecond()).unwrap(), limits().conversation_ms_max);
        after.open(StreamId(0));
        after.model(objective_report("Use colours", "a red hat"));
        after.model(objective_report("Describe people", "a man"));
        assert_eq!(recorded(&after).len(), 1);
        assert_eq!(recorded(&after)[0].0, [met("Use colours", 1), met("Describe people", 1)]);
    }

    #[test]
    fn client_learns_of_the_near_end_once() {
        let mut talk = Harness::new(settings());
        let Some(ServerMessage::Ready { ends_at, text_supported: true, .. }) = talk.sent().pop().cloned()
        else {
            panic!("not ready")
        };
        talk.open(StreamId(0));
        let near = || ServerMessage::EndingSoon { ends_at };
        let due_ms = limits().conversation_ms_max - limits().wrap_up_ms;
        while talk.now_ms() < due_ms {
            assert!(!talk.sent().contains(&&near()), "at {} ms", talk.now_ms());
            talk.pass(due_ms.min(talk.now_ms() + 10_000) - talk.now_ms());
            talk.learner_speaks(100);
        }
        talk.pass(1_000);
        talk.input(Input::Detached);
        talk.pass(1_000);
        talk.input(Input::Attached);
        talk.pass(1_000);
        assert_eq!(talk.sent().iter().filter(|message| ***message == near()).count(), 1);
    }
}
