//! The accounts of learners: the record of each, which is created where it is missing, and the deletion.
//!
//! The record in the Users table is the source of truth for the profile. Name, level and interests are mirrored into the
//! attributes of the user pool for tools that read them there. If that fails, the record stands and the next change mirrors
//! them again. The attributes are read only here, to create a missing record.

use anyhow::anyhow;
use events::{
    account::{COPY_DELAY_SECONDS, ErasureQueue, deletion_requested},
    bus::Bus,
    contract::UserId,
};
use jiff::Timestamp;

use super::{
    profile::Profile,
    user_pool::{PoolError, UserPool},
};
use crate::store::{
    erasures::Erasures,
    users::{UpdateError, User, Users},
};

/// Reads, changes and deletes accounts.
#[derive(Clone, Debug)]
pub struct Accounts {
    pub users: Users,
    /// The marks of learners whose data was erased.
    pub erasures: Erasures,
    /// The user pool.
    pub pool: UserPool,
    /// The erasure worker's queue.
    pub queue: ErasureQueue,
    pub bus: Bus,
}

/// Why an operation on an account fails.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    #[error("the deletion of this account was requested; it cannot be used any more")]
    Deleted,
    #[error("the profile has version {0} now: read it again and apply the change to that version")]
    Changed(u64),
    /// The user pool does not know the caller, or failed.
    #[error(transparent)]
    Pool(PoolError),
    #[error("a store failed")]
    Failed(#[source] anyhow::Error),
}

impl Accounts {
    /// Returns the record of a learner, which is created if it is missing.
    ///
    /// # Errors
    /// [`AccountError::Deleted`]; if the record is missing, also [`AccountError::Pool`].
    pub async fn open(&self, user_id: &UserId) -> Result<User, AccountError> {
        let user = self.find(user_id).await?;
        if user.deletion_requested_at.is_some() { Err(AccountError::Deleted) } else { Ok(user) }
    }

    /// Checks that the account can be used.
    ///
    /// # Errors
    /// [`AccountError::Deleted`].
    pub async fn require_usable(&self, user_id: &UserId) -> Result<(), AccountError> {
        self.defaults(user_id).await.map(drop)
    }

    /// Returns the profile, for fields that a request leaves out. Without a record it is the profile of a new one: a
    /// conversation does not wait for the user pool.
    ///
    /// # Errors
    /// [`AccountError::Deleted`].
    pub async fn defaults(&self, user_id: &UserId) -> Result<Profile, AccountError> {
        match self.users.get(user_id).await.map_err(AccountError::Failed)? {
            Some(user) if user.deletion_requested_at.is_some() => Err(AccountError::Deleted),
            Some(user) => Ok(user.profile),
            None if self.erasures.has(user_id).await.map_err(AccountError::Failed)? => {
                Err(AccountError::Deleted)
            }
            None => Ok(Profile::new(String::new())),
        }
    }

    /// Replaces the profile of the record that has `version`.
    ///
    /// # Errors
    /// [`AccountError::Changed`] if the record has another version; [`AccountError::Deleted`].
    pub async fn change(
        &self,
        user_id: &UserId,
        version: u64,
        profile: &Profile,
    ) -> Result<User, AccountError> {
        let updated = self.users.update(user_id, version, profile, Timestamp::now()).await;
        let user = updated.map_err(|error| match error {
            UpdateError::Changed(current) => AccountError::Changed(current.version),
            UpdateError::Deleting | UpdateError::NotFound => AccountError::Deleted,
            UpdateError::Failed(error) => AccountError::Failed(error),
        })?;
        if let Err(error) = self.pool.mirror(user_id, &user.profile).await {
            let error = format!("{:#}", anyhow::Error::from(error));
            tracing::warn!(error, "failed to mirror a changed profile into the user pool");
        }
        Ok(user)
    }

    /// Gives the account of a learner whose sign-up was just confirmed its profile.
    ///
    /// # Errors
    /// As [`Self::change`].
    pub async fn begin(&self, user_id: &UserId, profile: &Profile) -> Result<(), AccountError> {
        let new = User::new(user_id.clone(), profile.clone(), Timestamp::now());
        // On AWS the trigger of the user pool has created the record already, from attributes that hold no profile yet.
        let user = self.users.create_if_missing(new).await.map_err(AccountError::Failed)?;
        self.change(user_id, user.version, profile).await.map(drop)
    }

    /// Requests the deletion of the learner's account and returns the time of the first request. Repeated requests are
    /// published again.
    ///
    /// # Errors
    /// [`AccountError::Deleted`] if the record is gone already; [`AccountError::Failed`] if the request was not recorded.
    pub async fn delete(&self, user_id: &UserId) -> Result<Timestamp, AccountError> {
        self.request_deletion(&self.find(user_id).await?, Timestamp::now()).await
    }

    /// Requests the deletion of the account of `user` at `now` and returns the time of the first request.
    ///
    /// # Errors
    /// As [`Self::delete`].
    pub async fn request_deletion(&self, user: &User, now: Timestamp) -> Result<Timestamp, AccountError> {
        let now = Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now);
        let requested_at = user.deletion_requested_at.unwrap_or(now);
        let event = deletion_requested(&user.user_id, requested_at);
        // The delayed copy comes first: alone it does no harm, while a record without any event would stay undeleted.
        let copied = self.queue.send(&event, COPY_DELAY_SECONDS).await;
        copied.map_err(|failure| AccountError::Failed(anyhow!("{failure}")))?;
        let noted =
            self.users.request_deletion(&user.user_id, requested_at).await.map_err(AccountError::Failed)?;
        let requested_at = noted.ok_or(AccountError::Deleted)?;
        let event = deletion_requested(&user.user_id, requested_at);
        if let Err(error) = self.bus.publish(&[event]).await {
            tracing::warn!(error = %error, "failed to publish a deletion: the delayed copy triggers it");
        }
        Ok(requested_at)
    }

    /// The record of the learner, even if its deletion was requested.
    async fn find(&self, user_id: &UserId) -> Result<User, AccountError> {
        if let Some(user) = self.users.get(user_id).await.map_err(AccountError::Failed)? {
            return Ok(user);
        }
        if self.erasures.has(user_id).await.map_err(AccountError::Failed)? {
            return Err(AccountError::Deleted);
        }
        let owner = self.pool.user(user_id.as_str()).await.map_err(AccountError::Pool)?;
        let user = User::new(user_id.clone(), owner.profile, Timestamp::now());
        tracing::warn!("creating the missing record of a learner from the attributes of the user pool");
        self.users.create_if_missing(user).await.map_err(AccountError::Failed)
    }
}
