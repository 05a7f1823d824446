//! I9: the data of a learner whose account was deleted.

use std::collections::BTreeSet;

use tests::{
    deployment::{CONVERSATIONS, EFFECTS, PROGRESS, SESSIONS, USERS},
    model::State,
};

use crate::plan::{LEARNERS, Plan, learner};

/// The learners whose records are deleted.
pub(crate) fn deleted(state: &State, plan: &Plan) -> BTreeSet<String> {
    if plan.deletes.is_none() {
        return BTreeSet::new();
    }
    let names = (0..LEARNERS).map(|number| learner(number).to_string());
    let users = &state.dynamodb.tables[USERS].items;
    names.filter(|name| !users.contains_key(&(name.clone(), String::new()))).collect()
}

/// Every accepted deletion request was carried out, every request is, and only the mark remains of a deleted learner.
pub(crate) fn compare(state: &State, accepted: &BTreeSet<String>, deleted: &BTreeSet<String>) -> Vec<String> {
    let mut found = Vec::new();
    if !accepted.is_subset(deleted) {
        found.push(format!("I9: the deletion of {accepted:?} was accepted, and {deleted:?} are deleted"));
    }
    let tables = &state.dynamodb.tables;
    for ((user, _), record) in &tables[USERS].items {
        if record.contains_key("deletionRequestedAt") {
            found.push(format!("I9: {user} requested the deletion and still has a record"));
        }
    }
    let effects = tables[EFFECTS].items.keys();
    let marks: BTreeSet<String> =
        effects.filter_map(|(effect, _)| effect.strip_prefix("erasure#").map(str::to_owned)).collect();
    if marks != *deleted {
        found.push(format!("I9: there are marks of {marks:?}, and {deleted:?} are deleted"));
    }
    let pool = &state.cognito.deleted;
    if pool != deleted {
        found.push(format!("I9: the user pool deleted {pool:?}, and {deleted:?} are deleted"));
    }
    for user in deleted {
        let keys = state.s3.objects.keys().map(|(_, key)| key);
        let theirs = keys.filter(|key| key.split('/').nth(1) == Some(user));
        found.extend(theirs.map(|key| format!("I9: {key} remains of {user}")));
        for (table, name) in
            [(CONVERSATIONS, "conversations"), (PROGRESS, "items of progress"), (SESSIONS, "sessions")]
        {
            let items = tables[table].items.values().filter_map(|item| item.get("userId"));
            let theirs = items.filter(|id| id["S"] == user.as_str()).count();
            if theirs > 0 {
                found.push(format!("I9: {theirs} {name} remain of {user}"));
            }
        }
    }
    // Places and flagged conversations are in other partitions.
    for ((partition, sort), item) in &tables[PROGRESS].items {
        let named = |user: &&String| {
            sort.ends_with(&format!("#{user}"))
                || item.get("learnerId").is_some_and(|id| id["S"] == user.as_str())
        };
        if let Some(user) = deleted.iter().find(named) {
            found.push(format!("I9: {partition} {sort} remains of {user}"));
        }
    }
    // Also of a conversation whose start was not acknowledged.
    let items = &tables[CONVERSATIONS].items;
    let with_header: BTreeSet<&String> =
        items.iter().filter(|(_, item)| item.contains_key("userId")).map(|((id, _), _)| id).collect();
    let without: BTreeSet<&String> =
        items.keys().map(|(id, _)| id).filter(|id| !with_header.contains(id)).collect();
    if !without.is_empty() {
        found.push(format!("I9: turns without a header remain of {without:?}"));
    }
    found
}
