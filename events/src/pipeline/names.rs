//! PURE. Names of a conversation's effects: keys of objects in the logs bucket and of items in the Effects table. They are
//! derived from the conversation alone.

use jiff::Timestamp;

use crate::contract::{ConversationId, EventId, UserId};

/// Sort key, in the UserProgress table, of the item that sums up all days of a learner. It sorts after every date.
pub const PROGRESS_TOTAL: &str = "total";

/// The attribute of a marker of progress whose event is counted in the items about all learners, too.
pub const OVERVIEW_COUNTED: &str = "overview";

/// Key of the transcript as compressed JSON.
#[must_use]
pub fn transcript_key(user_id: &UserId, id: ConversationId) -> String {
    format!("transcripts/{user_id}/{id}.json.gz")
}

#[must_use]
pub fn readable_transcript_key(user_id: &UserId, id: ConversationId) -> String {
    format!("transcripts/{user_id}/{id}.txt.gz")
}

/// Key of the assessment.
#[must_use]
pub fn analysis_key(user_id: &UserId, id: ConversationId) -> String {
    format!("analyses/{user_id}/{id}.json.gz")
}

/// The lease of the analysis of a conversation. A finished lease contains the outcome.
#[must_use]
pub fn analysis_effect(id: ConversationId) -> String {
    format!("analysis#{id}")
}

/// The marker of the event `cause` in the learner's progress.
#[must_use]
pub fn progress_effect(cause: EventId) -> String {
    format!("progress#{cause}")
}

/// The lease of the erasure of a learner's data. Once it exists, taken or finished, the account is deleted and no more of the
/// learner's data may be stored.
#[must_use]
pub fn erasure_effect(user_id: &UserId) -> String {
    format!("erasure#{user_id}")
}

/// The item that lists the events of a conversation that the alerts worker has considered.
#[must_use]
pub fn alerts_effect(id: ConversationId) -> String {
    format!("alerts#{id}")
}

/// A time as a sort key of the UserProgress table: UTC with milliseconds, always of the same length.
#[must_use]
pub fn sortable(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_sort_as_their_texts() {
        let texts = [0, 999, 1_000, 1_795_507_200_000]
            .map(|millis| sortable(Timestamp::from_millisecond(millis).unwrap()));
        assert_eq!(texts[1], "1970-01-01T00:00:00.999Z");
        assert!(texts.is_sorted() && texts.iter().all(|text| text.len() == texts[0].len()));
        assert_eq!(texts[3].parse::<Timestamp>().unwrap().as_millisecond(), 1_795_507_200_000);
    }

    #[test]
    fn total_sorts_behind_every_date() {
        assert!(PROGRESS_TOTAL > "9999-12-31");
    }
}
