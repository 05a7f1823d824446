//! Learners of the tests, their scripts, and the checks of the results of their conversations.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context as _, ensure};
use events::{
    contract::{
        ConversationId, EndReason, Level, ObjectiveResult, ObjectiveVerdict, Speaker, StoredAnalysis,
        Transcript, Turn, UserId,
    },
    journal::{Header, Journal},
};
use futures_util::future::try_join_all;
use infra::{
    client::{Accounts, Conversation, Learner, Script},
    simulator::audible::Heard,
};
use tests::{
    actual,
    expected::{self, Planned},
    system::{System, await_some},
};

/// Time zones that span 26 hours, so that one instant is always on different days.
const TIME_ZONES: [&str; 5] = ["UTC", "Asia/Seoul", "America/New_York", "Pacific/Kiritimati", "Etc/GMT+12"];

/// The longest time for an effect of a worker.
const RESULTS_WITHIN: Duration = Duration::from_secs(60);

/// The longest time until the queues are empty. A message of a killed worker returns after the visibility timeout of its
/// queue, up to 120 s, and may be received by a killed worker again.
const QUIET_WITHIN: Duration = Duration::from_secs(300);

/// A finished conversation.
pub(crate) struct FinishedConversation {
    /// Learner.
    pub(crate) user_id: UserId,
    /// The spoken lines.
    pub(crate) script: Script,
    /// What the learner heard.
    pub(crate) conversation: Conversation,
}

/// Signs up `count` learners.
pub(crate) async fn learners(system: &System, count: usize) -> anyhow::Result<Vec<Learner>> {
    let accounts = Accounts::new(system.stack.url())?;
    let mut learners = Vec::new();
    for n in 0..count {
        learners.push(accounts.sign_up(&format!("learner-{n}@nova.example")).await?);
    }
    Ok(learners)
}

/// All learners have one conversation each, concurrently, in real time.
pub(crate) async fn converse_at_once(learners: &[Learner]) -> anyhow::Result<Vec<FinishedConversation>> {
    try_join_all(learners.iter().enumerate().map(|(n, learner)| async move {
        let script = script(n);
        let conversation = learner.converse(&script).await.with_context(|| format!("learner {n}"))?;
        Ok(FinishedConversation { user_id: learner.user_id().clone(), script, conversation })
    }))
    .await
}

/// The script of learner `n`: about one of five pictures, in sentences of no other learner.
fn script(n: usize) -> Script {
    script_of(n, 2)
}

/// The same with this number of sentences, at most four.
pub(crate) fn script_of(n: usize, sentences: usize) -> Script {
    const PICTURES: [&str; 5] =
        ["street-market", "family-kitchen", "beach-afternoon", "office-meeting", "birthday-party"];
    const LEVELS: [Level; 3] = [Level::A2, Level::B1, Level::C1];
    let lines = [
        format!("I see {} people in the picture.", n + 2),
        format!("One of them wears hat number {n}. He go home soon."),
        format!("The others carry {} bags to the old bridge.", n + 3),
        format!("I would like to walk there on day {n} of my holiday."),
    ];
    let lines = lines.into_iter().take(sentences);
    let mut script = Script::new(PICTURES[n % PICTURES.len()], lines);
    script.level = Some(LEVELS[n % LEVELS.len()]);
    script.time_zone = Some(TIME_ZONES[n % TIME_ZONES.len()].to_owned());
    script
}

/// Waits until every conversation has a transcript and an assessment, and checks that there are no others and that each
/// transcript has the spoken and the heard words.
pub(crate) async fn check_results(system: &System, finished: &[FinishedConversation]) -> anyhow::Result<()> {
    let (transcripts, analyses) = await_some("all results are there", RESULTS_WITHIN, async || {
        let (transcripts, analyses) = (system.results.transcripts().await?, system.results.analyses().await?);
        let complete = transcripts.len() >= finished.len() && analyses.len() >= finished.len();
        let seen = format!("{} transcripts, {} assessments", transcripts.len(), analyses.len());
        Ok(if complete { Ok((transcripts, analyses)) } else { Err(seen) })
    })
    .await?;
    ensure!(transcripts.len() == finished.len(), "{} transcripts of {}", transcripts.len(), finished.len());
    ensure!(analyses.len() == finished.len(), "{} assessments of {}", analyses.len(), finished.len());
    for finished in finished {
        let id = finished.conversation.conversation_id;
        let transcript = transcripts.get(&id).with_context(|| format!("no transcript of {id}"))?;
        check_transcript(finished, transcript).with_context(|| format!("the transcript of {id}"))?;
        let analysis = analyses.get(&id).with_context(|| format!("no assessment of {id}"))?;
        check_analysis(finished, analysis).with_context(|| format!("the assessment of {id}"))?;
    }
    check_progress(system, &transcripts, &analyses).await
}

fn check_transcript(finished: &FinishedConversation, transcript: &Transcript) -> anyhow::Result<()> {
    ensure!(
        transcript.user_id == finished.user_id,
        "is {}'s, not {}'s",
        transcript.user_id,
        finished.user_id
    );
    ensure!(transcript.reason == EndReason::Learner, "ended with {:?}", transcript.reason);
    let turns: Vec<&Turn> = transcript.turns.iter().map(|turn| &turn.turn).collect();
    ensure!(turns.iter().zip(0..).all(|(turn, n)| turn.index == n), "the turns have gaps");
    ensure!(turns.iter().all(|turn| turn.start_ms <= turn.end_ms), "a turn ends before it starts");
    let said: Vec<&str> =
        turns.iter().filter(|turn| turn.speaker == Speaker::Learner).map(|turn| &*turn.text).collect();
    let spoken: Vec<&str> = finished
        .script
        .lines
        .iter()
        .map(|line| line.text().context("a recording has no words to compare"))
        .collect::<Result<_, _>>()?;
    ensure!(said == spoken, "says {said:?} where {spoken:?} was spoken");
    let answers: Vec<&str> =
        turns.iter().filter(|turn| turn.speaker == Speaker::Tutor).map(|turn| &*turn.text).collect();
    let heard: Vec<&str> = finished
        .conversation
        .heard
        .iter()
        .map(|heard| match heard {
            Heard::Text(text) => Ok(text.as_str()),
            other @ (Heard::Damaged { .. } | Heard::Unreadable { .. }) => {
                anyhow::bail!("the learner could not understand {other:?}")
            }
        })
        .collect::<Result<_, _>>()?;
    let (answers, heard) = (answers.join(" "), heard.join(" "));
    ensure!(answers == heard, "the tutor says {answers:?} where {heard:?} was heard");
    // The tutor opens and answers each of the learner's turns.
    ensure!(turns.len() == 2 * spoken.len() + 1, "has {} turns", turns.len());
    ensure!(turns.iter().all(|turn| turn.audio_key.is_some()), "a turn has no audio");
    Ok(())
}

fn check_analysis(finished: &FinishedConversation, analysis: &StoredAnalysis) -> anyhow::Result<()> {
    ensure!(analysis.user_id == finished.user_id, "is {}'s, not {}'s", analysis.user_id, finished.user_id);
    ensure!(analysis.simulated, "is not marked as simulated");
    ensure!(analysis.measures.learner_turns as usize == finished.script.lines.len(), "missed a turn");
    let met = |result: &ObjectiveResult| result.verdict == ObjectiveVerdict::Met && result.place.is_some();
    ensure!(analysis.assessment.objectives.iter().any(met), "says of no objective that it is met");
    ensure!(analysis.input_tokens > 0 && analysis.output_tokens > 0, "cost nothing");
    Ok(())
}

/// Waits until UserProgress has the sums over the stored results.
async fn check_progress(
    system: &System,
    transcripts: &BTreeMap<ConversationId, Transcript>,
    analyses: &BTreeMap<ConversationId, StoredAnalysis>,
) -> anyhow::Result<()> {
    let mut zones = Vec::new();
    for id in transcripts.keys() {
        zones.push(header(system, *id).await?.start.time_zone);
    }
    let all = transcripts.iter().zip(&zones);
    let sums = expected::progress(
        all.map(|((id, transcript), zone)| (transcript, zone.as_str(), analyses.get(id))),
    )?;
    await_some("UserProgress has the sums", RESULTS_WITHIN, async || {
        let progress = system.results.progress().await?;
        Ok(expected::progress_difference(&sums, &progress, false).map_or(Ok(()), Err))
    })
    .await
}

/// The header of a conversation in the journal.
pub(crate) async fn header(system: &System, id: ConversationId) -> anyhow::Result<Header> {
    let dynamodb = aws_sdk_dynamodb::Client::new(&system.stack.cloud().root());
    let journal = Journal::reader(dynamodb, &system.stack.outputs().conversations_table);
    journal.header(id).await?.with_context(|| format!("{id} is not in the journal"))
}

/// Waits until the queues are empty and compares the results of all conversations, and their events and alerts, with the
/// expected ones.
pub(crate) async fn check_pipeline(system: &System, conversations: usize) -> anyhow::Result<()> {
    system.await_quiet(QUIET_WITHIN).await?;
    let (actual, _) = actual::collect(system, BTreeMap::new()).await?;
    ensure!(
        actual.journal.len() == conversations,
        "{} of {conversations} conversations",
        actual.journal.len()
    );
    // A killed worker may send an alert again.
    let found = expected::compare(&actual, &Planned { repeated_alerts_max: u32::MAX, ..Planned::default() });
    ensure!(found.is_empty(), "{}", found.join("\n"));
    Ok(())
}
