//! PURE. Counts the calls of a run by process, operation and resource, with what AWS bills for them.

use std::collections::BTreeMap;

use infra::cost::Calls;
use serde_json::Value;

use super::{
    call::Call,
    capacity::Capacity,
    reply::{Answer, ServiceError},
};

/// The calls since the meter was set.
#[derive(Debug, Default)]
pub struct Meter {
    calls: BTreeMap<[String; 4], Calls>,
}

impl Meter {
    /// What was counted, sorted.
    #[must_use]
    pub fn calls(&self) -> Vec<Calls> {
        self.calls.values().cloned().collect()
    }

    pub(super) fn count(
        &mut self,
        process: &str,
        call: &Call,
        outcome: &Result<Answer, ServiceError>,
        consumed: Capacity,
    ) {
        let key = [process.to_owned(), call.service.clone(), operation(call, outcome), resource(&call.input)];
        let entry = self.calls.entry(key.clone()).or_insert_with(|| {
            let [process, service, operation, resource] = key;
            Calls { process, service, operation, resource, ..Calls::default() }
        });
        entry.count += 1;
        entry.bytes += u64::try_from(call.body.len()).unwrap_or(u64::MAX);
        entry.write_units += consumed.write;
        entry.index_units += consumed.index;
        entry.read_units += consumed.read;
    }
}

/// The operation. An update of an item also has the first attribute that it sets, and a poll whether it brought messages.
fn operation(call: &Call, outcome: &Result<Answer, ServiceError>) -> String {
    let name = &call.operation;
    if name == "ReceiveMessage" {
        let is_empty =
            outcome.as_ref().is_ok_and(|answer| !answer.body.windows(9).any(|part| part == b"MessageId"));
        return if is_empty { format!("{name} (empty)") } else { name.clone() };
    }
    let update = call.input["UpdateExpression"].as_str();
    let first = update.and_then(|update| update.split([' ', ',']).nth(1));
    first.map_or_else(|| name.clone(), |first| format!("{name} {first}"))
}

/// The table, bucket or queue; of a transaction or a batch the first table.
fn resource(input: &Value) -> String {
    let named = ["TableName", "bucket", "QueueUrl", "TopicArn", "EventBusName"]
        .iter()
        .find_map(|name| input[*name].as_str());
    let of_transaction = || {
        let first = input["TransactItems"][0].as_object()?.values().find(|write| write.is_object())?;
        first["TableName"].as_str()
    };
    let of_batch = || input["RequestItems"].as_object()?.keys().next().map(String::as_str);
    let name = named.or_else(of_transaction).or_else(of_batch).unwrap_or_default();
    name.rsplit(['/', ':']).next().unwrap_or_default().to_owned()
}
