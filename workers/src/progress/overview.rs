//! PURE. The writes of a change to the items about all learners (see `events::pipeline::overview`).

use std::collections::BTreeMap;

use aws_sdk_dynamodb::{
    error::BuildError,
    types::{Delete, Put, TransactWriteItem, Update},
};
use events::{
    dynamo::{Item, name, to_item},
    pipeline::overview::{FLAGGED, Group, Ranking, SCORE, by_start, key, shard, week},
};

use super::{counts::Change, store::addition};

/// The writes that move the learner from the places `before` to the places `after`.
pub(super) fn moves(
    table: &str,
    before: &BTreeMap<Ranking, String>,
    after: &BTreeMap<Ranking, String>,
) -> Result<Vec<TransactWriteItem>, BuildError> {
    let mut writes = Vec::new();
    for ranking in Ranking::ALL {
        let (left, taken) = (before.get(&ranking), after.get(&ranking));
        if left == taken {
            continue;
        }
        if let Some(place) = left {
            let delete = Delete::builder().table_name(table).set_key(Some(key(ranking.partition(), place)));
            writes.push(TransactWriteItem::builder().delete(delete.build()?).build());
        }
        if let Some(place) = taken {
            writes.push(put(table, key(ranking.partition(), place))?);
        }
    }
    Ok(writes)
}

/// The writes of `change` to the sums of its level, picture and week, and to the lists of scores. A change without amounts has
/// none.
pub(super) fn writes(table: &str, change: &Change) -> Result<Vec<TransactWriteItem>, BuildError> {
    let mut writes = Vec::new();
    let amounts = change.amounts();
    if !amounts.is_empty() {
        let groups = [
            change.level.map(|level| (Group::Level, name(&level))),
            Some((Group::Picture, change.image_id.clone())),
            Some((Group::Week, week(change.day))),
        ];
        let (expression, values) = addition(&amounts);
        for (group, of) in groups.into_iter().flatten() {
            let update = Update::builder()
                .table_name(table)
                .set_key(Some(key(&group.partition(shard(&change.user_id)), &of)))
                .update_expression(&expression)
                .set_expression_attribute_values(Some(values.clone()));
            writes.push(TransactWriteItem::builder().update(update.build()?).build());
        }
    }
    if let Some(scored) = &change.scored {
        let start = by_start(scored.conversation_id);
        let item = |key: Item| -> Item { to_item(scored).into_iter().chain(key).collect() };
        writes.push(put(table, item(key(change.user_id.as_str(), &format!("{SCORE}{start}"))))?);
        if !scored.flags.is_empty() {
            writes.push(put(table, item(key(FLAGGED, &start)))?);
        }
    }
    Ok(writes)
}

fn put(table: &str, item: Item) -> Result<TransactWriteItem, BuildError> {
    let put = Put::builder().table_name(table).set_item(Some(item)).build()?;
    Ok(TransactWriteItem::builder().put(put).build())
}

#[cfg(test)]
mod tests {
    use events::contract::{ConversationAnalyzed, Event, Flag, Level};

    use super::*;
    use crate::{
        progress::counts::change,
        test_samples::{analyzed, completed},
    };

    /// Kind and key of each write.
    fn keys(writes: &[TransactWriteItem]) -> Vec<(&'static str, String, String)> {
        let write = |write: &TransactWriteItem| {
            let (kind, item) = match (write.put(), write.update(), write.delete()) {
                (Some(put), _, _) => ("put", put.item()),
                (_, Some(update), _) => ("add", update.key()),
                (_, _, delete) => ("delete", delete.unwrap().key()),
            };
            let part = |name: &str| item[name].as_s().unwrap().clone();
            (kind, part("userId"), part("date"))
        };
        writes.iter().map(write).collect()
    }

    fn of(event: &Event) -> Vec<(&'static str, String, String)> {
        keys(&writes("table", &change(event).unwrap()).unwrap())
    }

    #[test]
    fn conversation_is_added_to_its_level_its_picture_and_its_week() {
        let shard = shard(&"learner-1".parse().unwrap());
        let add = |group: &str, of: &str| ("add", format!("sums#{group}#{shard}"), of.to_owned());
        let groups = [add("level", "B1"), add("picture", "city-cafe"), add("week", "2026-W48")];
        assert_eq!(of(&Event::ConversationCompleted(completed(6))), groups);
        assert_eq!(of(&Event::ConversationCompleted(completed(0))), []);
        let calm = analyzed(70, Level::B2);
        let start = by_start(calm.conversation_id);
        let score = ("put", "learner-1".to_owned(), format!("score#{start}"));
        assert_eq!(
            of(&Event::ConversationAnalyzed(calm.clone())),
            [&groups[..], std::slice::from_ref(&score)].concat()
        );
        let older = ConversationAnalyzed { level: None, ..calm.clone() };
        assert_eq!(
            of(&Event::ConversationAnalyzed(older)),
            [&groups[1..], std::slice::from_ref(&score)].concat()
        );
        let flagged = ConversationAnalyzed { flags: vec![Flag::Distress], ..calm };
        let flag = ("put", "flagged#".to_owned(), start);
        assert_eq!(of(&Event::ConversationAnalyzed(flagged)), [&groups[..], &[score, flag]].concat());
    }

    #[test]
    fn place_that_did_not_change_is_not_written() {
        let places = |speech: &str, overall: Option<&str>| {
            let speech = (Ranking::Speech, speech.to_owned());
            let overall = overall.map(|place| (Ranking::Overall, place.to_owned()));
            [speech].into_iter().chain(overall).collect::<BTreeMap<_, _>>()
        };
        let moved = |before: &_, after: &_| keys(&moves("table", before, after).unwrap());
        let (one, two) = (places("1#learner-1", None), places("2#learner-1", Some("7#learner-1")));
        assert_eq!(moved(&one, &one), []);
        let write = |kind, ranking: &str, place: &str| (kind, format!("ranking#{ranking}"), place.to_owned());
        let expected = [
            write("delete", "speech", "1#learner-1"),
            write("put", "speech", "2#learner-1"),
            write("put", "overall", "7#learner-1"),
        ];
        assert_eq!(moved(&one, &two), expected);
    }
}
