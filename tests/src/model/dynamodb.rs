//! DynamoDB as the service uses it: single writes under conditions, transactions with their token window, queries
//! in pages of any size.

use std::{collections::BTreeMap, time::Duration};

use rand::RngExt;
use serde_json::{Value, json};

use super::{
    State,
    capacity::Capacities,
    expression::{Item, Scope},
    reply::{Answer, ServiceError},
};

/// For how long DynamoDB recognises a repeated token.
const TOKEN_WINDOW: Duration = Duration::from_secs(600);

/// Most keys of a batch of reads.
const BATCH_KEYS_MAX: usize = 100;

/// The tables.
#[derive(Debug, Default)]
pub struct DynamoDb {
    /// By name.
    pub tables: BTreeMap<String, Table>,
    /// Consumed capacity, if it is counted.
    pub capacities: Option<Capacities>,
    tokens: BTreeMap<String, (Duration, Value)>,
}

/// A table.
#[derive(Debug)]
pub struct Table {
    partition: &'static str,
    sort: Option<&'static str>,
    /// Items by partition and sort key, with numbers padded so that they sort.
    pub items: BTreeMap<(String, String), Item>,
}

/// A checked change of one item that is not applied yet.
enum Change {
    Put(String, (String, String), Item),
    Delete(String, (String, String)),
    Check(String, (String, String)),
}

type Refused = (&'static str, Option<Item>);

impl DynamoDb {
    pub(super) fn create(&mut self, name: &str, partition: &'static str, sort: Option<&'static str>) {
        self.tables.insert(name.to_owned(), Table { partition, sort, items: BTreeMap::new() });
    }

    fn table(&self, request: &Value) -> Result<(&str, &Table), ServiceError> {
        let name = request["TableName"].as_str().unwrap_or_default();
        let found = self.tables.get_key_value(name);
        found
            .map(|(name, table)| (name.as_str(), table))
            .ok_or_else(|| ServiceError::new(400, "ResourceNotFoundException", name))
    }

    /// Checks one write of a request.
    fn check(&self, kind: &str, request: &Value) -> Result<Result<Change, Refused>, ServiceError> {
        let (name, table) = self.table(request)?;
        let key = table.key(&request[if kind == "Put" { "Item" } else { "Key" }])?;
        let before = table.items.get(&key);
        let empty = Item::new();
        let item = before.unwrap_or(&empty);
        let scope = Scope::of(request);
        if let Some(condition) = request["ConditionExpression"].as_str()
            && !scope.holds(condition, item).map_err(ServiceError::unsupported)?
        {
            return Ok(Err(("ConditionalCheckFailed", before.cloned())));
        }
        let change = match kind {
            "Put" => Change::Put(name.to_owned(), key, object(&request["Item"])?),
            "Update" => {
                let update = request["UpdateExpression"].as_str().unwrap_or_default();
                let mut after = scope.updated(update, item).map_err(ServiceError::unsupported)?;
                after.extend(object(&request["Key"])?);
                Change::Put(name.to_owned(), key, after)
            }
            "Delete" => Change::Delete(name.to_owned(), key),
            "ConditionCheck" => Change::Check(name.to_owned(), key),
            other => return Err(ServiceError::unsupported(format!("the write {other}"))),
        };
        scope.all_used().map_err(ServiceError::unsupported)?;
        Ok(Ok(change))
    }

    fn make(&mut self, change: Change, in_transaction: bool) {
        self.charge(&change, in_transaction);
        match change {
            Change::Put(table, key, item) => {
                self.tables.entry(table).and_modify(|table| drop(table.items.insert(key, item)));
            }
            Change::Delete(table, key) => {
                self.tables.entry(table).and_modify(|table| drop(table.items.remove(&key)));
            }
            Change::Check(..) => {}
        }
    }

    /// Counts what a change consumes. A condition is checked for the price of a write.
    fn charge(&mut self, change: &Change, in_transaction: bool) {
        let Some(capacities) = &mut self.capacities else { return };
        let (Change::Put(table, key, _) | Change::Delete(table, key) | Change::Check(table, key)) = change;
        let before = self.tables.get(table).and_then(|table| table.items.get(key));
        let after = match change {
            Change::Put(_, _, item) => Some(item),
            Change::Delete(..) => None,
            Change::Check(..) => before,
        };
        capacities.wrote(table, before, after, in_transaction);
    }

    /// Reads items by their keys, of one table.
    fn batch_get(&mut self, request: &Value) -> Result<Value, ServiceError> {
        let tables = request["RequestItems"].as_object();
        let (name, wanted) =
            tables.filter(|tables| tables.len() == 1).and_then(|tables| tables.iter().next()).ok_or_else(
                || ServiceError::unsupported("a batch of reads of another number of tables than one"),
            )?;
        let keys = wanted["Keys"].as_array().map_or(&[][..], Vec::as_slice);
        if !(1..=BATCH_KEYS_MAX).contains(&keys.len()) {
            return Err(ServiceError::new(400, "ValidationException", "a batch has 1 to 100 keys"));
        }
        let (_, table) = self.table(&json!({ "TableName": name }))?;
        let mut found = Vec::new();
        for key in keys {
            found.extend(table.items.get(&table.key(key)?).map(|item| Value::Object(item.clone())));
        }
        if let Some(capacities) = &mut self.capacities {
            // Each item is rounded up on its own.
            for item in &found {
                capacities.read(std::slice::from_ref(item), wanted["ConsistentRead"] == true);
            }
        }
        Ok(json!({ "Responses": { name: found }, "UnprocessedKeys": {} }))
    }

    fn single(&mut self, kind: &str, request: &Value) -> Result<Value, ServiceError> {
        match self.check(kind, request)? {
            Ok(change) => {
                let mut answer = json!({});
                if let (Change::Put(_, _, item), Some("ALL_NEW")) =
                    (&change, request["ReturnValues"].as_str())
                {
                    answer = json!({ "Attributes": item });
                }
                self.make(change, false);
                Ok(answer)
            }
            Err((_, item)) => {
                let mut refusal = ServiceError::new(400, "ConditionalCheckFailedException", "refused");
                let wants = request["ReturnValuesOnConditionCheckFailure"].as_str() == Some("ALL_OLD");
                if let Some(item) = item.filter(|_| wants) {
                    refusal.more = json!({ "Item": item });
                }
                Err(refusal)
            }
        }
    }

    fn transact(&mut self, now: Duration, request: &Value) -> Result<Value, ServiceError> {
        let items = request["TransactItems"].as_array().cloned().unwrap_or_default();
        let token = request["ClientRequestToken"].as_str().unwrap_or_default().to_owned();
        if let Some((_, before)) = self.tokens.get(&token).filter(|(at, _)| now < *at + TOKEN_WINDOW) {
            let same = *before == request["TransactItems"];
            let mismatch = ServiceError::new(400, "IdempotentParameterMismatchException", "another request");
            return if same { Ok(json!({})) } else { Err(mismatch) };
        }
        let mut changes = Vec::new();
        let mut reasons = Vec::new();
        for item in &items {
            let (kind, write) = item
                .as_object()
                .and_then(|item| item.iter().find(|(_, write)| write.is_object()))
                .ok_or_else(|| ServiceError::unsupported("an empty write".to_owned()))?;
            match self.check(kind, write)? {
                Ok(change) => {
                    changes.push(change);
                    reasons.push(json!({ "Code": "None" }));
                }
                Err((code, _)) => reasons.push(json!({ "Code": code })),
            }
        }
        if changes.len() < items.len() {
            return Err(canceled(&reasons));
        }
        changes.into_iter().for_each(|change| self.make(change, true));
        self.tokens.insert(token, (now, request["TransactItems"].clone()));
        Ok(json!({}))
    }

    /// A page of at most `page` items.
    fn query(&self, request: &Value, page: usize) -> Result<Value, ServiceError> {
        let (_, table) = self.table(request)?;
        if let Some(index) = request["IndexName"].as_str() {
            return table.by_index(index, request, page);
        }
        let scope = Scope::of(request);
        let condition = request["KeyConditionExpression"].as_str().unwrap_or_default();
        let after = request.get("ExclusiveStartKey").map(|key| table.key(key)).transpose()?;
        let partition = scope.equal_to(condition, table.partition).map_err(ServiceError::unsupported)?;
        let partition =
            partition.ok_or_else(|| ServiceError::unsupported(format!("the query {condition}")))?;
        let partition = part(table.partition, partition)?;
        let is_backward = request["ScanIndexForward"] == false;
        let is_after = |key: &(String, String), after| if is_backward { key < after } else { key > after };
        let mut found = Vec::new();
        let items = table.items.range((partition.clone(), String::new())..);
        for (key, item) in items.take_while(|(key, _)| key.0 == partition) {
            if after.as_ref().is_none_or(|after| is_after(key, after))
                && scope.holds(condition, item).map_err(ServiceError::unsupported)?
            {
                found.push(item);
            }
        }
        if is_backward {
            found.reverse();
        }
        table.page(found, request, page, &[])
    }

    /// A page of a whole table, in the order of its keys.
    fn scan(&self, request: &Value, page: usize) -> Result<Value, ServiceError> {
        let (_, table) = self.table(request)?;
        let after = request.get("ExclusiveStartKey").map(|key| table.key(key)).transpose()?;
        let items = table.items.iter().filter(|(key, _)| after.as_ref().is_none_or(|after| *key > after));
        let index = request["IndexName"].as_str().map(index_key).transpose()?;
        let is_held = |item: &&Item| {
            index.is_none_or(|(partition, sort)| item.contains_key(partition) && item.contains_key(sort))
        };
        let names = index.map_or([None, None], |(partition, sort)| [Some(partition), Some(sort)]);
        table.page(items.map(|(_, item)| item).filter(is_held).collect(), request, page, &names)
    }
}

/// Deletions only, of which some may be left unprocessed.
fn batch(state: &mut State, request: &Value) -> Result<Value, ServiceError> {
    let mut left = Item::new();
    for (table, writes) in object(&request["RequestItems"])? {
        let mut unprocessed = Vec::new();
        for write in writes.as_array().into_iter().flatten() {
            if state.anomaly(0.04) {
                unprocessed.push(write.clone());
                continue;
            }
            let key = &write["DeleteRequest"]["Key"];
            state.dynamodb.single("Delete", &json!({ "TableName": table, "Key": key }))?;
        }
        if !unprocessed.is_empty() {
            left.insert(table, unprocessed.into());
        }
    }
    Ok(json!({ "UnprocessedItems": left }))
}

impl Table {
    /// A query of an index. An index does not contain items without its attributes.
    fn by_index(&self, index: &str, request: &Value, page: usize) -> Result<Value, ServiceError> {
        let (partition, sort) = index_key(index)?;
        let scope = Scope::of(request);
        let condition = request["KeyConditionExpression"].as_str().unwrap_or_default();
        if scope.equal_to(condition, partition).map_err(ServiceError::unsupported)?.is_none() {
            return Err(ServiceError::unsupported(format!("the query {condition}")));
        }
        let order = |item: &Value| Ok::<_, ServiceError>((part(sort, &item[sort])?, self.key(item)?));
        let is_reversed = request["ScanIndexForward"] == json!(false);
        let after = request.get("ExclusiveStartKey").map(order).transpose()?;
        let mut found = Vec::new();
        for item in self.items.values().filter(|item| item.contains_key(partition) && item.contains_key(sort))
        {
            let place = order(&Value::Object(item.clone()))?;
            let is_behind =
                after.as_ref().is_none_or(|after| if is_reversed { place < *after } else { place > *after });
            if is_behind && scope.holds(condition, item).map_err(ServiceError::unsupported)? {
                found.push((place, item));
            }
        }
        found.sort_by(|(one, _), (other, _)| if is_reversed { other.cmp(one) } else { one.cmp(other) });
        let found = found.into_iter().map(|(_, item)| item).collect();
        self.page(found, request, page, &[Some(partition), Some(sort)])
    }

    /// The first items of `found`, at most one page, without those that the filter removes. Removed items count for the page.
    fn page(
        &self,
        mut found: Vec<&Item>,
        request: &Value,
        page: usize,
        names: &[Option<&'static str>],
    ) -> Result<Value, ServiceError> {
        let limit = request["Limit"].as_u64().and_then(|limit| limit.try_into().ok()).unwrap_or(usize::MAX);
        let page = page.min(limit);
        // DynamoDB returns a last key whenever it stopped at a limit.
        let more = found.len() > page || found.len() == limit;
        found.truncate(page);
        let last = found.last().filter(|_| more).map(|last| {
            let names = names.iter().copied().chain([Some(self.partition), self.sort]).flatten();
            names.map(|name| (name.to_owned(), last[name].clone())).collect::<Item>()
        });
        let scope = Scope::of(request);
        let mut kept = Vec::new();
        for item in found {
            let filter = request["FilterExpression"].as_str();
            if filter
                .map_or(Ok(true), |filter| scope.holds(filter, item))
                .map_err(ServiceError::unsupported)?
            {
                kept.push(item);
            }
        }
        let mut answer = json!({ "Items": kept, "Count": kept.len() });
        if let Some(last) = last {
            answer["LastEvaluatedKey"] = Value::Object(last);
        }
        Ok(answer)
    }

    fn key(&self, item: &Value) -> Result<(String, String), ServiceError> {
        let part = |name: &str| part(name, &item[name]);
        Ok((part(self.partition)?, self.sort.map_or_else(|| Ok(String::new()), part)?))
    }

    fn description(&self, name: &str) -> Value {
        let mut schema = vec![json!({ "AttributeName": self.partition, "KeyType": "HASH" })];
        schema.extend(self.sort.map(|sort| json!({ "AttributeName": sort, "KeyType": "RANGE" })));
        json!({ "Table": { "TableName": name, "KeySchema": schema, "TableStatus": "ACTIVE" } })
    }
}

/// The key attributes of an index.
fn index_key(index: &str) -> Result<(&'static str, &'static str), ServiceError> {
    match index {
        "userId-timestamp-index" => Ok(("userId", "timestamp")),
        "date-updatedAt-index" => Ok(("date", "updatedAt")),
        "alertMonth-alertAt-index" => Ok(("alertMonth", "alertAt")),
        _ => Err(ServiceError::unsupported(format!("the index {index}"))),
    }
}

/// A part of a key as a text that sorts like it.
fn part(name: &str, value: &Value) -> Result<String, ServiceError> {
    let number = value["N"].as_str().and_then(|digits| digits.parse::<u64>().ok());
    let text = value["S"].as_str().map(str::to_owned);
    number
        .map(|number| format!("{number:020}"))
        .or(text)
        .ok_or_else(|| ServiceError::unsupported(format!("the key attribute {name} is {value}")))
}

/// A cancelled transaction with a reason for each of its writes.
pub(super) fn canceled(reasons: &[Value]) -> ServiceError {
    let mut refusal = ServiceError::new(400, "TransactionCanceledException", "Transaction cancelled");
    refusal.more = json!({ "CancellationReasons": reasons });
    refusal
}

pub(super) fn answer(state: &mut State, operation: &str, request: &Value) -> Result<Answer, ServiceError> {
    let now = state.now();
    let page = if state.fault_model.is_calm() { 1000 } else { state.random.random_range(1..=8) };
    if operation == "BatchWriteItem" {
        return Ok(Answer::json(&batch(state, request)?));
    }
    let dynamodb = &mut state.dynamodb;
    let answer = match operation {
        "DescribeTable" => {
            let (name, table) = dynamodb.table(request)?;
            table.description(name)
        }
        "GetItem" => {
            let (_, table) = dynamodb.table(request)?;
            let found = table.items.get(&table.key(&request["Key"])?);
            found.map_or_else(|| json!({}), |item| json!({ "Item": item }))
        }
        "BatchGetItem" => dynamodb.batch_get(request)?,
        "PutItem" => dynamodb.single("Put", request)?,
        "UpdateItem" => dynamodb.single("Update", request)?,
        "DeleteItem" => dynamodb.single("Delete", request)?,
        "Scan" => dynamodb.scan(request, page)?,
        "TransactWriteItems" => dynamodb.transact(now, request)?,
        "Query" => dynamodb.query(request, page)?,
        other => return Err(ServiceError::unsupported(format!("DynamoDB {other}"))),
    };
    if let Some(capacities) = &mut dynamodb.capacities
        && matches!(operation, "GetItem" | "Query" | "Scan")
    {
        let items = answer["Items"].as_array().cloned();
        let items = items.unwrap_or_else(|| answer.get("Item").cloned().into_iter().collect());
        capacities.read(&items, request["ConsistentRead"] == true);
    }
    Ok(Answer::json(&answer))
}

fn object(value: &Value) -> Result<Item, ServiceError> {
    value.as_object().cloned().ok_or_else(|| ServiceError::unsupported(format!("{value} is not an item")))
}
