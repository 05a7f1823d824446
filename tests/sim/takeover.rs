//! The owner of a conversation changes, through the real journal: a former owner that handed over, lost the conversation or
//! was frozen writes nothing.

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use events::{
    contract::{ConversationId, EndReason, Turn, Usage, UserId, live::MetObjective},
    journal::{
        End, Eraser, Handover, Journal, JournalError, LEASE_SECONDS, Ownership, Progress, Start, State,
        WATCH_DELAY_SECONDS,
    },
    pipeline::names::erasure_effect,
    runtime::env::{self, Simulated},
};
use jiff::{SignedDuration, Timestamp};
use tests::{
    deployment::{CONVERSATIONS, EFFECTS, outputs},
    journalled,
    model::Cloud,
};

use crate::world::furnish;

/// A journal, and a conversation that "ingress-1" has started in it.
async fn started() -> (Simulated, Journal, Ownership) {
    let simulated = Simulated::start("2026-11-24T08:00:00Z".parse().expect("a time"), 1);
    let cloud = Cloud::new(1);
    furnish(&cloud);
    let sdk = cloud.sdk_config("ingress");
    let journal = journalled::journal(&sdk, &outputs(), WATCH_DELAY_SECONDS);
    let id = ConversationId::new(env::now(), [7; 10]);
    let user_id = "learner-1".parse().expect("a valid user id");
    let start = Start { voice: Some("amy".to_owned()), ..journalled::start(id, user_id, "UTC", "ingress-1") };
    let own = journal.start(&start, env::now()).await.expect("the id is new");
    (simulated, journal, own)
}

fn turn(index: u32) -> Turn {
    journalled::turn(ConversationId::new(Timestamp::UNIX_EPOCH, [7; 10]), index, false, "the bridge")
}

/// A request of the start that takes effect after the erasure of the learner's data does not bring the conversation back.
#[tokio::test(start_paused = true)]
async fn late_start_of_an_erased_learner_is_refused_and_leaves_no_header() {
    let _world = Simulated::start("2026-11-24T08:00:00Z".parse().expect("a time"), 1);
    let cloud = Cloud::new(1);
    furnish(&cloud);
    let sdk = cloud.sdk_config("ingress");
    let journal = journalled::journal(&sdk, &outputs(), WATCH_DELAY_SECONDS);
    let id = ConversationId::new(env::now(), [7; 10]);
    let user_id: UserId = "learner-1".parse().expect("a valid user id");
    let start = journalled::start(id, user_id.clone(), "UTC", "ingress-1");
    journal.start(&start, env::now()).await.expect("the id is new");

    let dynamodb = aws_sdk_dynamodb::Client::new(&sdk);
    let tombstone = AttributeValue::S(erasure_effect(&user_id));
    dynamodb.put_item().table_name(EFFECTS).item("effectId", tombstone).send().await.unwrap();
    Eraser::new(dynamodb, CONVERSATIONS).erase(id).await.unwrap();
    let refused = journal.start(&start, env::now()).await.unwrap_err();
    assert!(matches!(refused, JournalError::Erased), "{refused}");
    assert_eq!(journal.header(id).await.unwrap(), None);
}

/// All operations of an owner are refused.
async fn assert_fenced(journal: &Journal, own: &Ownership) {
    let fenced = |error: JournalError| assert!(matches!(error, JournalError::Fenced), "{error}");
    fenced(journal.append(own, &turn(9)).await.expect_err("it is a former owner"));
    fenced(journal.renew(own, env::now()).await.expect_err("it is a former owner"));
    fenced(journal.record_objectives(own, &[]).await.expect_err("it is a former owner"));
    fenced(journal.is_handover_requested(own).await.expect_err("it is a former owner"));
    let end = End::of_turns(EndReason::Learner, Usage::default(), &[]);
    fenced(journal.end(own, &end, env::now()).await.expect_err("it is a former owner"));
    let handover = Handover { reason: EndReason::Shutdown, progress: Progress::default() };
    fenced(journal.hand_over(own, &handover, env::now()).await.expect_err("it is a former owner"));
}

#[tokio::test(start_paused = true)]
async fn an_owner_that_is_asked_lets_go_and_the_next_one_goes_on() {
    let (_world, journal, first) = started().await;
    let id = first.conversation_id;
    journal.append(&first, &turn(0)).await.unwrap();
    let met = vec![MetObjective { objective: "Use colours".to_owned(), turn: 0 }];
    journal.record_objectives(&first, &met).await.unwrap();
    assert!(!journal.renew(&first, env::now()).await.unwrap());
    assert!(!journal.is_handover_requested(&first).await.unwrap());

    journal.request_handover(id, "ingress-2").await.unwrap();
    assert!(journal.is_handover_requested(&first).await.unwrap());
    assert!(journal.renew(&first, env::now()).await.unwrap());
    let progress = Progress {
        heard_samples: Some(16_000),
        unfinished_audio_key: Some("audio/learner-1/x/unfinished-1.wav".to_owned()),
        ..Progress::default()
    };
    let handover = Handover { reason: EndReason::Disconnected, progress: progress.clone() };
    let until = env::now() + SignedDuration::from_secs(60);
    journal.hand_over(&first, &handover, until).await.unwrap();
    assert_fenced(&journal, &first).await;

    let second = journal.seize(id, "ingress-2", env::now()).await.unwrap();
    assert_eq!(second.progress, progress);
    assert!(!journal.is_handover_requested(&second.own).await.unwrap());
    journal.append(&second.own, &turn(1)).await.unwrap();
    let stored = journal.load(id).await.unwrap().unwrap();
    assert_eq!(stored.turns, [turn(0), turn(1)]);
    assert_eq!((stored.header.start.owner.as_str(), stored.header.handed_over_as), ("ingress-2", None));
    assert_eq!(stored.header.start.voice.as_deref(), Some("amy"));
    assert_eq!(stored.header.objectives_met, Some(met));
}

#[tokio::test(start_paused = true)]
async fn a_frozen_owner_that_wakes_up_writes_nothing() {
    let (_world, journal, frozen) = started().await;
    let id = frozen.conversation_id;
    // The lease is fresh. Only a task with the learner's client may take over.
    let held = journal.take_over(id, "watchdog", env::now()).await.unwrap_err();
    assert!(matches!(held, JournalError::Held { .. }), "{held}");
    let seized = journal.seize(id, "ingress-2", env::now()).await.unwrap();
    assert_eq!(seized.progress.heard_samples, None);
    assert_fenced(&journal, &frozen).await;
    assert_eq!(journal.load(id).await.unwrap().unwrap().turns, []);

    // The state of an earlier handover is not the state of this takeover.
    let again = journal.seize(id, "ingress-3", env::now()).await.unwrap();
    assert_eq!((again.own.epoch, again.progress), (3, Progress::default()));
    assert_fenced(&journal, &seized.own).await;
}

#[tokio::test(start_paused = true)]
async fn what_nobody_takes_up_is_ended_once_its_time_is_over() {
    let (_world, journal, own) = started().await;
    let id = own.conversation_id;
    let mut progress = Progress::default();
    progress.usage.input.speech_tokens = 5;
    let handover = Handover { reason: EndReason::Shutdown, progress };
    let until = env::now() + SignedDuration::from_secs(10);
    journal.hand_over(&own, &handover, until).await.unwrap();
    assert!(journal.take_over(id, "watchdog", env::now()).await.is_err());
    tokio::time::sleep(Duration::from_secs(10)).await;
    let watchdog = journal.take_over(id, "watchdog", env::now()).await.unwrap();
    let header = journal.header(id).await.unwrap().unwrap();
    assert_eq!(header.handed_over_as, Some(EndReason::Shutdown));
    assert_eq!(header.progress.map(|progress| progress.usage.input.speech_tokens), Some(5));

    let end = End::of_turns(EndReason::Shutdown, Usage::default(), &[]);
    journal.end(&watchdog, &end, env::now()).await.unwrap();
    assert_eq!(journal.header(id).await.unwrap().unwrap().state(), State::Ended);
    for refused in [
        journal.seize(id, "ingress-2", env::now()).await.map(drop),
        journal.request_handover(id, "ingress-2").await,
    ] {
        assert!(matches!(refused.unwrap_err(), JournalError::Ended));
    }
}

#[tokio::test(start_paused = true)]
async fn a_conversation_that_was_taken_up_and_lost_is_not_taken_for_one_that_was_let_go() {
    let (_world, journal, own) = started().await;
    let id = own.conversation_id;
    let handover = Handover { reason: EndReason::Shutdown, progress: Progress::default() };
    journal.hand_over(&own, &handover, env::now() + SignedDuration::from_secs(60)).await.unwrap();
    journal.seize(id, "ingress-2", env::now()).await.unwrap();
    tokio::time::sleep(Duration::from_secs(LEASE_SECONDS.unsigned_abs())).await;
    journal.take_over(id, "watchdog", env::now()).await.unwrap();
    assert_eq!(journal.header(id).await.unwrap().unwrap().handed_over_as, None);
}
