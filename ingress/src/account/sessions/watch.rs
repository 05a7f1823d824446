//! The loop that ends the sockets and streams of ended sessions: it looks at the items of the watched sessions and listens to the
//! other tasks.

use std::time::Duration;

use events::contract::UserId;
use futures_util::{StreamExt as _, stream};
use uuid::Uuid;

use super::{AccountSessions, CHANNEL, CHECK_INTERVAL, SessionError};
use crate::coordination::Heard;

/// Items of sessions that are read at one time for open sockets.
const CHECKS_AT_ONCE: usize = 16;

/// Pause before another attempt to subscribe; until then the checks alone find the ended sessions.
const SUBSCRIBE_PAUSE: Duration = Duration::from_secs(2);

impl AccountSessions {
    /// Looks at the watched sessions and listens to the other tasks, forever.
    pub async fn keep_watch(&self) {
        tokio::join!(self.listen(), async {
            loop {
                tokio::time::sleep(CHECK_INTERVAL).await;
                let check = async |(session_id, user_id): (Uuid, UserId)| {
                    self.check_watched(&user_id, session_id).await;
                };
                stream::iter(self.watched.all()).for_each_concurrent(CHECKS_AT_ONCE, check).await;
            }
        });
    }

    async fn listen(&self) {
        loop {
            let Ok(mut subscription) = self.coordination.subscribe(CHANNEL).await else {
                tokio::time::sleep(SUBSCRIBE_PAUSE).await;
                continue;
            };
            loop {
                match subscription.next().await {
                    Heard::Message(id) => {
                        if let Ok(session_id) = id.parse() {
                            self.forget(session_id);
                        }
                    }
                    Heard::Lagged => self.checked.forget_all(),
                }
            }
        }
    }

    async fn check_watched(&self, user_id: &UserId, session_id: Uuid) {
        // A failure to read leaves the socket open until the next look.
        if matches!(self.find(user_id, session_id).await, Err(SessionError::Ended)) {
            self.forget(session_id);
        }
    }
}
