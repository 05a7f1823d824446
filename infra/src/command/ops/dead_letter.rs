//! PURE. A dead letter: what it is, why it is dead, and what to do about it.

use std::collections::BTreeMap;

use events::{
    contract::{ConversationId, DecodeError, Envelope},
    journal::Watch,
    queues::QueueName,
    workers::Worker,
};
use jiff::Timestamp;
use serde::Serialize;

/// A message of a dead-letter queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Letter {
    /// SQS's id.
    pub(super) message_id: String,
    pub(super) body: String,
    /// When it was sent to the queue it is in, or to its first one.
    pub(super) sent_at: Option<Timestamp>,
    /// The reason for which it is there: a worker sets `reason`, `service`, `eventId`, `messageId`, `receiveCount`;
    /// EventBridge sets `ERROR_CODE`, `ERROR_MESSAGE`, `RULE_ARN`, `TARGET_ARN`.
    pub(super) attributes: BTreeMap<String, String>,
}

/// What a letter is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Content {
    Event(Box<Envelope>),
    Watch(ConversationId),
    /// An event of a version or a name that this build does not know.
    Newer(String),
    Unreadable,
}

/// Why a letter is dead, for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Explanation {
    pub(super) what: String,
    /// Why it is here.
    pub(super) why: String,
    pub(super) advice: String,
}

impl Letter {
    pub(super) fn content(&self, queue: QueueName) -> Content {
        if queue == QueueName::Worker(Worker::Watchdog) {
            return Watch::decode(&self.body)
                .map_or(Content::Unreadable, |watch| Content::Watch(watch.conversation_id));
        }
        match Envelope::decode_message(&self.body) {
            Ok(envelope) => Content::Event(Box::new(envelope)),
            Err(DecodeError::UnknownMajor { schema, version }) => {
                Content::Newer(format!("{schema:?} of version {version:?}"))
            }
            Err(DecodeError::UnknownSchema(schema)) => Content::Newer(format!("{schema:?}")),
            Err(DecodeError::Malformed(_)) => Content::Unreadable,
        }
    }

    /// The conversation it is about, where that can be read.
    pub(super) fn conversation_id(&self, queue: QueueName) -> Option<ConversationId> {
        match self.content(queue) {
            Content::Event(envelope) => envelope.event.conversation_id(),
            Content::Watch(conversation_id) => Some(conversation_id),
            Content::Newer(_) | Content::Unreadable => None,
        }
    }

    /// What is the same for two copies of one message. A worker that dies after it copied a message to the
    /// dead-letter queue leaves the message to another, which copies it again.
    pub(super) fn key(&self, queue: QueueName) -> String {
        match self.content(queue) {
            Content::Event(envelope) => format!("event {}", envelope.id),
            Content::Watch(conversation_id) => format!("watch {conversation_id}"),
            Content::Newer(_) | Content::Unreadable => format!("text {}", self.body),
        }
    }

    /// The recorded reason.
    pub(super) fn reason(&self) -> Option<String> {
        let attribute = |name: &str| self.attributes.get(name).map(String::as_str);
        if let Some(code) = attribute("ERROR_CODE") {
            let message = attribute("ERROR_MESSAGE").unwrap_or("no message");
            return Some(format!("EventBridge could not deliver it: {code}: {message}"));
        }
        let service = attribute("service").unwrap_or("unknown");
        attribute("reason").map(|reason| format!("rejected by the worker {service}: {reason}"))
    }

    /// The ARN of the queue to which EventBridge could not deliver it.
    pub(super) fn target_arn(&self) -> Option<&str> {
        self.attributes.get("TARGET_ARN").map(String::as_str)
    }

    /// Why it is in the dead-letter queue of `queue`, and what to do.
    pub(super) fn explain(&self, queue: QueueName) -> Explanation {
        let name = queue.name();
        let redrive = format!("then `nova ops dlq redrive {name} --message {} --apply`", self.message_id);
        let content = self.content(queue);
        let why = self.reason().unwrap_or_else(|| match content {
            Content::Newer(_) => "its worker put it aside again and again, waiting for a newer build, until the \
                                  queue gave it up"
                .to_owned(),
            Content::Event(_) | Content::Watch(_) | Content::Unreadable => format!(
                "it was received as often as the queue allows before a worker could say what is wrong with it: its \
                 workers stopped or died again and again, or what they need was out for a day or longer (the log of \
                 {name} has each attempt under message_id {})",
                self.message_id
            ),
        });
        let (what, advice) = match content {
            Content::Event(envelope) => {
                let (schema, event_id) = (envelope.event.schema(), envelope.id);
                let right =
                    format!("Put the cause right, {redrive}; what was done before is not done twice.");
                match envelope.event.conversation_id() {
                    Some(id) => (
                        format!("{schema} {event_id} about the conversation {id}"),
                        format!("`nova ops conversation {id}` shows what is missing. {right}"),
                    ),
                    None => (format!("{schema} {event_id} about a learner's account"), right),
                }
            }
            Content::Watch(id) => {
                let what = format!("the watch over the conversation {id}");
                let advice = format!(
                    "`nova ops conversation {id}` shows where it is. Put the cause right, {redrive}."
                );
                (what, advice)
            }
            Content::Newer(event) => {
                let what = format!("the event {event}, which this build does not know");
                (what, format!("Deploy a worker that knows it, {redrive}."))
            }
            Content::Unreadable => {
                let what = format!("{} bytes that are no message of this service", self.body.len());
                let advice = format!(
                    "No worker can handle it. Find out who sent it; keep it with `nova ops dlq export {name} --to \
                     FILE --show-words`, then `nova ops dlq drop {name} --message {} --apply --yes`.",
                    self.message_id
                );
                (what, advice)
            }
        };
        Explanation { what, why, advice }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(body: &str, attributes: &[(&str, &str)]) -> Letter {
        Letter {
            message_id: "m-1".to_owned(),
            body: body.to_owned(),
            sent_at: None,
            attributes: attributes
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
        }
    }

    fn completed() -> String {
        include_str!("../../../../schemas/example/conversation.completed.json").to_owned()
    }

    const CONVERSATION: &str = "01a20ace-c800-7c7a-b47c-ea47bd68d012";

    #[test]
    fn each_kind_of_letter_says_what_it_is_why_it_is_here_and_what_to_do() {
        let [transcript, watchdog] = [Worker::Transcript, Worker::Watchdog].map(QueueName::Worker);
        let watch = format!(r#"{{"conversationId":"{CONVERSATION}","version":"1.0"}}"#);
        let mut newer: serde_json::Value = serde_json::from_str(&completed()).unwrap();
        newer["version"] = "2.0".into();
        let newer = newer.to_string();
        let rejected =
            [("reason", "the journal holds turn 2 where turn 1 belongs"), ("service", "transcript")];
        let undelivered =
            [("ERROR_CODE", "NO_PERMISSIONS"), ("ERROR_MESSAGE", "denied"), ("TARGET_ARN", "arn")];
        let cases = [
            (
                letter(&completed(), &rejected),
                transcript,
                "conversation.completed",
                "turn 2",
                "redrive transcript",
            ),
            (
                letter(&completed(), &[]),
                transcript,
                CONVERSATION,
                "as often as the queue allows",
                "put the cause",
            ),
            (letter(&newer, &[]), transcript, "\"2.0\"", "newer build", "Deploy a worker"),
            (letter("hello", &rejected), transcript, "5 bytes", "rejected by", "drop transcript"),
            (
                letter(&watch, &[]),
                watchdog,
                CONVERSATION,
                "stopped or died again and again",
                "redrive watchdog",
            ),
            (
                letter(&completed(), &undelivered),
                QueueName::Events,
                CONVERSATION,
                "NO_PERMISSIONS: denied",
                "redrive events",
            ),
        ];
        for (letter, queue, what, why, advice) in cases {
            let explained = letter.explain(queue);
            assert!(explained.what.contains(what), "{what}: {explained:?}");
            assert!(explained.why.contains(why), "{why}: {explained:?}");
            assert!(
                explained.advice.to_lowercase().contains(&advice.to_lowercase()),
                "{advice}: {explained:?}"
            );
        }
    }

    #[test]
    fn copies_of_one_event_have_one_key_and_others_do_not() {
        let wrapped = format!(r#"{{"id":"other","detail":{}}}"#, completed());
        let key = |body: &str| letter(body, &[]).key(QueueName::Worker(Worker::Transcript));
        assert_eq!(key(&completed()), key(&wrapped));
        assert_ne!(key(&completed()), key("hello"));
        assert_eq!(letter("hello", &[]).conversation_id(QueueName::Worker(Worker::Transcript)), None);
    }

    #[test]
    fn explanation_of_what_is_not_ours_does_not_repeat_it() {
        let explained = letter("my secret", &[]).explain(QueueName::Worker(Worker::Alerts));
        assert!(!format!("{explained:?}").contains("secret"), "{explained:?}");
    }
}
