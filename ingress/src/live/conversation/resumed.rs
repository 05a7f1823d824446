//! PURE. A conversation that another task held before, as far as it is known: what is in the journal.

use events::contract::{ConversationMetrics, Turn, Usage};

/// Generations of audio that one owner of a conversation can count before they meet those of the next.
const GENERATIONS_PER_OWNER: u32 = 1 << 16;

/// What is known of a conversation that another task held before.
#[derive(Clone, Debug)]
pub struct Resumed {
    /// The epoch under which it is held now.
    pub epoch: u64,
    /// The turns in the journal, in order, with indexes from 0.
    pub turns: Vec<Turn>,
    /// Tokens used before; of an owner that was lost without a hand-over, none are known.
    pub usage: Usage,
    /// What was measured before, where the owner has handed it over.
    pub metrics: Option<ConversationMetrics>,
    /// Samples that came from the page before; `None` if the owner was lost without a hand-over.
    pub heard_samples: Option<u64>,
    /// The learner's audio of the turn that was not over, PCM s16le.
    pub unfinished: Vec<u8>,
}

impl Resumed {
    /// The first generation of audio: above all that the page knows, so that what it still plays is not taken for
    /// audio of this owner.
    #[must_use]
    pub(super) fn first_generation(&self) -> u32 {
        let owners_before = u32::try_from(self.epoch.saturating_sub(1)).unwrap_or(u32::MAX);
        owners_before.saturating_mul(GENERATIONS_PER_OWNER)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generations_of_the_next_owner_are_above_those_of_the_last() {
        let of = |epoch| Resumed {
            epoch,
            turns: Vec::new(),
            usage: Usage::default(),
            metrics: None,
            heard_samples: None,
            unfinished: Vec::new(),
        };
        assert_eq!(of(1).first_generation(), 0);
        assert_eq!(of(2).first_generation(), GENERATIONS_PER_OWNER);
        assert!(of(3).first_generation() > of(2).first_generation());
    }
}
