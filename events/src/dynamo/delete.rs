//! Deletes items of a DynamoDB table by their keys, in batches. Deleting a missing item succeeds, so an interrupted deletion
//! can simply run again.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use anyhow::anyhow;
use aws_sdk_dynamodb::types::{DeleteRequest, WriteRequest};
use tokio::time::Instant;

use super::Item;
use crate::runtime::{
    failure::Failure,
    retry::{Retry, RetryPolicy, retry},
};

/// Writes of one `BatchWriteItem` call (service limit).
const BATCH_MAX: usize = 25;

/// The longest time for one batch with all its retries.
const BATCH_DEADLINE: Duration = Duration::from_secs(30);

/// Retries of unprocessed writes: DynamoDB reports throttled writes of a batch as unprocessed.
const POLICY: RetryPolicy =
    RetryPolicy { base: Duration::from_millis(50), cap: Duration::from_secs(2), attempts_max: 12 };

/// Deletes the items of `table` with these primary `keys`.
///
/// # Errors
/// By the class of the failed call; remaining unprocessed writes are throttling. Some of the items may be deleted.
pub async fn delete_items(
    dynamodb: &aws_sdk_dynamodb::Client,
    table: &str,
    keys: Vec<Item>,
) -> Result<(), Failure> {
    for batch in keys.chunks(BATCH_MAX) {
        let writes = batch.iter().map(|key| deletion(key.clone())).collect::<Result<Vec<_>, _>>()?;
        let pending = Mutex::new(writes);
        retry(POLICY, Instant::now() + BATCH_DEADLINE, || delete(dynamodb, table, &pending)).await?;
    }
    Ok(())
}

/// Deletes the pending items and leaves the unprocessed ones in `pending`.
async fn delete(
    dynamodb: &aws_sdk_dynamodb::Client,
    table: &str,
    pending: &Mutex<Vec<WriteRequest>>,
) -> Result<(), Retry<Failure>> {
    let writes = pending.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let sent = dynamodb.batch_write_item().request_items(table, writes).send().await;
    let output =
        sent.map_err(|error| Retry::Permanent(Failure::aws(error).context("failed to delete items")))?;
    let left = output.unprocessed_items.unwrap_or_default().remove(table).unwrap_or_default();
    if left.is_empty() {
        return Ok(());
    }
    let failure = Failure::throttled(anyhow!("{} deletions were not processed", left.len()), None);
    *pending.lock().unwrap_or_else(PoisonError::into_inner) = left;
    Err(Retry::transient(failure))
}

fn deletion(key: Item) -> Result<WriteRequest, Failure> {
    let delete = DeleteRequest::builder().set_key(Some(key)).build().map_err(Failure::retry)?;
    Ok(WriteRequest::builder().delete_request(delete).build())
}
