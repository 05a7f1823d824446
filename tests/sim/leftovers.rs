//! I9: what is left of a learner who left.

use std::{collections::BTreeSet, sync::PoisonError};

use tests::model::State;

use super::Judge;
use crate::{
    observed::Observed,
    plan::{LEARNERS, Plan, learner},
};
use tests::deployment::{CONVERSATIONS, EFFECTS, PROGRESS, USERS};

/// The learners whose records are gone.
pub(super) fn learners(state: &State, plan: &Plan) -> BTreeSet<String> {
    if plan.leaves.is_none() {
        return BTreeSet::new();
    }
    let names = (0..LEARNERS).map(|number| learner(number).to_string());
    let users = &state.dynamodb.tables[USERS].items;
    names.filter(|name| !users.contains_key(&(name.clone(), String::new()))).collect()
}

impl Judge<'_> {
    /// Who was promised it has left, who asked has left or stays as a whole, and nothing is there of those who left but
    /// the mark, once.
    pub(super) fn left(&mut self, observed: &Observed) {
        let promised = observed.promised.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let left = self.left.clone();
        self.check(promised.is_subset(&left), || {
            format!("I9: {promised:?} were promised that they are deleted, and {left:?} are")
        });
        let tables = &self.state.dynamodb.tables;
        let asked = tables[USERS].items.iter().filter(|(_, user)| user.contains_key("deletionRequestedAt"));
        for ((user, _), _) in asked {
            self.found.push(format!("I9: {user} asked to be deleted and is still there"));
        }
        let marks: BTreeSet<String> = tables[EFFECTS]
            .items
            .keys()
            .filter_map(|(effect, _)| effect.strip_prefix("erasure#").map(str::to_owned))
            .collect();
        self.check(marks == left, || {
            format!("I9: the marks of {marks:?} are there, and {left:?} are deleted")
        });
        let pool = self.state.cognito.deleted.clone();
        self.check(pool == left, || format!("I9: the pool has lost {pool:?}, and {left:?} are deleted"));
        for user in &left {
            let theirs = |(_, key): &&(String, String)| key.split('/').nth(1) == Some(user);
            let objects: Vec<_> = self.state.s3.objects.keys().filter(theirs).collect();
            self.found.extend(objects.iter().map(|(_, key)| format!("I9: {key} is left of {user}")));
            for (table, name) in [(CONVERSATIONS, "a conversation"), (PROGRESS, "progress")] {
                let items = tables[table].items.values().filter(|item| item.get("userId").is_some());
                let theirs = items.filter(|item| item["userId"]["S"] == user.as_str()).count();
                if theirs > 0 {
                    self.found.push(format!("I9: {name} is left of {user}, {theirs} times"));
                }
            }
        }
        // Also of a conversation that nobody was told of.
        let items = &tables[CONVERSATIONS].items;
        let headed: BTreeSet<&String> =
            items.iter().filter(|(_, item)| item.contains_key("userId")).map(|((id, _), _)| id).collect();
        let headless: BTreeSet<&String> =
            items.keys().map(|(id, _)| id).filter(|id| !headed.contains(id)).collect();
        if !headless.is_empty() {
            self.found.push(format!("I9: turns without a header are left of {headless:?}"));
        }
    }
}
