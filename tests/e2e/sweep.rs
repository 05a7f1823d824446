//! `nova ops sweep` finds each kind of conversation that has stopped, mends it, and finds nothing afterwards.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use events::{
    contract::{ConversationId, EndReason, FeedbackLanguage, Level, Speaker, Turn, Usage},
    journal::{End, Journal, JournalConfig, LEASE_SECONDS, Start},
    pipeline::names::{readable_transcript_key, transcript_key},
    runtime::aws::s3_client,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tests::system::{Delivery, System, await_some};

use crate::{beside_others, conversations, ops::Ops};

/// How long the workers may take to mend what was found.
const MENDED_WITHIN: Duration = Duration::from_secs(60);

/// Limits of the sweep: what has just happened is overdue.
const LIMITS: [&str; 4] = ["--complete-seconds", "1", "--stage-seconds", "1"];

/// Exit code when something is missing and was not sent.
const EXIT_MISSING: i32 = 3;

/// How far a conversation came before everything about it was lost.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Reached {
    Lease,
    End,
    Publication,
}

#[tokio::test(flavor = "multi_thread")]
async fn sweep_finds_and_mends_each_gap_and_a_second_one_finds_nothing() -> anyhow::Result<()> {
    let _place = beside_others().await;
    let system = System::start("sweep", Delivery::Once).await?;
    let ops = Ops::of(&system)?;
    // A whole conversation beside them is not touched.
    let learners = conversations::learners(&system, 1).await?;
    let talked = conversations::converse_at_once(&learners).await?;
    conversations::check_results(&system, &talked).await?;
    system.await_quiet(MENDED_WITHIN).await?;

    let journal = journal_without_watchdog(&system).await?;
    let lost = stop_at(&journal, Reached::Lease).await?;
    let unpublished = stop_at(&journal, Reached::End).await?;
    let unheard = stop_at(&journal, Reached::Publication).await?;
    let expected = [
        (lost, json!(["ended"]), "watch"),
        (unpublished, json!(["published"]), "watch"),
        (unheard, json!(["transcript", "analysis", "activity"]), "replay"),
    ];

    let dry = await_some("all have stopped", MENDED_WITHIN, async || {
        let dry = ops.sweep(&[], EXIT_MISSING).await?;
        let all = dry["gaps"].as_array().is_some_and(|gaps| gaps.len() == expected.len());
        Ok(if all { Ok(dry) } else { Err(dry.to_string()) })
    })
    .await?;
    ensure!(dry["applied"] == false && dry["conversations"] == 4, "{dry:#}");
    for (id, missing, send) in &expected {
        let gaps = dry["gaps"].as_array().into_iter().flatten();
        let gap = gaps.clone().find(|gap| gap["conversationId"] == id.to_string());
        let gap = gap.with_context(|| format!("{id} is not found: {dry:#}"))?;
        ensure!((&gap["missing"], &gap["send"]) == (missing, &json!(send)), "{gap}");
    }
    ensure!(system.results.transcripts().await?.len() == 1, "a dry run sent something");
    // Of one conversation it cannot say that nothing is missing.
    ops.run(&["sweep", "--limit", "1"], false).await?;

    let applied = ops.sweep(&["--apply"], 0).await?;
    ensure!(applied["gaps"].as_array().is_some_and(|gaps| gaps.len() == expected.len()), "{applied:#}");
    await_some("nothing is missing any more", MENDED_WITHIN, async || {
        let complete = expected.iter().map(|(id, ..)| id.to_string());
        for id in complete {
            let seen = ops.json(&["conversation", &id]).await?;
            if seen["state"] != "complete" {
                return Ok(Err(seen.to_string()));
            }
        }
        Ok(Ok(()))
    })
    .await?;
    let again = ops.sweep(&["--apply"], 0).await?;
    ensure!(again["gaps"] == json!([]) && again["conversations"] == 4, "{again:#}");
    mend_one_stage(&system, &ops).await?;
    let transcripts = system.results.transcripts().await?;
    let reason = |id: &ConversationId| transcripts.get(id).map(|transcript| transcript.reason);
    ensure!(reason(&lost) == Some(EndReason::IngressLost), "{:?}", reason(&lost));
    ensure!(transcripts.len() == 4 && system.results.analyses().await?.len() == 4, "a result is missing");
    system.stop().await
}

/// Of a conversation whose transcript alone is lost, the sweep finds that one stage and brings it back.
async fn mend_one_stage(system: &System, ops: &Ops) -> anyhow::Result<()> {
    let before = system.results.transcripts().await?;
    let (id, transcript) = before.iter().next().context("there is a transcript")?;
    let s3 = s3_client(&system.stack.cloud().root());
    let bucket = &system.stack.outputs().logs_bucket;
    let user_id = &transcript.user_id;
    for key in [transcript_key(user_id, *id), readable_transcript_key(user_id, *id)] {
        // With all its versions, as if it had never been written.
        let listed = s3.list_object_versions().bucket(bucket).prefix(&key).send().await?;
        for version in listed.versions() {
            let delete = s3.delete_object().bucket(bucket).key(&key);
            delete.set_version_id(version.version_id.clone()).send().await?;
        }
    }
    let found = ops.sweep(&[], EXIT_MISSING).await?;
    let gaps = found["gaps"].as_array().context("there are gaps")?;
    ensure!(gaps.len() == 1 && gaps[0]["conversationId"] == id.to_string(), "{found:#}");
    ensure!(
        (&gaps[0]["missing"], &gaps[0]["send"]) == (&json!(["transcript"]), &json!("replay")),
        "{found:#}"
    );
    ops.sweep(&["--apply"], 0).await?;
    await_some("the transcript is back", MENDED_WITHIN, async || {
        let again = system.results.transcripts().await?;
        Ok(if again == before { Ok(()) } else { Err(format!("{} transcripts", again.len())) })
    })
    .await?;
    let again = ops.sweep(&["--apply"], 0).await?;
    ensure!(again["gaps"] == json!([]), "{again:#}");
    Ok(())
}

impl Ops {
    /// Sweeps with short limits; returns the report.
    async fn sweep(&self, more: &[&str], exit_code: i32) -> anyhow::Result<Value> {
        let (code, out) = self.exit(&[&["sweep", "--json"], &LIMITS[..], more].concat()).await?;
        // A conversation that stops between two looks is found by the later one only.
        ensure!(
            code == Some(exit_code) || code == Some(0),
            "exit code {code:?} instead of {exit_code}: {out}"
        );
        let report: Value = serde_json::from_str(&out).with_context(|| format!("no JSON: {out}"))?;
        let is_missing = report["gaps"] != json!([]) && report["applied"] == false;
        ensure!(code == Some(if is_missing { EXIT_MISSING } else { 0 }), "exit code {code:?}: {out}");
        Ok(report)
    }
}

/// A journal whose messages to the watchdog are lost.
async fn journal_without_watchdog(system: &System) -> anyhow::Result<Journal> {
    let root = system.stack.cloud().root();
    let sqs = aws_sdk_sqs::Client::new(&root);
    let lost = sqs.create_queue().queue_name("nova-lost").send().await?.queue_url;
    let config = JournalConfig {
        table: system.stack.outputs().conversations_table.clone(),
        effects_table: system.stack.outputs().effects_table.clone(),
        watchdog_queue_url: lost.context("a queue has a URL")?,
        watch_delay_seconds: 900,
    };
    Ok(Journal::new(aws_sdk_dynamodb::Client::new(&root), sqs, config))
}

/// A conversation that began ten minutes ago and stopped there.
async fn stop_at(journal: &Journal, reached: Reached) -> anyhow::Result<ConversationId> {
    let began = Timestamp::now() - SignedDuration::from_mins(10);
    let id = ConversationId::new(began, rand::random());
    let start = Start {
        conversation_id: id,
        user_id: format!("learner-{}", uuid::Uuid::new_v4()).parse()?,
        image_id: "city-cafe".to_owned(),
        level: Level::B1,
        feedback_language: FeedbackLanguage::English,
        time_zone: "UTC".to_owned(),
        traceparent: None,
        owner: "ingress-lost".to_owned(),
        voice: None,
    };
    ensure!(LEASE_SECONDS < 600, "the lease is over");
    let own = journal.start(&start, began).await?;
    let turn = Turn {
        index: 0,
        speaker: Speaker::Learner,
        text: "I see two people, and one of them wear a hat.".to_owned(),
        start_ms: 0,
        end_ms: 3000,
        speech_ms: 3000,
        answer_latency_ms: None,
        interrupted: false,
        played_ms: None,
        typed: false,
        confidence: None,
        audio_key: None,
    };
    journal.append(&own, &turn).await?;
    if reached != Reached::Lease {
        let end = End::of_turns(EndReason::Learner, Usage::default(), &[turn]);
        let ended_at = began + SignedDuration::from_mins(1);
        journal.end(&own, &end, ended_at).await?;
        if reached == Reached::Publication {
            journal.mark_published(id, ended_at).await?;
        }
    }
    Ok(id)
}
