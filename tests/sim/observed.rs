//! The acknowledgements that clients of the pipeline received, which the oracle compares with what is stored.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, PoisonError},
};

use events::contract::{Turn, UserId};

/// Acknowledgements by the journal and by the account service.
#[derive(Debug, Default)]
pub(crate) struct Observed {
    /// By conversation and learner, the turns that the journal acknowledged.
    pub(crate) turns: Mutex<BTreeMap<(String, String), Vec<Turn>>>,
    /// Learners whose deletion request was accepted.
    pub(crate) promised: Mutex<BTreeSet<String>>,
}

impl Observed {
    pub(crate) fn acknowledged(&self, id: &str, user_id: &UserId, turn: Option<Turn>) {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        turns.entry((id.to_owned(), user_id.to_string())).or_default().extend(turn);
    }

    pub(crate) fn promised(&self, user_id: &UserId) {
        self.promised.lock().unwrap_or_else(PoisonError::into_inner).insert(user_id.to_string());
    }
}
