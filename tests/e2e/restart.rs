//! Each process is killed (SIGKILL) while a learner talks: it is started again, and the conversation has all its results.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context as _, bail, ensure};
use infra::{
    client::{Learner, Script, SessionEvent},
    local::{Change, Part, Service, Stack},
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tests::system::{Delivery, System, await_some};
use tokio::sync::watch;

use crate::{
    alone,
    conversations::{self, FinishedConversation},
};

/// How many times faster than people the learners speak and listen.
const PACE: f64 = 3.0;

/// How long a conversation may take to reach the moment of the kill.
const THERE_WITHIN: Duration = Duration::from_secs(30);

/// How long a killed process may take until it runs again.
const RESTARTED_WITHIN: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn each_killed_process_is_started_again_and_every_conversation_has_its_results() -> anyhow::Result<()> {
    let _place = alone().await;
    let system = System::start_with("restart", Delivery::Once, |options| options.redis = true).await?;
    let parts: Vec<Part> = system.stack.parts().collect();
    let learners = conversations::learners(&system, parts.len()).await?;
    let restarted = Mutex::new(Vec::new());
    let talks = async {
        let mut talked = Vec::new();
        for (n, (part, learner)) in parts.iter().zip(&learners).enumerate() {
            let one = talk_while_killed(&system.stack, *part, learner, n).await;
            talked.push(one.with_context(|| format!("while {part} was killed"))?);
            await_some("the process runs again", RESTARTED_WITHIN, async || {
                let runs = restarted.lock().unwrap_or_else(PoisonError::into_inner).contains(part);
                Ok(if runs { Ok(()) } else { Err(part.to_string()) })
            })
            .await?;
        }
        conversations::check_pipeline(&system, talked.len()).await?;
        conversations::check_results(&system, &talked).await?;
        anyhow::Ok(())
    };
    let supervision = system.stack.supervise(|change| {
        if let Change::Restarted { part } = change {
            restarted.lock().unwrap_or_else(PoisonError::into_inner).push(*part);
        }
    });
    tokio::select! {
        talked = talks => talked?,
        gave_up = supervision => bail!("{:#}", anyhow::Error::from(gave_up)),
    }
    ensure!(system.stack.health().await.iter().all(|(_, healthy)| *healthy), "a process is not healthy");
    system.stop().await
}

/// Kills `part` while the learner says the second of two sentences; a worker at the end, when its work begins.
async fn talk_while_killed(
    stack: &Stack,
    part: Part,
    learner: &Learner,
    n: usize,
) -> anyhow::Result<FinishedConversation> {
    let script = Script { pace: PACE, ..conversations::script_of(n, 2) };
    let is_worker = matches!(part, Part::Service(instance) if instance.service != Service::Ingress);
    let (speaking, mut spoken) = watch::channel(None);
    let converse = learner.converse_observed(&script, |event| {
        if let SessionEvent::Speaking(line) = event {
            speaking.send_replace(Some(*line));
        }
    });
    let killing = async {
        if !is_worker {
            let there = tokio::time::timeout(THERE_WITHIN, spoken.wait_for(|line| *line == Some(1))).await;
            there.context("the learner does not get to the second sentence")??;
            kill_now(stack, part).await?;
        }
        anyhow::Ok(())
    };
    let (conversation, ()) = futures_util::future::try_join(converse, killing).await?;
    if is_worker {
        kill_now(stack, part).await?;
    }
    Ok(FinishedConversation { user_id: learner.user_id().clone(), script, conversation })
}

/// Not through the stack: it must find the death by itself.
async fn kill_now(stack: &Stack, part: Part) -> anyhow::Result<()> {
    let id = stack.process(part).await?.id();
    kill(Pid::from_raw(i32::try_from(id)?), Signal::SIGKILL).context("cannot kill it")
}
