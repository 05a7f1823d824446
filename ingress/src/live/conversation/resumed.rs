//! PURE. The state of a conversation that another task owned before, from the journal.

use events::contract::{ConversationMetrics, Turn, Usage, live::MetObjective};

/// Generations of audio for each owner of a conversation, before they overlap with those of the next one.
const GENERATIONS_PER_OWNER: u32 = 1 << 16;

/// See the module.
#[derive(Clone, Debug)]
pub struct Resumed {
    /// The epoch of this owner.
    pub epoch: u64,
    /// The turns in the journal, in order, with indexes from 0.
    pub turns: Vec<Turn>,
    /// Tokens used before. Those of an owner that was lost without a handover are unknown and missing.
    pub usage: Usage,
    /// Metrics so far, if the last owner has handed them over.
    pub metrics: Option<ConversationMetrics>,
    /// The objectives that were met before.
    pub objectives_met: Vec<MetObjective>,
    /// Samples received before; `None` if the last owner was lost without a handover.
    pub heard_samples: Option<u64>,
    /// The learner's audio of the unfinished turn, PCM s16le.
    pub unfinished: Vec<u8>,
}

impl Resumed {
    /// The first generation of audio of this owner: higher than all before, so that the client can distinguish its audio from audio
    /// that it still plays.
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
            objectives_met: Vec::new(),
            heard_samples: None,
            unfinished: Vec::new(),
        };
        assert_eq!(of(1).first_generation(), 0);
        assert_eq!(of(2).first_generation(), GENERATIONS_PER_OWNER);
        assert!(of(3).first_generation() > of(2).first_generation());
    }
}
