//! A learner who asks for the deletion of the account in the middle of everything: through the real accounts of the
//! ingress, whose process may die at any point. Who gets no answer asks again, or lets it be.

use std::sync::Arc;

use aws_config::SdkConfig;
use events::{account::ErasureQueue, bus::Bus, contract::UserId, runtime::env};
use ingress::{
    account::accounts::Accounts,
    account::profile::Profile,
    account::user_pool::UserPool,
    store::{
        erasures::Erasures,
        users::{User, Users},
    },
};
use tests::model::{Cloud, queue_url};

use crate::{
    observed::Observed,
    plan::{LEARNERS, learner},
    processes::skew,
};
use tests::deployment::{BUS, EFFECTS, USERS};

/// The accounts as an ingress sees them.
pub(crate) fn open(sdk: &SdkConfig) -> Accounts {
    let dynamodb = aws_sdk_dynamodb::Client::new(sdk);
    Accounts {
        users: Users::new(dynamodb.clone(), USERS.to_owned()),
        erasures: Erasures::new(dynamodb, EFFECTS.to_owned()),
        pool: UserPool::new(sdk, "pool".to_owned(), "client".to_owned()),
        queue: ErasureQueue::new(aws_sdk_sqs::Client::new(sdk), queue_url("nova-erasure")),
        bus: Bus::new(aws_sdk_eventbridge::Client::new(sdk), BUS, "nova.ingress"),
    }
}

/// Makes the records of all learners.
pub(crate) async fn sign_up(cloud: &Cloud) {
    let users = open(&cloud.sdk_config("sign-up")).users;
    for number in 0..LEARNERS {
        let user = User::new(learner(number), Profile::new("Somebody".to_owned()), env::now());
        users.create_if_missing(user).await.expect("no fault is injected");
    }
}

/// The learner asks, until the answer says that it will be.
pub(crate) async fn leave(cloud: Cloud, user_id: UserId, skew_max_seconds: f64, observed: Arc<Observed>) {
    let pause = cloud.state().seconds(0.0, 250.0);
    tokio::time::sleep(pause).await;
    for attempt in 0u32.. {
        let name = format!("account-{attempt}");
        let process = cloud.process(&name, skew(&cloud, skew_max_seconds));
        let (death, accounts) = (cloud.death_of(&name), open(&cloud.sdk_config(&name)));
        let asking = user_id.clone();
        let mut asked = process.spawn(async move {
            let user = accounts.users.get(&asking).await.ok()??;
            accounts.request_deletion(&user, env::now()).await.ok()
        });
        let dies_after = {
            let mut state = cloud.state();
            (state.below(2) == 0).then(|| state.seconds(0.0, 0.2))
        };
        let dying = async {
            match dies_after {
                Some(after) => tokio::time::sleep(after).await,
                None => std::future::pending().await,
            }
            cloud.doom(&name);
            std::future::pending::<()>().await;
        };
        let answered = tokio::select! {
            biased;
            () = death.cancelled() => None,
            answered = &mut asked => answered.ok().flatten(),
            () = dying => None,
        };
        if answered.is_some() {
            observed.promised(&user_id);
            return;
        }
        let (lets_it_be, pause) = {
            let mut state = cloud.state();
            (state.below(4) == 0, state.seconds(2.0, 30.0))
        };
        if lets_it_be {
            return;
        }
        tokio::time::sleep(pause).await;
    }
}
