//! PURE. Identifiers: what they are made of and which of them can be derived from another.

use std::{fmt, str::FromStr};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The namespace of [`EventId`]s: a fixed random UUID, so that ids never meet those of another system.
const EVENT_NAMESPACE: Uuid = Uuid::from_u128(0x6f0d_9a4c_5a3b_4a0e_9d38_1f5c_72aa_e4b1);

/// A conversation: a UUIDv7, the `sessionId` of the Conversations table.
///
/// The milliseconds inside it are the start of the conversation and so the sort key of its header item: whoever
/// holds the id can read the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Uuid", into = "Uuid")]
#[schemars(with = "Uuid")]
pub struct ConversationId(Uuid);

impl ConversationId {
    /// The id of a conversation that starts at `started_at`, made unique by 74 random bits.
    #[must_use]
    pub fn new(started_at: Timestamp, random: [u8; 10]) -> Self {
        let millis = u64::try_from(started_at.as_millisecond()).unwrap_or(0);
        Self(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
    }

    /// The start of the conversation in milliseconds since the Unix epoch.
    #[must_use]
    pub fn started_at_ms(self) -> i64 {
        let (high, low, _, _) = self.0.as_fields();
        (i64::from(high) << 16) | i64::from(low)
    }

    /// The start of the conversation.
    #[must_use]
    pub fn started_at(self) -> Timestamp {
        Timestamp::from_millisecond(self.started_at_ms()).expect(
            "48 bits of milliseconds are within the range of a timestamp up to the year 9999 by construction",
        )
    }

    #[must_use]
    pub fn uuid(self) -> Uuid {
        self.0
    }
}

impl fmt::Display for ConversationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl FromStr for ConversationId {
    type Err = ConversationIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Uuid::parse_str(text).map_err(|_| ConversationIdError)?.try_into()
    }
}

impl TryFrom<Uuid> for ConversationId {
    type Error = ConversationIdError;

    fn try_from(uuid: Uuid) -> Result<Self, Self::Error> {
        let id = Self(uuid);
        let in_range = Timestamp::from_millisecond(id.started_at_ms()).is_ok();
        if uuid.get_version_num() == 7 && in_range { Ok(id) } else { Err(ConversationIdError) }
    }
}

impl From<ConversationId> for Uuid {
    fn from(id: ConversationId) -> Self {
        id.0
    }
}

/// The text or UUID is not a conversation id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a conversation id: a UUID of version 7 is expected")]
pub struct ConversationIdError;

/// A published fact: UUIDv5 over (conversation or learner, event type).
///
/// Every path that publishes the same fact publishes the same id, so consumers recognise a repetition. It is
/// not EventBridge's own `id`, which differs for each PutEvents entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct EventId(Uuid);

impl EventId {
    /// The id of the event `schema` (for example `conversation.completed`) about `conversation`.
    #[must_use]
    pub fn derive(conversation: ConversationId, schema: &str) -> Self {
        let mut name = conversation.uuid().as_bytes().to_vec();
        name.extend_from_slice(schema.as_bytes());
        Self(Uuid::new_v5(&EVENT_NAMESPACE, &name))
    }

    /// The id of an event of which there can be several about one `conversation`: `cause` distinguishes them.
    #[must_use]
    pub fn derive_caused(conversation: ConversationId, schema: &str, cause: &str) -> Self {
        Self::derive(conversation, &caused(schema, cause))
    }

    /// The id of the event `schema` about the learner as a whole. A learner's id is text and a conversation's 16
    /// bytes, so the separator keeps the names of the two apart.
    #[must_use]
    pub fn derive_of_user(user_id: &UserId, schema: &str) -> Self {
        Self(Uuid::new_v5(&EVENT_NAMESPACE, format!("user/{user_id}/{schema}").as_bytes()))
    }

    #[must_use]
    pub fn uuid(self) -> Uuid {
        self.0
    }
}

/// The name of an event of which there can be several about one subject: `cause` distinguishes them.
pub(super) fn caused(schema: &str, cause: &str) -> String {
    format!("{schema}<{cause}")
}

impl From<Uuid> for EventId {
    fn from(uuid: Uuid) -> Self {
        Self(uuid)
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

/// A learner: the `sub` of the user pool, 1 to 128 characters of `A-Z a-z 0-9 -`.
///
/// It stands in object keys, so its alphabet is closed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String", extend("pattern" = "^[A-Za-z0-9-]{1,128}$"))]
pub struct UserId(String);

impl UserId {
    /// The longest user id, in characters.
    pub const CHARS_MAX: usize = 128;

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl TryFrom<String> for UserId {
    type Error = UserIdError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let allowed = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if allowed && (1..=Self::CHARS_MAX).contains(&text.len()) { Ok(Self(text)) } else { Err(UserIdError) }
    }
}

impl FromStr for UserId {
    type Err = UserIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.to_owned().try_into()
    }
}

impl From<UserId> for String {
    fn from(id: UserId) -> Self {
        id.0
    }
}

/// The text is not a user id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a user id: 1 to 128 letters, digits and hyphens are expected")]
pub struct UserIdError;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MILLIS_MAX: i64 = (1 << 48) - 1;

    proptest! {
        #[test]
        fn conversation_id_carries_its_start(millis in 0..=MILLIS_MAX, random in any::<[u8; 10]>()) {
            // 48 bits reach beyond the year 9999, where a timestamp ends.
            let Ok(started_at) = Timestamp::from_millisecond(millis) else { return Ok(()) };
            let id = ConversationId::new(started_at, random);
            prop_assert_eq!(id.started_at_ms(), millis);
            prop_assert_eq!(id.started_at(), started_at);
            prop_assert_eq!(id.to_string().parse::<ConversationId>().unwrap(), id);
            prop_assert_eq!(id.uuid().get_version_num(), 7);
        }

        #[test]
        fn text_that_is_not_a_version_7_uuid_is_no_conversation(bits in any::<u128>(), text in "[ -~]{0,40}") {
            prop_assert!(uuid::Builder::from_random_bytes(bits.to_be_bytes()).into_uuid().to_string()
                .parse::<ConversationId>().is_err());
            prop_assert!(text.parse::<ConversationId>().is_err());
        }

        #[test]
        fn user_id_is_safe_in_a_key(text in any::<String>()) {
            if let Ok(id) = text.parse::<UserId>() {
                prop_assert!(id.as_str().bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'));
            }
        }
    }

    #[test]
    fn user_id_has_its_limits() {
        let longest = "a".repeat(UserId::CHARS_MAX);
        assert!(longest.parse::<UserId>().is_ok());
        assert!(format!("{longest}a").parse::<UserId>().is_err());
        for text in ["", "a/b", "a.b", "a b", "é"] {
            assert!(text.parse::<UserId>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn event_id_is_the_same_in_every_build() {
        let conversation = "01a20ace-c800-7c7a-b47c-ea47bd68d012".parse().unwrap();
        let id = EventId::derive(conversation, "conversation.completed");
        assert_eq!(id.to_string(), "8a4b955c-66c6-556c-ae26-2ada0d285730");
        assert_ne!(id, EventId::derive(conversation, "conversation.analyzed"));
        let user = "7c9e6679-7425-40de-944b-e07fc1f90ae7".parse().unwrap();
        let id = EventId::derive_of_user(&user, "account.deletion_requested");
        assert_eq!(id.to_string(), "edc0b0e4-b861-59be-ba13-23d75b9855fe");
    }
}
