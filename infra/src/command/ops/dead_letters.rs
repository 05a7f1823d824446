//! Dead letters: read, explained, sent again, saved, dropped.

use std::{
    collections::BTreeMap,
    fs::OpenOptions,
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, bail, ensure};
use clap::Subcommand;
use events::{queues::QueueName, runtime::failure::describe};
use jiff::Timestamp;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::{
    Shown,
    dead_letter::{Content, Explanation, Letter},
    receive::{DeadLetterQueue, ReceivedLetters},
    table::table,
    target::{Target, queue_name},
};

/// The most letters of one command. They are held for two minutes.
const LIMIT_MAX: u16 = 1000;

#[derive(Debug, Subcommand)]
pub(super) enum DlqCommand {
    /// List dead letters. They stay where they are.
    Peek(Which),
    /// Say of each letter what it is, why it is dead and what to do about it.
    Explain(Which),
    /// Send letters back to the queue they came from. Copies of one event are sent once; what no worker can read is
    /// left. A dry run without --apply.
    Redrive {
        #[command(flatten)]
        which: Which,
        /// Do it.
        #[arg(long)]
        apply: bool,
    },
    /// Save letters to a new file, one JSON object a line. They stay where they are. The text of a letter that is not
    /// an event is only saved with --show-words.
    Export {
        #[command(flatten)]
        which: Which,
        /// The file. It must not exist; only you can read it.
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
    },
    /// Delete letters for ever. Export them first. A dry run without --apply.
    Drop {
        #[command(flatten)]
        which: Which,
        /// Do it.
        #[arg(long, requires = "yes")]
        apply: bool,
        /// Yes, they will be gone.
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Debug, clap::Args)]
pub(super) struct Which {
    /// Whose dead letters: of a worker, or `events` for what no rule could deliver.
    #[arg(value_name = "QUEUE", value_parser = queue_name())]
    queue: QueueName,
    /// The most letters.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=i64::from(LIMIT_MAX)))]
    limit: u16,
    /// Only the letter with this message id.
    #[arg(long, value_name = "ID")]
    message: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Peeked {
    message_id: String,
    sent_at: Option<Timestamp>,
    event: Option<&'static str>,
    event_id: Option<String>,
    conversation_id: Option<String>,
    reason: Option<String>,
    body_bytes: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Explained {
    message_id: String,
    #[serde(flatten)]
    explanation: Explanation,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Exported<'a> {
    message_id: &'a str,
    sent_at: Option<Timestamp>,
    attributes: &'a BTreeMap<String, String>,
    body_sha256: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<&'a str>,
}

/// What a command did, or would do.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Done {
    applied: bool,
    /// Letters that were looked at.
    letters: usize,
    /// Messages that were sent.
    sent: usize,
    /// Letters that were deleted.
    deleted: usize,
    /// Letters that were left because no worker can read them, or because it is not known where they belong.
    left: usize,
}

pub(super) async fn run(command: DlqCommand, target: &Target, shown: Shown<'_>) -> anyhow::Result<ExitCode> {
    if shown.with_words() {
        target.record_read("ops dlq --show-words", &[]).await?;
    }
    match command {
        DlqCommand::Peek(which) => peek(&which, target, shown).await,
        DlqCommand::Explain(which) => explain(&which, target, shown).await,
        DlqCommand::Redrive { which, apply } => redrive(&which, target, apply, shown).await,
        DlqCommand::Export { which, to } => export(&which, target, &to, shown).await,
        DlqCommand::Drop { which, apply, yes: _ } => drop_letters(&which, target, apply, shown).await,
    }
}

/// The dead letters of `queue`, at most `limit`. They are given back.
pub(super) async fn letters(target: &Target, queue: QueueName, limit: u16) -> anyhow::Result<Vec<Letter>> {
    let dlq = target.dead_letters(queue)?;
    let held = dlq.take(limit.into()).await?;
    dlq.give_back(&held).await?;
    Ok(held.into_iter().map(|held| held.letter).collect())
}

impl Target {
    fn dead_letters(&self, queue: QueueName) -> anyhow::Result<DeadLetterQueue<'_>> {
        Ok(DeadLetterQueue { sqs: &self.sqs, url: self.dead_letter_url(queue)? })
    }
}

impl Which {
    async fn take(&self, target: &Target) -> anyhow::Result<Vec<ReceivedLetters>> {
        let dlq = target.dead_letters(self.queue)?;
        let Some(id) = &self.message else { return dlq.take(self.limit.into()).await };
        let (meant, others): (Vec<ReceivedLetters>, Vec<ReceivedLetters>) =
            dlq.take(LIMIT_MAX.into()).await?.into_iter().partition(|held| held.letter.message_id == *id);
        dlq.give_back(&others).await?;
        ensure!(!meant.is_empty(), "there is no message {id} among the first {LIMIT_MAX} letters");
        Ok(meant)
    }

    /// Reads the letters that are meant. They are given back.
    async fn read(&self, target: &Target) -> anyhow::Result<Vec<Letter>> {
        let held = self.take(target).await?;
        target.dead_letters(self.queue)?.give_back(&held).await?;
        Ok(held.into_iter().map(|held| held.letter).collect())
    }
}

async fn peek(which: &Which, target: &Target, shown: Shown<'_>) -> anyhow::Result<ExitCode> {
    let letters = which.read(target).await?;
    let peeked: Vec<Peeked> =
        letters.iter().map(|letter| peeked(letter, which.queue, shown.with_words())).collect();
    shown.result(&peeked, |peeked| {
        let rows: Vec<[String; 5]> = peeked
            .iter()
            .map(|letter| {
                let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
                [
                    letter.message_id.clone(),
                    letter.sent_at.map_or_else(|| "-".to_owned(), |at| at.to_string()),
                    letter.event.unwrap_or("-").to_owned(),
                    or_dash(&letter.conversation_id),
                    or_dash(&letter.reason),
                ]
            })
            .collect();
        let mut lines = table(["message", "sent", "event", "conversation", "reason"], &rows);
        lines.extend(peeked.iter().filter_map(|letter| {
            letter.body.as_ref().map(|body| format!("\n{}:\n{body}", letter.message_id))
        }));
        lines
    })
}

fn peeked(letter: &Letter, queue: QueueName, with_words: bool) -> Peeked {
    let (event, event_id) = match letter.content(queue) {
        Content::Event(envelope) => (Some(envelope.event.schema()), Some(envelope.id.to_string())),
        Content::Watch(_) | Content::Newer(_) | Content::Unreadable => (None, None),
    };
    Peeked {
        message_id: letter.message_id.clone(),
        sent_at: letter.sent_at,
        event,
        event_id,
        conversation_id: letter.conversation_id(queue).map(|id| id.to_string()),
        reason: letter.reason(),
        body_bytes: letter.body.len(),
        body: with_words.then(|| letter.body.clone()),
    }
}

async fn explain(which: &Which, target: &Target, shown: Shown<'_>) -> anyhow::Result<ExitCode> {
    let letters = which.read(target).await?;
    let explained = |letter: Letter| Explained {
        explanation: letter.explain(which.queue),
        message_id: letter.message_id,
    };
    let explained: Vec<Explained> = letters.into_iter().map(explained).collect();
    shown.result(&explained, |explained| {
        if explained.is_empty() {
            return vec!["There are no dead letters.".to_owned()];
        }
        let lines = |letter: &Explained| {
            let Explanation { what, why, advice } = &letter.explanation;
            vec![
                format!("message {}", letter.message_id),
                format!("  what    {what}"),
                format!("  why     {why}"),
                format!("  to do   {advice}"),
            ]
        };
        explained.iter().flat_map(lines).collect()
    })
}

async fn redrive(which: &Which, target: &Target, apply: bool, shown: Shown<'_>) -> anyhow::Result<ExitCode> {
    let dlq = target.dead_letters(which.queue)?;
    let held = which.take(target).await?;
    let mut done = Done { applied: apply, letters: held.len(), ..Done::default() };
    let mut groups: BTreeMap<(String, &str), Vec<&ReceivedLetters>> = BTreeMap::new();
    let mut rest: Vec<&ReceivedLetters> = Vec::new();
    for letter in &held {
        match destination(target, which.queue, &letter.letter)? {
            Some(url) => groups.entry((letter.letter.key(which.queue), url)).or_default().push(letter),
            None => rest.push(letter),
        }
    }
    done.left = rest.len();
    let mut failure = None;
    for ((_, url), copies) in groups {
        if !apply {
            done.sent += 1;
            done.deleted += copies.len();
            rest.extend(copies);
            continue;
        }
        if failure.is_none() {
            failure = send_again(target, url, &copies[0].letter.body).await.err();
        }
        if failure.is_some() {
            rest.extend(copies);
            continue;
        }
        done.sent += 1;
        for copy in copies {
            match dlq.delete(copy).await {
                Ok(()) => done.deleted += 1,
                // It is sent again next time; its event is known by its id.
                Err(error) => failure = Some(error),
            }
        }
    }
    dlq.give_back(rest).await?;
    if let Some(error) = failure {
        return Err(error.context(format!("stopped after {} messages; the rest is where it was", done.sent)));
    }
    shown.result(&done, |done| {
        let (verb, end) = if done.applied { ("sent", "") } else { ("would be sent", "; --apply does it") };
        let mut lines = vec![format!(
            "{} letters: {} messages {verb} back, {} letters {}{end}.",
            done.letters,
            done.sent,
            done.deleted,
            if done.applied { "deleted" } else { "deleted after that" },
        )];
        if done.left > 0 {
            lines
                .push(format!("{} letters are left: no worker can read them. See `dlq explain`.", done.left));
        }
        lines
    })
}

/// The URL of the queue that a letter goes back to; `None` for one that would only come back.
fn destination<'a>(target: &'a Target, queue: QueueName, letter: &Letter) -> anyhow::Result<Option<&'a str>> {
    let url = match (letter.content(queue), target.queue(queue)?) {
        (Content::Unreadable, _) => None,
        (_, Some(queue)) => Some(queue.url.as_str()),
        (_, None) => letter.target_arn().and_then(|arn| target.queue_url_of(arn)),
    };
    Ok(url)
}

/// Sends the text as it was. Why it was dead is not sent along.
async fn send_again(target: &Target, url: &str, body: &str) -> anyhow::Result<()> {
    let send = target.sqs.send_message().queue_url(url).message_body(body);
    send.send()
        .await
        .map(|_| ())
        .map_err(|error| describe(&error))
        .with_context(|| format!("cannot send to the queue {url}"))
}

async fn export(which: &Which, target: &Target, to: &Path, shown: Shown<'_>) -> anyhow::Result<ExitCode> {
    let open = OpenOptions::new().create_new(true).write(true).mode(0o600).open(to);
    let mut file = open.with_context(|| format!("cannot make the file {}", to.display()))?;
    let letters = which.read(target).await?;
    for letter in &letters {
        let is_ours = letter.content(which.queue) != Content::Unreadable;
        let line = Exported {
            message_id: &letter.message_id,
            sent_at: letter.sent_at,
            attributes: &letter.attributes,
            body_sha256: hex::encode(Sha256::digest(&letter.body)),
            body: (is_ours || shown.with_words()).then_some(&letter.body),
        };
        writeln!(file, "{}", serde_json::to_string(&line)?)
            .with_context(|| format!("cannot write the file {}", to.display()))?;
    }
    file.sync_all().with_context(|| format!("cannot write the file {}", to.display()))?;
    let done = Done { applied: true, letters: letters.len(), ..Done::default() };
    shown.result(&done, |done| vec![format!("{} letters are in {}.", done.letters, to.display())])
}

async fn drop_letters(
    which: &Which,
    target: &Target,
    apply: bool,
    shown: Shown<'_>,
) -> anyhow::Result<ExitCode> {
    let dlq = target.dead_letters(which.queue)?;
    let held = which.take(target).await?;
    let mut done = Done { applied: apply, letters: held.len(), ..Done::default() };
    if apply {
        for (position, letter) in held.iter().enumerate() {
            if let Err(error) = dlq.delete(letter).await {
                dlq.give_back(&held[position..]).await?;
                bail!("{} of {} letters are dropped: {error:#}", done.deleted, done.letters);
            }
            done.deleted += 1;
        }
    } else {
        dlq.give_back(&held).await?;
        done.deleted = held.len();
    }
    shown.result(&done, |done| {
        let end = if done.applied { "dropped." } else { "would be dropped; --apply --yes does it." };
        vec![format!("{} letters {end}", done.deleted)]
    })
}
