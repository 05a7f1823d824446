//! A learner who requests the deletion of the account during the storm, through the real accounts of the ingress. The
//! process of the ingress may be killed at any point. Without a response the learner repeats the request or gives up.

use std::sync::Arc;

use aws_config::SdkConfig;
use events::{account::ErasureQueue, bus::Bus, contract::UserId, runtime::env};
use ingress::account::browser::Browser;
use ingress::{
    account::accounts::Accounts,
    account::profile::Profile,
    account::user_pool::UserPool,
    store::{
        erasures::Erasures,
        sessions::{SessionStore, StoredSession},
        users::{User, Users},
    },
};
use tests::{
    deployment::{BUS, EFFECTS, SESSIONS, USERS},
    journalled::Acknowledgements,
    model::{Cloud, queue_url},
};

use crate::{
    plan::{LEARNERS, learner},
    processes::skew,
};

/// The accounts of an ingress.
pub(crate) fn open(sdk: &SdkConfig) -> Accounts {
    let dynamodb = aws_sdk_dynamodb::Client::new(sdk);
    Accounts {
        users: Users::new(dynamodb.clone(), USERS.to_owned()),
        erasures: Erasures::new(dynamodb, EFFECTS.to_owned()),
        pool: UserPool::new(sdk, "pool".to_owned(), "client".to_owned(), "secret".into()),
        queue: ErasureQueue::new(aws_sdk_sqs::Client::new(sdk), queue_url("nova-erasure")),
        bus: Bus::new(aws_sdk_eventbridge::Client::new(sdk), BUS, "nova.ingress"),
    }
}

/// Creates the records of all learners, each with a session.
pub(crate) async fn sign_up(cloud: &Cloud) {
    let sdk = cloud.sdk_config("sign-up");
    let users = open(&sdk).users;
    let sessions = SessionStore::new(aws_sdk_dynamodb::Client::new(&sdk), SESSIONS.to_owned());
    for number in 0..LEARNERS {
        let user = User::new(learner(number), Profile::new("Learner".to_owned()), env::now());
        users.create_if_missing(user).await.expect("no fault is injected");
        let session = StoredSession {
            user_id: learner(number),
            session_id: env::random_uuid(),
            generation: 0,
            rotated_at: env::now(),
            stepped_up_at: None,
            browser: Browser::default(),
            sealed: String::new(),
            expires_at: i64::MAX,
        };
        sessions.create(&session).await.expect("no fault is injected");
    }
}

/// Requests the deletion until it is accepted or the learner gives up.
pub(crate) async fn request(
    cloud: Cloud,
    user_id: UserId,
    skew_max_seconds: f64,
    acknowledgements: Arc<Acknowledgements>,
) {
    let pause = cloud.state().seconds(0.0, 250.0);
    tokio::time::sleep(pause).await;
    for attempt in 0u32.. {
        let name = format!("account-{attempt}");
        let process = cloud.process(&name, skew(&cloud, skew_max_seconds));
        let (death, accounts) = (cloud.death_of(&name), open(&cloud.sdk_config(&name)));
        let id = user_id.clone();
        let mut request = process.spawn(async move {
            let user = accounts.users.get(&id).await.ok()??;
            accounts.request_deletion(&user, env::now()).await.ok()
        });
        let killed_after = {
            let mut state = cloud.state();
            (state.below(2) == 0).then(|| state.seconds(0.0, 0.2))
        };
        let kill = async {
            match killed_after {
                Some(after) => tokio::time::sleep(after).await,
                None => std::future::pending().await,
            }
            cloud.doom(&name);
            std::future::pending::<()>().await;
        };
        let accepted = tokio::select! {
            biased;
            () = death.cancelled() => None,
            result = &mut request => result.ok().flatten(),
            () = kill => None,
        };
        if accepted.is_some() {
            acknowledgements.deletion(&user_id);
            return;
        }
        let (gives_up, pause) = {
            let mut state = cloud.state();
            (state.below(4) == 0, state.seconds(2.0, 30.0))
        };
        if gives_up {
            return;
        }
        tokio::time::sleep(pause).await;
    }
}
