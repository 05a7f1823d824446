//! PURE. The chat history for a new stream. Sonic accepts a history only if it begins with the learner, alternates, and is
//! small (Amazon Nova 2 user guide, "sonic-chat-history").

use std::collections::VecDeque;

use events::contract::{Speaker, Turn};

use super::summary::Summary;

/// Longest history of a stream, in bytes. Sources differ (40 KB or 200 KB in all); the smaller one is safe.
pub(super) const HISTORY_BYTES_MAX: usize = 40 * 1024;

/// Longest message of the history, in bytes.
pub(super) const MESSAGE_BYTES_MAX: usize = 4 * 1024;

/// Turns of the learner from which the model can quote: an objective is reported soon after it is met.
const QUOTABLE_TURNS_MAX: usize = 8;

/// Most text that is kept verbatim, in bytes. It leaves room for the opening and a space after each turn, so that a stream
/// gets all of it.
const REMEMBERED_BYTES_MAX: usize = HISTORY_BYTES_MAX - MESSAGE_BYTES_MAX;

/// One message of the history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Who said it.
    pub speaker: Speaker,
    /// The words.
    pub text: String,
}

/// The turns so far: the latest verbatim, as many as fit into the history of a stream, and a summary of those before.
#[derive(Debug, Default)]
pub(super) struct History {
    turns: VecDeque<Message>,
    /// Index and text of the learner's latest turns, at most [`QUOTABLE_TURNS_MAX`].
    quotable: VecDeque<(u32, String)>,
    /// Their length with a space after each.
    bytes: usize,
    earlier: Summary,
}

impl History {
    /// Adds a turn.
    pub(super) fn add(&mut self, message: Message) {
        self.bytes += message.text.len() + 1;
        self.turns.push_back(message);
        // The summary is a message of the learner, so a turn of the tutor follows it.
        while self.turns.len() > 1
            && (self.bytes > REMEMBERED_BYTES_MAX || self.begins_after_summary_with_learner())
        {
            let Some(oldest) = self.turns.pop_front() else { return };
            self.bytes -= oldest.text.len() + 1;
            self.earlier.add(&oldest);
        }
    }

    /// Adds a turn of the learner.
    pub(super) fn add_learner(&mut self, turn: &Turn) {
        if self.quotable.len() == QUOTABLE_TURNS_MAX {
            self.quotable.pop_front();
        }
        self.quotable.push_back((turn.index, turn.text.clone()));
        self.add(Message { speaker: turn.speaker, text: turn.text.clone() });
    }

    /// Index and text of the learner's latest turns, the latest first.
    pub(super) fn quotable(&self) -> impl Iterator<Item = (u32, &str)> {
        self.quotable.iter().rev().map(|(index, text)| (*index, text.as_str()))
    }

    fn begins_after_summary_with_learner(&self) -> bool {
        !self.earlier.is_empty() && self.turns.front().is_some_and(|turn| turn.speaker == Speaker::Learner)
    }

    /// The turns that are kept verbatim.
    #[must_use]
    pub(super) fn turns(&self) -> Vec<Message> {
        self.turns.iter().cloned().collect()
    }

    /// The summary of the turns before.
    #[must_use]
    pub(super) fn summary(&self) -> Option<String> {
        self.earlier.text()
    }
}

/// The history of a new stream: merges consecutive turns of one speaker and drops blank texts and the oldest messages beyond
/// the limits. Where the tutor would be first, `opening` is inserted as the learner's message: a stage direction, or the summary
/// of earlier turns. The summary has sentences of the learner, so it is never in the system prompt.
#[must_use]
pub(super) fn sanitise(turns: &[Message], opening: &str) -> Vec<Message> {
    let mut messages: Vec<Message> = Vec::new();
    for turn in turns.iter().filter(|turn| !turn.text.trim().is_empty()) {
        match messages.last_mut() {
            Some(last) if last.speaker == turn.speaker => {
                last.text.push(' ');
                last.text.push_str(turn.text.trim());
            }
            Some(_) | None => {
                messages.push(Message { speaker: turn.speaker, text: turn.text.trim().to_owned() });
            }
        }
    }
    for message in &mut messages {
        keep_end(&mut message.text, MESSAGE_BYTES_MAX);
    }
    let opening = &opening[..opening.floor_char_boundary(MESSAGE_BYTES_MAX)];
    let mut room = HISTORY_BYTES_MAX - opening.len();
    let kept = messages.iter().rev().take_while(|message| {
        let fits = message.text.len() <= room;
        room = room.saturating_sub(message.text.len());
        fits
    });
    let kept = kept.count();
    messages.drain(..messages.len() - kept);
    if messages.first().is_some_and(|first| first.speaker == Speaker::Tutor) {
        messages.insert(0, Message { speaker: Speaker::Learner, text: opening.to_owned() });
    }
    messages
}

fn keep_end(text: &mut String, bytes_max: usize) {
    let excess = text.len().saturating_sub(bytes_max);
    text.drain(..text.ceil_char_boundary(excess));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn message(speaker: Speaker, text: &str) -> Message {
        Message { speaker, text: text.to_owned() }
    }

    #[test]
    fn neighbours_are_merged_and_the_opening_stands_before_the_tutor() {
        let turns = [
            message(Speaker::Tutor, "Hello."),
            message(Speaker::Tutor, "What do you see?"),
            message(Speaker::Learner, " "),
            message(Speaker::Learner, "A dog."),
        ];
        let expected = [
            message(Speaker::Learner, "Begin."),
            message(Speaker::Tutor, "Hello. What do you see?"),
            message(Speaker::Learner, "A dog."),
        ];
        assert_eq!(sanitise(&turns, "Begin."), expected);
    }

    #[test]
    fn the_oldest_go_first() {
        let turns: Vec<Message> = (0..200)
            .map(|n| {
                let speaker = if n % 2 == 0 { Speaker::Learner } else { Speaker::Tutor };
                message(speaker, &format!("{n} {}", "word ".repeat(100)))
            })
            .collect();
        let kept = sanitise(&turns, "Begin.");
        assert!(kept.len() < turns.len());
        assert_eq!(kept.last().unwrap().text, turns[199].text.trim());
    }

    #[test]
    fn what_the_history_has_no_room_for_is_in_the_summary() {
        let mut history = History::default();
        assert_eq!(history.summary(), None);
        for turn in 0..200 {
            let speaker = if turn % 2 == 0 { Speaker::Learner } else { Speaker::Tutor };
            history.add(message(speaker, &format!("Turn {turn}. {}", "word ".repeat(100))));
        }
        let turns = history.turns();
        let sanitised = sanitise(&turns, &"o".repeat(2 * MESSAGE_BYTES_MAX));
        assert_eq!(sanitised.last().unwrap().text, turns.last().unwrap().text.trim());
        assert!(sanitised.len() >= turns.len(), "the stream gets all verbatim turns");
        let forgotten = 200 - turns.len();
        let (learner, tutor) = (forgotten.div_ceil(2), forgotten / 2);
        let expected = format!("{learner} turns of the learner, {tutor} of yours");
        let summary = history.summary().unwrap();
        assert!(summary.contains(&expected));
        assert_eq!(sanitise(&turns, &summary)[0], message(Speaker::Learner, &summary));
    }

    #[test]
    fn model_can_quote_from_the_last_turns_of_the_learner() {
        let mut history = History::default();
        let count = u32::try_from(QUOTABLE_TURNS_MAX).unwrap();
        for index in 0..count + 2 {
            history.add_learner(&Turn::spoken(index, Speaker::Learner, format!("Turn {index}."), 0, 0));
        }
        let turns: Vec<u32> = history.quotable().map(|(index, _)| index).collect();
        assert_eq!(turns, (2..count + 2).rev().collect::<Vec<_>>());
    }

    fn any_turn() -> impl Strategy<Value = Message> {
        (any::<bool>(), "\\PC{0,12}", 1..900_usize).prop_map(|(learner, text, times)| {
            let speaker = if learner { Speaker::Learner } else { Speaker::Tutor };
            Message { speaker, text: text.repeat(times) }
        })
    }

    proptest! {
        #[test]
        fn whatever_was_said_the_history_is_one_that_sonic_takes(
            turns in proptest::collection::vec(any_turn(), 0..60),
        ) {
            let history = sanitise(&turns, "Begin.");
            prop_assert!(history.first().is_none_or(|first| first.speaker == Speaker::Learner));
            prop_assert!(history.windows(2).all(|pair| pair[0].speaker != pair[1].speaker));
            prop_assert!(history.iter().all(|message| !message.text.is_empty()));
            prop_assert!(history.iter().map(|message| message.text.len()).sum::<usize>() <= HISTORY_BYTES_MAX);
        }
    }
}
