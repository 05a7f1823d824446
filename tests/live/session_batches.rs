//! The read that looks at the sessions of all open sockets of a task.

use ingress::{
    account::browser::Browser,
    store::sessions::{BATCH_MAX, SessionStore, StoredSession},
};
use jiff::Timestamp;
use tests::{
    deployment::SESSIONS,
    live::{Live, LiveOptions, block_on},
};
use uuid::Uuid;

const LEARNER: &str = "learner-1";

#[test]
fn ended_sessions_of_a_whole_batch_are_found_in_one_request() {
    block_on(async {
        let live = Live::start(LiveOptions::default()).await.unwrap();
        let dynamodb = aws_sdk_dynamodb::Client::new(&live.cloud.sdk_config("test"));
        let store = SessionStore::new(dynamodb, SESSIONS.to_owned());
        let (now, expired, missing) = (Timestamp::now(), 7, BATCH_MAX - 1);
        let id = |number: usize| Uuid::from_u128(number as u128);
        for number in 0..missing {
            let session = StoredSession {
                user_id: LEARNER.parse().unwrap(),
                session_id: id(number),
                generation: 0,
                rotated_at: now,
                stepped_up_at: None,
                browser: Browser::default(),
                sealed: String::new(),
                expires_at: now.as_second() + i64::from(number != expired),
            };
            store.create(&session).await.unwrap();
        }
        let watched: Vec<_> = (0..BATCH_MAX).map(|number| (id(number), LEARNER.parse().unwrap())).collect();
        let ended = store.ended_of(&watched, now).await.unwrap();
        assert_eq!(ended, [id(expired), id(missing)].into());
        live.stop().await.unwrap();
    });
}
