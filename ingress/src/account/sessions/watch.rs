//! The loop that ends the sockets and streams of ended sessions: it looks at the items of the watched sessions and listens to the
//! other tasks.

use std::time::Duration;

use events::{contract::UserId, runtime::env};
use futures_util::{StreamExt as _, stream};
use uuid::Uuid;

use super::{AccountSessions, CHANNEL, CHECK_INTERVAL};
use crate::{coordination::Heard, store::sessions::BATCH_MAX};

/// Concurrent reads for open sockets, of [`BATCH_MAX`] sessions each.
const CHECKS_AT_ONCE: usize = 4;

/// Pause before another attempt to subscribe; until then the checks alone find the ended sessions.
const SUBSCRIBE_PAUSE: Duration = Duration::from_secs(2);

impl AccountSessions {
    /// Looks at the watched sessions and listens to the other tasks, forever.
    pub async fn keep_watch(&self) {
        tokio::join!(self.listen(), async {
            loop {
                tokio::time::sleep(CHECK_INTERVAL).await;
                self.check_watched().await;
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

    /// One read for many sessions: a read for each costs more than their audio.
    async fn check_watched(&self) {
        let watched = self.watched.all();
        let check = async |batch: &[(Uuid, UserId)]| {
            // A failure to read leaves the sockets open until the next look.
            let ended = self.store.ended_of(batch, env::now()).await.unwrap_or_default();
            ended.into_iter().for_each(|session_id| self.forget(session_id));
        };
        stream::iter(watched.chunks(BATCH_MAX)).for_each_concurrent(CHECKS_AT_ONCE, check).await;
    }
}
