//! The commands of operators: list the queues, read and redrive dead letters, show the stages of a conversation, publish its
//! event again, grant roles, disable accounts. `--help` is the reference; `infra/runbooks` describes when to use them.
//!
//! No command changes a queue or a conversation without `--apply`, and none prints a learner's words without `--show-words`.

mod account;
mod conversation;
mod dead_letter;
mod dead_letters;
mod disable;
mod limit;
mod queues;
mod rebuild;
mod receive;
mod replay;
mod role;
mod sweep;
mod table;
pub(super) mod target;

use std::process::ExitCode;

use clap::Subcommand;
use serde::Serialize;

use crate::console::Console;
use target::{Target, TargetOptions};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  nova ops queues
  nova ops dlq explain transcript
  nova ops dlq redrive transcript --apply
  nova ops conversation 01a20ace-c800-7c7a-b47c-ea47bd68d012
  nova ops replay 01a20ace-c800-7c7a-b47c-ea47bd68d012 --apply
  nova ops sweep --apply
  nova ops rebuild --apply
  nova ops limit --set 250 --apply
  nova ops role mina@example.com analysts
  nova ops disable mina@example.com
  nova ops --aws queues --json

Without --aws it works on the service that `cargo run` runs in this workspace.")]
pub(super) struct OpsOptions {
    #[command(flatten)]
    target: TargetOptions,
    #[command(flatten)]
    show: ShowOptions,
    #[command(subcommand)]
    command: OpsCommand,
}

/// The format of results.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(super) struct ShowOptions {
    /// Print JSON instead of a table.
    #[arg(long, global = true)]
    json: bool,
    /// Also print the words of learners, and the text of messages that are not events. Without it no command shows a
    /// learner's words.
    #[arg(long, global = true)]
    show_words: bool,
}

#[derive(Debug, Subcommand)]
enum OpsCommand {
    /// List the queues: waiting messages, messages in flight, dead letters, and the age of the oldest message.
    Queues,
    /// Read, explain, redrive, export and drop dead letters.
    #[command(subcommand)]
    Dlq(dead_letters::DlqCommand),
    /// Show the stages of a conversation with their times, and its dead letters.
    Conversation(conversation::ConversationOptions),
    /// Publish a conversation's `conversation.completed` again. No effect is repeated.
    Replay(replay::ReplayOptions),
    /// Show what the models cost today, and show or set the limit of a day for the whole service.
    Limit(limit::LimitOptions),
    /// Find every conversation that has stopped, and send what is missing.
    Sweep(sweep::SweepOptions),
    /// Fill rankings, sums over all learners and lists of scores for conversations that an older build counted.
    Rebuild(rebuild::RebuildOptions),
    /// Grant a role to the owner of an e-mail address, or take it away. The owner's sessions end.
    Role(role::RoleOptions),
    /// Disable the account of an e-mail address, or enable it again. Its sessions end within seconds; its data stays.
    Disable(disable::DisableOptions),
}

pub(super) async fn run(options: OpsOptions, console: &Console) -> anyhow::Result<ExitCode> {
    let OpsOptions { target, show, command } = options;
    let target = Target::open(&target).await?;
    let shown = Shown { show, console };
    match command {
        OpsCommand::Queues => queues::run(&target, shown).await,
        OpsCommand::Dlq(command) => Box::pin(dead_letters::run(command, &target, shown)).await,
        OpsCommand::Conversation(options) => Box::pin(conversation::run(&options, &target, shown)).await,
        OpsCommand::Replay(options) => Box::pin(replay::run(&options, &target, shown)).await,
        OpsCommand::Role(options) => Box::pin(role::run(&options, &target, shown)).await,
        OpsCommand::Disable(options) => Box::pin(disable::run(&options, &target, shown)).await,
        OpsCommand::Limit(options) => Box::pin(limit::run(&options, &target, shown)).await,
        OpsCommand::Rebuild(options) => Box::pin(rebuild::run(&options, &target, shown)).await,
        OpsCommand::Sweep(options) => Box::pin(sweep::run(&options, &target, shown)).await,
    }
}

/// The output of results.
#[derive(Clone, Copy)]
struct Shown<'a> {
    show: ShowOptions,
    console: &'a Console,
}

impl Shown<'_> {
    fn with_words(self) -> bool {
        self.show.show_words
    }

    /// Prints `result` as JSON for programs, or as `lines` for people.
    fn result<T: Serialize>(
        self,
        result: &T,
        lines: impl FnOnce(&T) -> Vec<String>,
    ) -> anyhow::Result<ExitCode> {
        if self.show.json {
            self.console.line(&serde_json::to_string_pretty(result)?);
        } else {
            lines(result).iter().for_each(|line| self.console.line(line));
        }
        Ok(ExitCode::SUCCESS)
    }
}
