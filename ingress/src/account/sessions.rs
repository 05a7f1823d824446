//! Sessions: what a sign-in begins. The page holds a cookie and an access token; the pool's tokens stay here, the refresh
//! token encrypted in the Sessions table.
//!
//! Each refresh replaces the cookie. The one before is accepted for [`GRACE`], because two tabs refresh at once or a response
//! was lost; a still older one, or that one later, was copied, and ends the session.
//!
//! A session has ended when its item is gone. A task reads the item at most once in [`CHECK_INTERVAL`] for the requests of a
//! session, and as often for its open sockets. A message through [`Coordination`] makes the other tasks look at once. So the
//! end takes effect everywhere within seconds, also when the message is lost or the item was deleted by another program.

mod checked;
mod cookie;
mod listed;
mod secrets;
mod watch;
mod watched;

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use events::{contract::UserId, runtime::env};
use jiff::Timestamp;
use secrecy::SecretString;
use tokio::time::Instant;
use uuid::Uuid;

use self::{checked::Checked, cookie::SessionCookie, secrets::Secrets, watched::Watched};
use super::{
    auth::{AccessTokens, Caller},
    browser::Browser,
    keyring::Keyring,
    user_pool::{PoolError, Tokens, UserPool},
};
use crate::{
    coordination::Coordination,
    metrics::Metrics,
    security::{SecurityEvent, security_event},
    store::sessions::{SessionStore, StoredSession},
};

pub use listed::ListedSession;
pub use watched::SessionWatch;

/// Lifetime of a session, in seconds: that of the user pool's refresh token.
pub const SESSION_SECONDS: i64 = 30 * 24 * 60 * 60;

/// How long the previous cookie is accepted.
pub const GRACE: Duration = Duration::from_secs(10);

/// How long a proof of password and second factor allows changes of the account.
pub const STEP_UP_TIME: Duration = Duration::from_secs(300);

/// How long a session that was found in the table counts as not ended.
pub const CHECK_INTERVAL: Duration = Duration::from_secs(3);

const CHANNEL: &str = "ended-sessions";

/// Begins, refreshes, checks and ends sessions.
#[derive(Debug)]
pub struct AccountSessions {
    store: SessionStore,
    keyring: Keyring,
    tokens: AccessTokens,
    pool: UserPool,
    coordination: Arc<Coordination>,
    metrics: Arc<Metrics>,
    checked: Checked,
    watched: Watched,
}

/// A begun or refreshed session.
#[derive(Debug)]
pub struct OpenSession {
    /// Its owner.
    pub caller: Caller,
    /// The access token.
    pub access: SecretString,
    /// The value of the cookie.
    pub cookie: SecretString,
    /// Remaining lifetime of the session, in seconds.
    pub seconds_left: u32,
}

/// Why a session cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// It was signed out, has expired, or was never there.
    #[error("the session has ended")]
    Ended,
    /// The user pool failed.
    #[error(transparent)]
    Pool(PoolError),
    /// The table failed.
    #[error("the Sessions table failed")]
    Failed(#[source] anyhow::Error),
}

impl AccountSessions {
    /// Sessions in `store`, for the users of `pool`.
    #[must_use]
    pub fn new(
        store: SessionStore,
        keyring: Keyring,
        pool: UserPool,
        coordination: Arc<Coordination>,
        metrics: Arc<Metrics>,
    ) -> Self {
        let tokens = AccessTokens::new(keyring.clone());
        Self {
            store,
            keyring,
            tokens,
            pool,
            coordination,
            metrics,
            checked: Checked::default(),
            watched: Watched::default(),
        }
    }

    /// Signs and verifies the access tokens of the sessions.
    #[must_use]
    pub fn tokens(&self) -> &AccessTokens {
        &self.tokens
    }

    /// Begins a session of `browser` with the tokens of a completed sign-in.
    ///
    /// # Errors
    /// [`SessionError::Failed`].
    pub async fn begin(&self, signed_in: &Tokens, browser: Browser) -> Result<OpenSession, SessionError> {
        let now = env::now();
        let session = self.item(env::random_uuid(), signed_in, now).map_err(SessionError::Failed)?;
        let session = StoredSession { browser, ..session };
        self.store.create(&session).await.map_err(SessionError::Failed)?;
        self.checked.note(&session, Instant::now());
        Ok(self.open(&session, signed_in, now))
    }

    /// The item of a session that begins at `now` with the tokens of a completed sign-in.
    ///
    /// # Errors
    /// The tokens are not those of a sign-in, or the system has no random numbers.
    pub fn item(
        &self,
        session_id: Uuid,
        signed_in: &Tokens,
        now: Timestamp,
    ) -> anyhow::Result<StoredSession> {
        let refresh = signed_in.refresh.clone().context("the pool returned no refresh token")?;
        let secrets = Secrets { username: signed_in.username.clone(), refresh };
        Ok(StoredSession {
            user_id: signed_in.user_id.clone(),
            session_id,
            generation: 0,
            rotated_at: now,
            stepped_up_at: Some(now),
            browser: Browser::default(),
            sealed: secrets.seal(&self.keyring, session_id)?,
            expires_at: now.as_second() + SESSION_SECONDS,
        })
    }

    /// Refreshes the session of a cookie: a new access token with the roles that the user has in the pool now, and a new
    /// cookie.
    ///
    /// # Errors
    /// See [`SessionError`]. After [`SessionError::Ended`] the cookie is of no use.
    pub async fn refresh(&self, cookie: &str) -> Result<OpenSession, SessionError> {
        let cookie = SessionCookie::read(cookie, &self.keyring).ok_or(SessionError::Ended)?;
        let session = self.find(&cookie.user_id, cookie.session_id).await?;
        self.check_reuse(&cookie, &session).await?;
        let secrets = self.secrets(&session)?;
        let tokens = match self.pool.refresh(&secrets.refresh, &secrets.username).await {
            Ok(tokens) => tokens,
            // The user was signed out, disabled or deleted in the pool.
            Err(PoolError::Refused | PoolError::Invalid) => {
                self.end(&session.user_id, session.session_id).await?;
                return Err(SessionError::Ended);
            }
            Err(error) => return Err(SessionError::Pool(error)),
        };
        let session = if cookie.generation == session.generation {
            self.rotate(&cookie, session, &tokens).await?
        } else {
            session
        };
        self.checked.note(&session, Instant::now());
        Ok(self.open(&session, &tokens, env::now()))
    }

    /// Tokens of the user pool for `caller`, for calls on the caller's behalf. They must not leave the service.
    ///
    /// # Errors
    /// See [`SessionError`].
    pub async fn pool_tokens(&self, caller: &Caller) -> Result<Tokens, SessionError> {
        let session = self.find(&caller.user_id, caller.session_id).await?;
        let secrets = self.secrets(&session)?;
        let tokens = self.pool.refresh(&secrets.refresh, &secrets.username).await;
        tokens.map_err(|error| {
            let is_over = matches!(error, PoolError::Refused | PoolError::Invalid);
            if is_over { SessionError::Ended } else { SessionError::Pool(error) }
        })
    }

    /// Records that the owner of the session has just proved password and second factor. A sign-in is such a proof as well.
    ///
    /// # Errors
    /// See [`SessionError`].
    pub async fn step_up(&self, caller: &Caller) -> Result<(), SessionError> {
        let noted = self.store.step_up(&caller.user_id, caller.session_id, env::now()).await;
        if noted.map_err(SessionError::Failed)? { Ok(()) } else { Err(SessionError::Ended) }
    }

    /// Whether the owner of the session has proved password and second factor within [`STEP_UP_TIME`].
    ///
    /// # Errors
    /// See [`SessionError`].
    pub async fn is_stepped_up(&self, caller: &Caller) -> Result<bool, SessionError> {
        let is_new = |at: Timestamp| env::now().duration_since(at).unsigned_abs() <= STEP_UP_TIME;
        if self.checked.stepped_up_at(caller.session_id).is_some_and(is_new) {
            return Ok(true);
        }
        // Another task may have recorded one since.
        let session = self.find(&caller.user_id, caller.session_id).await?;
        Ok(session.stepped_up_at.is_some_and(is_new))
    }

    /// Ends the session of a cookie, here and in the pool. A cookie that is none ends nothing.
    ///
    /// # Errors
    /// See [`SessionError`].
    pub async fn sign_out(&self, cookie: &str) -> Result<(), SessionError> {
        let Some(cookie) = SessionCookie::read(cookie, &self.keyring) else { return Ok(()) };
        match self.find(&cookie.user_id, cookie.session_id).await {
            Ok(session) => self.end_with_pool(&session).await,
            Err(SessionError::Ended) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Ends all sessions of a learner here. Those of the pool are ended by [`UserPool::end_sessions`].
    ///
    /// # Errors
    /// [`SessionError::Failed`].
    pub async fn end_all(&self, user_id: &UserId) -> Result<(), SessionError> {
        // A page of ids is deleted before the next one is read, so each turn of the loop has fewer left.
        loop {
            let ids = self.store.of_learner(user_id).await.map_err(SessionError::Failed)?;
            if ids.is_empty() {
                return Ok(());
            }
            for session_id in ids {
                self.end(user_id, session_id).await?;
                security_event(&self.metrics, SecurityEvent::SessionRevoked, Some(user_id), "all sessions");
            }
        }
    }

    /// Ends the session of `caller`, here and in the pool.
    ///
    /// # Errors
    /// See [`SessionError`].
    pub async fn end_session(&self, caller: &Caller) -> Result<(), SessionError> {
        match self.find(&caller.user_id, caller.session_id).await {
            Ok(session) => self.end_with_pool(&session).await,
            Err(SessionError::Ended) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Ends the sockets and streams of all sessions of a learner, on all tasks. The sessions stay.
    ///
    /// # Errors
    /// [`SessionError::Failed`].
    pub async fn disconnect(&self, user_id: &UserId) -> Result<(), SessionError> {
        for session_id in self.store.of_learner(user_id).await.map_err(SessionError::Failed)? {
            self.announce_end(session_id).await;
        }
        Ok(())
    }

    /// Checks that the session has not ended, as far as is known since [`CHECK_INTERVAL`].
    ///
    /// # Errors
    /// See [`SessionError`].
    pub async fn require(&self, user_id: &UserId, session_id: Uuid) -> Result<(), SessionError> {
        if self.checked.is_recent(session_id) {
            return Ok(());
        }
        let began = Instant::now();
        let found = self.find(user_id, session_id).await;
        match &found {
            Ok(session) => self.checked.note(session, began),
            Err(_) => self.checked.forget(session_id),
        }
        found.map(drop)
    }

    /// Watches a session for as long as the result exists.
    #[must_use]
    pub fn watch(&self, user_id: &UserId, session_id: Uuid) -> SessionWatch {
        self.watched.add(user_id, session_id)
    }

    /// Rejects a cookie that was replaced too long ago: somebody has a copy, and the session ends.
    async fn check_reuse(&self, cookie: &SessionCookie, session: &StoredSession) -> Result<(), SessionError> {
        let is_previous = cookie.generation + 1 == session.generation;
        let in_grace = is_previous && env::now() <= session.rotated_at + GRACE;
        if cookie.generation == session.generation || in_grace {
            return Ok(());
        }
        security_event(&self.metrics, SecurityEvent::SessionReused, Some(&session.user_id), "session cookie");
        self.end_with_pool(session).await?;
        Err(SessionError::Ended)
    }

    async fn rotate(
        &self,
        cookie: &SessionCookie,
        session: StoredSession,
        tokens: &Tokens,
    ) -> Result<StoredSession, SessionError> {
        let Secrets { username, refresh } = self.secrets(&session)?;
        let secrets = Secrets { username, refresh: tokens.refresh.clone().unwrap_or(refresh) };
        let next = StoredSession {
            generation: session.generation + 1,
            rotated_at: env::now(),
            sealed: secrets.seal(&self.keyring, session.session_id).map_err(SessionError::Failed)?,
            ..session
        };
        if self.store.rotate(&next).await.map_err(SessionError::Failed)? {
            return Ok(next);
        }
        // Another tab was faster, or the SDK repeated a request whose response was lost.
        let session = self.find(&next.user_id, next.session_id).await?;
        self.check_reuse(cookie, &session).await?;
        Ok(session)
    }

    async fn find(&self, user_id: &UserId, session_id: Uuid) -> Result<StoredSession, SessionError> {
        let found = self.store.get(user_id, session_id, env::now()).await.map_err(SessionError::Failed)?;
        found.ok_or(SessionError::Ended)
    }

    async fn end_with_pool(&self, session: &StoredSession) -> Result<(), SessionError> {
        self.end(&session.user_id, session.session_id).await?;
        let Ok(secrets) = self.secrets(session) else { return Ok(()) };
        match self.pool.revoke(&secrets.refresh).await {
            // A token that the pool does not know has no session.
            Ok(()) | Err(PoolError::Refused | PoolError::Invalid) => Ok(()),
            Err(error) => Err(SessionError::Pool(error)),
        }
    }

    async fn end(&self, user_id: &UserId, session_id: Uuid) -> Result<(), SessionError> {
        self.store.delete(user_id, session_id).await.map_err(SessionError::Failed)?;
        self.announce_end(session_id).await;
        Ok(())
    }

    async fn announce_end(&self, session_id: Uuid) {
        self.forget(session_id);
        // Without the message the other tasks find the item gone within the interval of their checks.
        let _ = self.coordination.publish(CHANNEL, &session_id.to_string()).await;
    }

    /// Forgets that the session was there, and ends its sockets.
    fn forget(&self, session_id: Uuid) {
        self.checked.forget(session_id);
        self.watched.end(session_id);
    }

    fn open(&self, session: &StoredSession, tokens: &Tokens, now: Timestamp) -> OpenSession {
        let caller =
            Caller { user_id: session.user_id.clone(), roles: tokens.roles, session_id: session.session_id };
        let cookie = SessionCookie {
            user_id: session.user_id.clone(),
            session_id: session.session_id,
            generation: session.generation,
        };
        OpenSession {
            access: self.tokens.issue(&caller, now),
            caller,
            cookie: cookie.to_text(&self.keyring),
            seconds_left: u32::try_from(session.expires_at - now.as_second()).unwrap_or(0),
        }
    }

    /// The secrets of a session. One whose secrets were encrypted with a key that is gone has ended.
    fn secrets(&self, session: &StoredSession) -> Result<Secrets, SessionError> {
        Secrets::open(&self.keyring, session.session_id, &session.sealed).ok_or(SessionError::Ended)
    }
}
