//! The Sessions table: one item for each sign-in, with the key `userId`, `sessionId`. The pool's refresh token in it is
//! encrypted ([`crate::account::sessions`]); the TTL removes an item when its refresh token has expired.

use std::collections::HashSet;

use anyhow::Context as _;
use aws_sdk_dynamodb::{Client, types::KeysAndAttributes};
use events::{
    contract::UserId,
    dynamo::{Item, is_conditional_check_failed, millis, number, read_item, text, to_item},
    runtime::failure::describe,
};
use jiff::{Timestamp, fmt::serde::timestamp::millisecond};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::account::browser::Browser;

/// Most sessions in one read: the limit of `BatchGetItem`.
pub const BATCH_MAX: usize = 100;

/// Reads and writes the items.
#[derive(Clone, Debug)]
pub struct SessionStore {
    dynamodb: Client,
    table: String,
}

/// The item of a session.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StoredSession {
    /// The learner.
    pub user_id: UserId,
    /// The id of the session.
    pub session_id: Uuid,
    /// How often the cookie was replaced.
    pub generation: u64,
    /// When the cookie was last replaced.
    #[serde(with = "millisecond::required")]
    pub rotated_at: Timestamp,
    /// When the password, and the second factor where there is one, were last proved.
    #[serde(with = "millisecond::optional", default, skip_serializing_if = "Option::is_none")]
    pub stepped_up_at: Option<Timestamp>,
    /// The browser that began it.
    #[serde(default)]
    pub browser: Browser,
    /// The secrets of the session, encrypted, in base 64.
    pub sealed: String,
    /// When the session ends by itself, in seconds since the Unix epoch. The attribute of the TTL.
    pub expires_at: i64,
}

impl std::fmt::Debug for StoredSession {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoredSession").field("session_id", &self.session_id).finish_non_exhaustive()
    }
}

impl SessionStore {
    /// Uses `table`.
    #[must_use]
    pub fn new(dynamodb: Client, table: String) -> Self {
        Self { dynamodb, table }
    }

    /// Stores a new session.
    ///
    /// # Errors
    /// The table cannot be written.
    pub async fn create(&self, session: &StoredSession) -> anyhow::Result<()> {
        let put =
            self.dynamodb.put_item().table_name(&self.table).set_item(Some(to_item(session))).send().await;
        put.map(drop).map_err(|error| describe(&error)).context("failed to store a session")
    }

    /// The session, read consistently, if it has not expired at `now`.
    ///
    /// # Errors
    /// The table cannot be read, or the item is not a session.
    pub async fn get(
        &self,
        user_id: &UserId,
        session_id: Uuid,
        now: Timestamp,
    ) -> anyhow::Result<Option<StoredSession>> {
        let got = self
            .dynamodb
            .get_item()
            .table_name(&self.table)
            .set_key(Some(key(user_id, session_id)))
            .consistent_read(true)
            .send()
            .await;
        let got = got.map_err(|error| describe(&error)).context("failed to read a session")?;
        let session: Option<StoredSession> =
            got.item.map(read_item).transpose().context("item of the Sessions table")?;
        // The TTL removes an item hours after its time.
        Ok(session.filter(|session| session.expires_at > now.as_second()))
    }

    /// Those of `sessions` that have ended at `now`, read consistently in one request: their items are missing or have expired.
    /// A session that DynamoDB did not read in time is not among them. At most [`BATCH_MAX`] sessions.
    ///
    /// # Errors
    /// The table cannot be read, or an item is not a session.
    pub async fn ended_of(
        &self,
        sessions: &[(Uuid, UserId)],
        now: Timestamp,
    ) -> anyhow::Result<HashSet<Uuid>> {
        let keys = sessions.iter().map(|(session_id, user_id)| key(user_id, *session_id)).collect();
        let request = KeysAndAttributes::builder()
            .set_keys(Some(keys))
            .projection_expression("sessionId, expiresAt")
            .consistent_read(true)
            .build()
            .context("a read of sessions")?;
        let read = self.dynamodb.batch_get_item().request_items(&self.table, request).send().await;
        let read = read.map_err(|error| describe(&error)).context("failed to read sessions")?;
        let found = read.responses.and_then(|mut tables| tables.remove(&self.table)).unwrap_or_default();
        let unread = read.unprocessed_keys.and_then(|mut tables| tables.remove(&self.table));
        let mut ended: HashSet<Uuid> = sessions.iter().map(|(session_id, _)| *session_id).collect();
        for item in found.into_iter().chain(unread.into_iter().flat_map(|unread| unread.keys)) {
            let Presence { session_id, expires_at } =
                read_item(item).context("item of the Sessions table")?;
            // A key alone says nothing about the end.
            if expires_at.is_none_or(|at| at > now.as_second()) {
                ended.remove(&session_id);
            }
        }
        Ok(ended)
    }

    /// Stores the next generation of the session: `next` replaces the item with the generation before it. Returns whether it
    /// did.
    ///
    /// # Errors
    /// The table cannot be written.
    pub async fn rotate(&self, next: &StoredSession) -> anyhow::Result<bool> {
        let updated = self
            .dynamodb
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key(&next.user_id, next.session_id)))
            .update_expression("SET #generation = :next, rotatedAt = :now, sealed = :sealed")
            .condition_expression("#generation = :before")
            .expression_attribute_names("#generation", "generation")
            .expression_attribute_values(":next", number(&next.generation))
            .expression_attribute_values(":before", number(&next.generation.saturating_sub(1)))
            .expression_attribute_values(":now", millis(next.rotated_at))
            .expression_attribute_values(":sealed", text(&next.sealed))
            .send()
            .await;
        match updated {
            Ok(_) => Ok(true),
            Err(error) if is_conditional_check_failed(&error) => Ok(false),
            Err(error) => Err(describe(&error)).context("failed to replace the cookie of a session"),
        }
    }

    /// Records that password and second factor were proved at `now`. Returns whether the session exists.
    ///
    /// # Errors
    /// The table cannot be written.
    pub async fn step_up(&self, user_id: &UserId, session_id: Uuid, now: Timestamp) -> anyhow::Result<bool> {
        let updated = self
            .dynamodb
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key(user_id, session_id)))
            .update_expression("SET steppedUpAt = :now")
            .condition_expression("attribute_exists(userId)")
            .expression_attribute_values(":now", millis(now))
            .send()
            .await;
        match updated {
            Ok(_) => Ok(true),
            Err(error) if is_conditional_check_failed(&error) => Ok(false),
            Err(error) => Err(describe(&error)).context("failed to record a step-up"),
        }
    }

    /// Deletes the session, if it exists.
    ///
    /// # Errors
    /// The table cannot be written.
    pub async fn delete(&self, user_id: &UserId, session_id: Uuid) -> anyhow::Result<()> {
        let deleted = self
            .dynamodb
            .delete_item()
            .table_name(&self.table)
            .set_key(Some(key(user_id, session_id)))
            .send()
            .await;
        deleted.map(drop).map_err(|error| describe(&error)).context("failed to delete a session")
    }

    /// The learner's sessions that have not expired at `now`, read consistently: those of one page, 1 MB.
    ///
    /// # Errors
    /// The table cannot be read, or an item is not a session.
    pub async fn list(&self, user_id: &UserId, now: Timestamp) -> anyhow::Result<Vec<StoredSession>> {
        let items = self.page(user_id).await?.into_iter();
        let sessions: Result<Vec<StoredSession>, _> = items.map(read_item).collect();
        let mut sessions = sessions.context("item of the Sessions table")?;
        // The TTL removes an item hours after its time.
        sessions.retain(|session| session.expires_at > now.as_second());
        Ok(sessions)
    }

    /// The ids of the learner's sessions, read consistently. At most one page, 1 MB: the caller ends these and asks again.
    ///
    /// # Errors
    /// The table cannot be read.
    pub async fn of_learner(&self, user_id: &UserId) -> anyhow::Result<Vec<Uuid>> {
        let id = |item: Item| read_item::<Id>(item).map(|item| item.session_id);
        let ids = self.page(user_id).await?.into_iter().map(id).collect::<Result<_, _>>();
        ids.context("item of the Sessions table")
    }

    async fn page(&self, user_id: &UserId) -> anyhow::Result<Vec<Item>> {
        let found = self
            .dynamodb
            .query()
            .table_name(&self.table)
            .key_condition_expression("userId = :userId")
            .expression_attribute_values(":userId", text(user_id))
            .consistent_read(true)
            .send()
            .await;
        let found = found.map_err(|error| describe(&error)).context("failed to list sessions")?;
        Ok(found.items.unwrap_or_default())
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Presence {
    session_id: Uuid,
    expires_at: Option<i64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Id {
    session_id: Uuid,
}

fn key(user_id: &UserId, session_id: Uuid) -> Item {
    Item::from([("userId".to_owned(), text(user_id)), ("sessionId".to_owned(), text(&session_id))])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn item_is_read_as_it_was_written() {
        let session = StoredSession {
            user_id: "learner-1".parse().unwrap(),
            session_id: Uuid::from_u128(7),
            generation: 3,
            rotated_at: "2026-11-28T10:00:00.123Z".parse().unwrap(),
            stepped_up_at: Some("2026-11-28T09:00:00.123Z".parse().unwrap()),
            browser: Browser::of("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
            sealed: "c2VhbGVk".to_owned(),
            expires_at: 1_795_594_530,
        };
        let item = to_item(&session);
        assert_eq!(item["sessionId"], text(&session.session_id), "the key is text");
        assert_eq!(read_item::<StoredSession>(item.clone()).unwrap(), session);
        // Items of earlier builds have no step-up and no browser.
        let mut earlier = item;
        earlier.remove("steppedUpAt");
        earlier.remove("browser");
        let earlier = read_item::<StoredSession>(earlier).unwrap();
        assert_eq!((earlier.stepped_up_at, earlier.browser), (None, Browser::default()));
        assert!(!format!("{session:?}").contains("c2VhbGVk"));
    }
}
