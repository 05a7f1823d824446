//! PURE. The plumbing of a conversation, which is everything that is paid by its calls except the models, and what each way to
//! make it cheaper would save. Two properties stay: a turn is durable when it ends, and each turn's audio is one object.

use serde::Serialize;

use super::{
    Consumption, Prices,
    consumption::{Calls, count},
};

/// Table of the journal, by the end of its name.
const JOURNAL: &str = "conversations";

/// A change that makes the plumbing cheaper. None of them is made.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Saving {
    pub change: &'static str,
    /// Saved US dollars a conversation, after the changes before it.
    pub saved_usd: f64,
    /// Plumbing of a conversation with this change and those before it.
    pub remaining_usd: f64,
    /// What the change costs in return.
    pub price: &'static str,
}

/// US dollars for the calls of one conversation.
#[must_use]
pub fn plumbing_usd(consumption: &Consumption, prices: &Prices) -> f64 {
    let (writes, reads) = consumption.units();
    let million = |number: f64, usd: f64| number * usd / 1e6;
    million(writes, prices.dynamodb_million_writes.usd)
        + million(reads, prices.dynamodb_million_reads.usd)
        + million(consumption.count("s3", &["PutObject", "List"]), prices.s3_million_puts.usd)
        + million(consumption.count("s3", &["GetObject", "HeadObject"]), prices.s3_million_gets.usd)
        + million(requests(consumption), prices.sqs_million_requests.usd)
        + million(consumption.count("sns", &["Publish"]), prices.sns_million_requests.usd)
        + million(consumption.count("events", &["PutEvents"]), prices.event_bus_million_events.usd)
}

/// Requests to queues, without empty polls: these do not depend on conversations.
pub(super) fn requests(consumption: &Consumption) -> f64 {
    consumption
        .of("sqs")
        .filter(|calls| !calls.operation.ends_with("(empty)"))
        .map(|calls| count(calls.count))
        .sum()
}

/// What each change would save, one after the other.
#[must_use]
pub fn savings(consumption: &Consumption, prices: &Prices) -> Vec<Saving> {
    let write = prices.dynamodb_million_writes.usd / 1e6;
    let renewals = journal(consumption, |calls| calls.operation.ends_with(" leaseUntil"));
    let appends = journal(consumption, |calls| calls.operation == "TransactWriteItems");
    let objectives = journal(consumption, |calls| calls.operation.ends_with(" objectivesMet"));
    // Without an attribute that changes, the index is written at the start and at the end alone.
    let smaller_index = (renewals.index_units + objectives.index_units) * write;
    // An append checks the header for the price of a write, so it can set the lease for nothing.
    let merged_renewals = renewals.write_units * write;
    let spending = of_ingress(consumption, "effects", |calls| calls.operation.starts_with("UpdateItem"));
    let sessions = of_ingress(consumption, "sessions", |calls| calls.operation == "BatchGetItem");
    // The first transaction is the start, and stays.
    let per_append = if appends.count == 0 { 0.0 } else { appends.write_units / count(appends.count) };
    let turns = count(appends.count.saturating_sub(1));
    let one_put = turns * (per_append - 1.0).max(0.0) * write;
    let steps = [
        (
            "an index with the attributes of lists only, without lease and progress",
            smaller_index,
            "a new index and its backfill; the list reads the header for the rest",
        ),
        (
            "the lease is set by the append of a turn; a renewal only after 30 s without one",
            merged_renewals,
            "the append becomes an update of the header, which conflicts with other writers of it",
        ),
        (
            "what a conversation spends is added once, at its end",
            spending.write_units * write,
            "a lost task loses what its conversations have spent so far, and the limit of the day acts late",
        ),
        (
            "the session of a live conversation is read eventually consistent",
            sessions.read_units / 2.0 * prices.dynamodb_million_reads.usd / 1e6,
            "a revoked session ends its conversation up to seconds later",
        ),
        (
            "a turn is one put under a key with the epoch, without a transaction",
            one_put,
            "readers have to drop the turns of a former owner: the fence moves from writes to reads",
        ),
    ];
    let mut remaining = plumbing_usd(consumption, prices);
    steps
        .into_iter()
        .map(|(change, saved_usd, price)| {
            remaining -= saved_usd;
            Saving { change, saved_usd, remaining_usd: remaining, price }
        })
        .collect()
}

fn journal(consumption: &Consumption, is_wanted: impl Fn(&Calls) -> bool) -> Calls {
    of_ingress(consumption, JOURNAL, is_wanted)
}

/// The sum of the ingress's calls on a table for which `is_wanted` holds.
fn of_ingress(consumption: &Consumption, table: &str, is_wanted: impl Fn(&Calls) -> bool) -> Calls {
    let calls = consumption
        .of("dynamodb")
        .filter(|calls| calls.process == "ingress" && calls.resource.ends_with(table) && is_wanted(calls));
    calls.fold(Calls::default(), |sum, calls| Calls {
        count: sum.count + calls.count,
        write_units: sum.write_units + calls.write_units,
        index_units: sum.index_units + calls.index_units,
        read_units: sum.read_units + calls.read_units,
        ..sum
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cost::PriceList;

    #[test]
    fn savings_leave_the_audio_and_at_least_one_write_for_each_turn() {
        let prices = PriceList::checked_in().unwrap().prices;
        let consumption = Consumption::checked_in().unwrap();
        let before = plumbing_usd(&consumption, &prices);
        assert!((0.0001..0.001).contains(&before), "{before}");
        let savings = savings(&consumption, &prices);
        assert!(savings.iter().all(|saving| saving.saved_usd > 0.0), "{savings:?}");
        let saved: f64 = savings.iter().map(|saving| saving.saved_usd).sum();
        let last = savings.last().unwrap().remaining_usd;
        assert!((before - saved - last).abs() < 1e-9);
        let audio = consumption.of("s3").find(|calls| calls.resource.ends_with("audio-files")).unwrap().count;
        assert_eq!(audio, consumption.turns, "one object for each turn");
        let turns = count(consumption.turns);
        let least = turns * (prices.s3_million_puts.usd + prices.dynamodb_million_writes.usd) / 1e6;
        assert!(last > least, "{last} is less than {least} for the audio and the writes of {turns} turns");
    }
}
