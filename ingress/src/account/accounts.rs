//! The accounts of learners: their record, made where it is missing, and its end.
//!
//! The record in the Users table is the source of truth for the profile. Level and interests are mirrored into the
//! attributes of the user pool for those who look there, with the caller's own token: should that fail, the record
//! stands and the next change mirrors both again. Nothing is read back from there but by a record that is made anew, here
//! and nowhere else.

use anyhow::anyhow;
use events::{
    account::{COPY_DELAY_SECONDS, ErasureQueue, deletion_requested},
    bus::Bus,
    contract::UserId,
};
use jiff::Timestamp;

use crate::{
    account::auth::Caller,
    account::profile::Profile,
    account::user_pool::{UserPool, problem::ended},
    api::problem::{ApiError, Code},
    store::{
        erasures::Erasures,
        users::{UpdateError, User, Users},
    },
};

/// Accounts.
#[derive(Clone, Debug)]
pub struct Accounts {
    /// The records.
    pub users: Users,
    /// Whose data is erased.
    pub erasures: Erasures,
    /// The user pool, which is asked with the caller's token.
    pub pool: UserPool,
    /// The erasure worker's queue.
    pub queue: ErasureQueue,
    /// The event bus.
    pub bus: Bus,
}

impl Accounts {
    /// The record of the caller, made anew if it is missing.
    ///
    /// # Errors
    /// 403 where the deletion of the account was asked for. Where the record is missing: 401 for a session that the user
    /// pool has ended, 503 when it cannot be reached.
    pub async fn open(&self, caller: &Caller) -> Result<User, ApiError> {
        let user = self.find(caller).await?;
        if user.deletion_requested_at.is_some() { Err(deleted()) } else { Ok(user) }
    }

    /// Sees that the account can be used.
    ///
    /// # Errors
    /// 403 where its deletion was asked for.
    pub async fn usable(&self, user_id: &UserId) -> Result<(), ApiError> {
        self.defaults(user_id).await.map(drop)
    }

    /// What the learner says of themselves, for what a request does not say. Without a record it is what a new one
    /// says: a conversation does not wait for the user pool.
    ///
    /// # Errors
    /// 403 where the deletion of the account was asked for.
    pub async fn defaults(&self, user_id: &UserId) -> Result<Profile, ApiError> {
        match self.users.get(user_id).await.map_err(ApiError::Internal)? {
            Some(user) if user.deletion_requested_at.is_some() => Err(deleted()),
            Some(user) => Ok(user.profile),
            None if self.erasures.has(user_id).await.map_err(ApiError::Internal)? => Err(deleted()),
            None => Ok(Profile::new(String::new())),
        }
    }

    /// Replaces the profile of the record that has `version`.
    ///
    /// # Errors
    /// 412 where it has another one by now, 403 where the deletion of the account was asked for.
    pub async fn change(&self, caller: &Caller, version: u64, profile: &Profile) -> Result<User, ApiError> {
        let updated = self.users.update(&caller.user_id, version, profile, Timestamp::now()).await;
        let user = updated.map_err(|refusal| match refusal {
            UpdateError::Changed(standing) => changed(standing.version),
            UpdateError::Deleting | UpdateError::NotFound => deleted(),
            UpdateError::Failed(error) => ApiError::Internal(error),
        })?;
        if let Err(error) = self.pool.mirror(caller.token.reveal(), &user.profile).await {
            let error = format!("{:#}", anyhow::Error::from(error));
            tracing::warn!(error, "a profile was changed, and the user pool does not show it");
        }
        Ok(user)
    }

    /// Asks for the deletion of the caller's account, and answers since when it is asked for. Asking again is heard
    /// again.
    ///
    /// # Errors
    /// Nothing is promised: the request was not recorded. 403 where the account is gone already.
    pub async fn delete(&self, caller: &Caller) -> Result<Timestamp, ApiError> {
        self.leave(&self.find(caller).await?, Timestamp::now()).await
    }

    /// Asks for the deletion of the account of `user` at `now`, and answers since when it is asked for.
    ///
    /// # Errors
    /// Nothing is promised: the request was not recorded. 403 where the account is gone already.
    pub async fn leave(&self, user: &User, now: Timestamp) -> Result<Timestamp, ApiError> {
        let now = Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now);
        let requested_at = user.deletion_requested_at.unwrap_or(now);
        let event = deletion_requested(&user.user_id, requested_at);
        // First the copy that is heard later: alone it does no harm, while a record that nobody hears of would stay.
        let copied = self.queue.send(&event, COPY_DELAY_SECONDS).await;
        copied.map_err(|failure| ApiError::Internal(anyhow!("{failure}")))?;
        let noted =
            self.users.request_deletion(&user.user_id, requested_at).await.map_err(ApiError::Internal)?;
        let requested_at = noted.ok_or_else(deleted)?;
        let event = deletion_requested(&user.user_id, requested_at);
        if let Err(error) = self.bus.publish(&[event]).await {
            tracing::warn!(error = %error, "a deletion is heard of later: it could not be published");
        }
        Ok(requested_at)
    }

    /// The record of the caller, also of one who leaves.
    async fn find(&self, caller: &Caller) -> Result<User, ApiError> {
        let user_id = &caller.user_id;
        if let Some(user) = self.users.get(user_id).await.map_err(ApiError::Internal)? {
            return Ok(user);
        }
        if self.erasures.has(user_id).await.map_err(ApiError::Internal)? {
            return Err(deleted());
        }
        let (_, profile) = self.pool.owner(caller.token.reveal()).await.map_err(ended)?;
        let user = User::new(user_id.clone(), profile, Timestamp::now());
        tracing::warn!("a learner had no record: it is made from what the user pool knows");
        self.users.create_if_missing(user).await.map_err(ApiError::Internal)
    }
}

/// The profile is of another version than the caller saw.
pub(crate) fn changed(version: u64) -> ApiError {
    let detail = format!("the profile has the version {version} by now: read it and change that one");
    ApiError::refused(Code::ProfileChanged, detail)
}

fn deleted() -> ApiError {
    let detail = "the deletion of this account was asked for; it cannot be used any more";
    ApiError::refused(Code::AccountDeleted, detail)
}
