//! PURE. The list of events. One entry per event gives the enum, its name on the bus, its subject, encoding, decoding,
//! its JSON Schema and, in tests, arbitrary values. Envelope and versions are in `envelope.rs`.
//!
//! To add an event: write its data as a struct with `user_id` and, for an event about a conversation,
//! `conversation_id`, and add an entry. The compiler then asks for a sample in `test_samples.rs`, and a test for an
//! example in `schemas/example`.

use serde_json::Value;

use super::{
    AccountDeletionRequested, AnalysisFailed, ConversationAnalyzed, ConversationCompleted, ConversationId,
    ConversationStalled, EventId, ProgressUpdated, TranscriptStored, UserId, id::caused, schema::envelope,
};

/// Each entry: the struct of the data, which gives the variant its name; the accessor; the name on the bus; what the
/// event is about, a `conversation` or a `user`.
macro_rules! events {
    ($($(#[$doc:meta])* $data:ident, $accessor:ident, $name:literal, $subject:ident;)+) => {
        /// A fact that can be published. The `detail-type` on the bus is [`Event::schema`].
        #[derive(Clone, Debug, PartialEq)]
        pub enum Event {
            $($(#[$doc])* $data($data),)+
        }

        pub const EVENT_NAMES: [&str; [$($name),+].len()] = [$($name),+];

        $(impl $data {
            /// The name of the event with this data.
            pub const NAME: &str = $name;
        })+

        impl Event {
            /// The name of the event, for example `conversation.completed`.
            #[must_use]
            pub fn schema(&self) -> &'static str {
                match self { $(Self::$data(_) => $data::NAME,)+ }
            }

            #[must_use]
            pub fn user_id(&self) -> &UserId {
                match self { $(Self::$data(data) => &data.user_id,)+ }
            }

            /// The conversation; `None` for an event about an account.
            #[must_use]
            pub fn conversation_id(&self) -> Option<ConversationId> {
                match self { $(Self::$data(data) => events!(@conversation $subject data),)+ }
            }

            $(
                /// The data, if the event is of this kind.
                #[must_use]
                pub fn $accessor(&self) -> Option<&$data> {
                    if let Self::$data(data) = self { Some(data) } else { None }
                }
            )+

            pub(super) fn data(&self) -> serde_json::Result<Value> {
                match self { $(Self::$data(data) => serde_json::to_value(data),)+ }
            }

            /// The event `name` with this data; `None` for a name outside [`EVENT_NAMES`].
            pub(super) fn from_data(name: &str, data: Value) -> Option<serde_json::Result<Self>> {
                match name {
                    $($name => Some(serde_json::from_value(data).map(Self::$data)),)+
                    _ => None,
                }
            }
        }

        /// The JSON Schema (2020-12) of the whole envelope of the event `name`, for example `conversation.completed`.
        /// `None` for a name outside [`EVENT_NAMES`].
        #[must_use]
        pub fn schema_of(name: &str) -> Option<Value> {
            match name {
                $($name => Some(envelope::<$data>(name)),)+
                _ => None,
            }
        }

        #[cfg(test)]
        impl Event {
            /// Any event, each kind as often as any other.
            pub(crate) fn any() -> impl proptest::strategy::Strategy<Value = Self> {
                use proptest::strategy::{Strategy as _, Union};

                use super::test_samples::Sample;

                Union::new([$(<$data as Sample>::any().prop_map(Self::$data).boxed()),+])
            }
        }
    };
    (@conversation conversation $data:ident) => { Some($data.conversation_id) };
    (@conversation user $data:ident) => {{ let _ = $data; None }};
}

events! {
    /// A conversation ended and its turns are in the journal.
    ConversationCompleted, as_completed, "conversation.completed", conversation;
    /// The transcript of a conversation is in S3.
    TranscriptStored, as_transcript_stored, "transcript.stored", conversation;
    /// The assessment of a conversation is in S3.
    ConversationAnalyzed, as_analyzed, "conversation.analyzed", conversation;
    /// The conversation will not be assessed.
    AnalysisFailed, as_analysis_failed, "analysis.failed", conversation;
    /// UserProgress of one learner's day changed.
    ProgressUpdated, as_progress_updated, "progress.updated", conversation;
    /// A conversation has stopped on its way through the pipeline.
    ConversationStalled, as_stalled, "conversation.stalled", conversation;
    /// An account and all its data are to be deleted.
    AccountDeletionRequested, as_deletion_requested, "account.deletion_requested", user;
}

impl Event {
    /// The id of the conversation or learner that the event is about. Events with one subject belong to one trace.
    #[must_use]
    pub fn subject(&self) -> String {
        self.conversation_id().map_or_else(|| self.user_id().to_string(), |id| id.to_string())
    }

    /// The id of this event, where there is one about its subject.
    pub(super) fn id(&self) -> EventId {
        self.derive_id(self.schema())
    }

    /// The id of this event, where there are several about its subject, distinguished by `cause`.
    pub(super) fn id_caused_by(&self, cause: &str) -> EventId {
        self.derive_id(&caused(self.schema(), cause))
    }

    fn derive_id(&self, name: &str) -> EventId {
        match self.conversation_id() {
            Some(id) => EventId::derive(id, name),
            None => EventId::derive_of_user(self.user_id(), name),
        }
    }
}
