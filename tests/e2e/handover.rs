//! Conversations that move to another ingress task: when their task stops, when the learner's connection is cut, and when
//! their task is killed. Without another task the watchdog ends them.

use std::{
    num::NonZeroUsize,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context as _, ensure};
use events::{
    contract::{EndReason, Speaker, live::CaptionStage},
    workers::Worker,
};
use futures_util::future::try_join_all;
use infra::{
    client::{Learner, Script, SessionEvent},
    local::{Instance, Service},
};
use tests::{
    system::{Delivery, System, await_some},
    tcp_proxy::TcpProxy,
};
use tokio::sync::watch;

use crate::{
    alone,
    conversations::{self, FinishedConversation},
};

/// Conversations of the ingress that is stopped.
const AT_ONCE: usize = 4;

/// How many times faster than people the learners speak and listen.
const PACE: f64 = 3.0;

/// The time between the starts of conversations, so that they are at different places when the ingress is stopped.
const STAGGER: Duration = Duration::from_millis(700);

/// The time from the start of a sentence to its middle, at normal pace.
const TO_THE_MIDDLE: Duration = Duration::from_millis(400);

/// The longest time until the conversations reach the planned place.
const THERE_WITHIN: Duration = Duration::from_secs(30);

/// Seconds for which a conversation waits for its next owner after a handover.
const GRACE_SECONDS: u64 = 6;

/// The longest time until the watchdog has ended the conversations without an owner: the grace time, its delay, and a margin.
const ENDED_WITHIN: Duration = Duration::from_secs(40);

const FIRST: Instance = Instance { service: Service::Ingress, copy: 0 };
const SECOND: Instance = Instance { service: Service::Ingress, copy: 1 };

/// The activity of a learner.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Doing {
    #[default]
    Waiting,
    /// Speaks the line with this index.
    Speaking(usize),
    /// Hears a sentence of the tutor after this number of lines.
    Hearing(usize),
}

/// The current activities of all learners.
type Scene = watch::Sender<Vec<Doing>>;

#[tokio::test(flavor = "multi_thread")]
async fn conversations_go_on_at_another_task_word_for_word() -> anyhow::Result<()> {
    let _place = alone().await;
    let system = System::start_with("handover", Delivery::Once, |options| {
        options.ingress_copies = NonZeroUsize::MIN.saturating_add(1);
        let grace = ("NOVA_GRACE_SECONDS".to_owned(), GRACE_SECONDS.to_string());
        options.environment.push((Service::Ingress, grace.0, grace.1));
        for service in [Service::Ingress, Worker::Watchdog.into()] {
            options.environment.push((service, "NOVA_WATCH_DELAY_SECONDS".to_owned(), "4".to_owned()));
        }
    })
    .await?;
    let learners = conversations::learners(&system, AT_ONCE + 4).await?;
    let mut finished = stopped(&system, &learners[..AT_ONCE]).await.context("the ingress stops")?;
    system.stack.restart(FIRST).await?;
    finished.push(cut_off(&system, &learners[AT_ONCE]).await.context("the connection is cut")?);
    finished.push(killed(&system, &learners[AT_ONCE + 1]).await.context("the ingress is killed")?);
    conversations::check_results(&system, &finished).await?;
    check_takeovers(&system, &finished).await?;
    system.stack.restart(FIRST).await?;
    both_stopped(&system, &learners[AT_ONCE + 2..], finished.len()).await.context("no ingress is left")?;
    conversations::check_pipeline(&system, finished.len() + 2).await?;
    system.stop().await
}

/// The ingress is stopped while one learner is in the middle of a sentence and another hears one.
async fn stopped(system: &System, learners: &[Learner]) -> anyhow::Result<Vec<FinishedConversation>> {
    let other = &system.stack.urls()[1];
    let scene = Scene::new(vec![Doing::Waiting; learners.len()]);
    let conversations = try_join_all(learners.iter().enumerate().map(async |(n, learner)| {
        // Not a wait for a condition: the time between the starts.
        tokio::time::sleep(STAGGER * u32::try_from(n)?).await;
        converse(&learner.at(&[system.stack.url(), other]), n, &scene).await
    }));
    let stop = async {
        in_the_middle(&scene, |all| {
            let speaking = all.iter().any(|doing| matches!(doing, Doing::Speaking(1..)));
            speaking && all.iter().any(|doing| matches!(doing, Doing::Hearing(1..)))
        })
        .await?;
        let status = system.stack.terminate(FIRST).await?;
        ensure!(status.success(), "the ingress ended with {status}");
        anyhow::Ok(())
    };
    let (finished, ()) = futures_util::future::try_join(conversations, stop).await?;
    Ok(finished)
}

/// The learner's connection is cut in the middle of a sentence. Only the other ingress is reachable.
async fn cut_off(system: &System, learner: &Learner) -> anyhow::Result<FinishedConversation> {
    let proxy = TcpProxy::start(&system.stack.urls()[0]).await?;
    let learner = learner.at(&[&proxy.url(), &system.stack.urls()[1]]);
    let scene = Scene::new(vec![Doing::Waiting]);
    let cut = async {
        in_the_middle(&scene, |all| all[0] == Doing::Speaking(1)).await?;
        proxy.cut();
        anyhow::Ok(())
    };
    let (finished, ()) = futures_util::future::try_join(converse(&learner, 0, &scene), cut).await?;
    Ok(finished)
}

/// The ingress is killed while the learner is in the middle of a sentence, which the learner then repeats.
async fn killed(system: &System, learner: &Learner) -> anyhow::Result<FinishedConversation> {
    let learner = learner.at(&[&system.stack.urls()[0], &system.stack.urls()[1]]);
    let scene = Scene::new(vec![Doing::Waiting]);
    let kill = async {
        in_the_middle(&scene, |all| all[0] == Doing::Speaking(1)).await?;
        system.stack.kill(FIRST).await
    };
    let (finished, ()) = futures_util::future::try_join(converse(&learner, 0, &scene), kill).await?;
    Ok(finished)
}

/// Both ingresses are stopped. The watchdog ends their conversations once, as `shutdown`.
async fn both_stopped(system: &System, learners: &[Learner], before: usize) -> anyhow::Result<()> {
    let scene = Scene::new(vec![Doing::Waiting; learners.len()]);
    let urls = system.stack.urls();
    let conversations = try_join_all(
        learners
            .iter()
            .zip(urls)
            .enumerate()
            .map(async |(n, (learner, url))| converse(&learner.at(&[url]), n, &scene).await),
    );
    let stop = async {
        in_the_middle(&scene, |all| all.iter().all(|doing| matches!(doing, Doing::Speaking(1..)))).await?;
        let both = (system.stack.terminate(FIRST), system.stack.terminate(SECOND));
        let both = futures_util::future::try_join(both.0, both.1).await?;
        ensure!(both.0.success() && both.1.success(), "the ingresses ended with {both:?}");
        anyhow::Ok(())
    };
    tokio::select! {
        stopped = stop => stopped?,
        finished = conversations => anyhow::bail!("conversations ended normally: {}", finished?.len()),
    }
    await_some("the other conversations are ended and published", ENDED_WITHIN, async || {
        let transcripts = system.results.transcripts().await?;
        let mut reasons: Vec<EndReason> = transcripts.values().map(|transcript| transcript.reason).collect();
        reasons.retain(|reason| *reason != EndReason::Learner);
        let all = transcripts.len() == before + learners.len();
        let right = all && reasons == vec![EndReason::Shutdown; learners.len()];
        Ok(if right { Ok(()) } else { Err(format!("{} transcripts, {reasons:?}", transcripts.len())) })
    })
    .await
}

async fn converse(learner: &Learner, n: usize, scene: &Scene) -> anyhow::Result<FinishedConversation> {
    let script = Script { pace: PACE, ..conversations::script_of(n, 4) };
    let backs = Arc::new(Mutex::new(0));
    let mut lines = 0;
    let conversation = learner
        .converse_observed(&script, |event| {
            let doing = match event {
                SessionEvent::Speaking(line) => {
                    lines = line + 1;
                    Doing::Speaking(*line)
                }
                SessionEvent::Caption {
                    speaker: Speaker::Tutor, stage: CaptionStage::Speculative, ..
                } => Doing::Hearing(lines),
                SessionEvent::Turn(turn) if turn.speaker == Speaker::Tutor => Doing::Waiting,
                SessionEvent::Reconnected => {
                    *backs.lock().unwrap_or_else(PoisonError::into_inner) += 1;
                    return;
                }
                SessionEvent::Ready
                | SessionEvent::Model { .. }
                | SessionEvent::Caption { .. }
                | SessionEvent::Turn(_)
                | SessionEvent::Flush
                | SessionEvent::ModelLost
                | SessionEvent::ModelRestored
                | SessionEvent::ConnectionLost => return,
            };
            scene.send_modify(|all| all[n] = doing);
        })
        .await
        .with_context(|| format!("learner {n}"))?;
    let backs = *backs.lock().unwrap_or_else(PoisonError::into_inner);
    ensure!(backs == 1, "learner {n} came back {backs} times");
    Ok(FinishedConversation { user_id: learner.user_id().clone(), script, conversation })
}

/// Waits until the learners are `there`, and then until the middle of a sentence.
async fn in_the_middle(scene: &Scene, there: impl FnMut(&Vec<Doing>) -> bool) -> anyhow::Result<()> {
    let mut seen = scene.subscribe();
    let reached = tokio::time::timeout(THERE_WITHIN, seen.wait_for(there)).await;
    reached.context("the conversations did not reach the place")?.context("no conversation is running")?;
    // Not a wait for a condition: the middle of the sentence.
    tokio::time::sleep(TO_THE_MIDDLE.div_f64(PACE)).await;
    Ok(())
}

/// The metrics of each conversation count one takeover.
async fn check_takeovers(system: &System, finished: &[FinishedConversation]) -> anyhow::Result<()> {
    let transcripts = system.results.transcripts().await?;
    for finished in finished {
        let id = finished.conversation.conversation_id;
        let transcript = transcripts.get(&id).context("no transcript")?;
        let takeovers = transcript.metrics.map(|metrics| metrics.takeovers);
        ensure!(takeovers == Some(1), "{id} was taken over {takeovers:?} times");
    }
    Ok(())
}
