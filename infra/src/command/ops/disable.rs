//! Disables an account in the user pool, or enables it again. A disabled account cannot sign in, refresh a session or reset its
//! password. Its sessions end; those of an account that is enabled again stay ended. The data of the learner stays.

use std::process::ExitCode;

use anyhow::Context as _;
use events::{contract::UserId, runtime::failure::describe};
use serde::Serialize;

use super::{
    Shown,
    account::{end_sessions, user_id},
    target::Target,
};

#[derive(Debug, clap::Args)]
pub(super) struct DisableOptions {
    /// The e-mail address of an account, or the id of its user.
    #[arg(value_name = "EMAIL")]
    email: String,
    /// Enable the account again.
    #[arg(long)]
    enable: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    user_id: UserId,
    enabled: bool,
    ended_sessions: usize,
}

pub(super) async fn run(
    options: &DisableOptions,
    target: &Target,
    shown: Shown<'_>,
) -> anyhow::Result<ExitCode> {
    let user_id = user_id(target, &options.email).await?;
    let pool = &target.outputs.user_pool_id;
    let changed = if options.enable {
        let enable = target.cognito.admin_enable_user().user_pool_id(pool);
        enable.username(user_id.as_str()).send().await.map(drop).map_err(|error| describe(&error))
    } else {
        let disable = target.cognito.admin_disable_user().user_pool_id(pool);
        disable.username(user_id.as_str()).send().await.map(drop).map_err(|error| describe(&error))
    };
    changed.context("cannot change the account in the user pool")?;
    // After the account is disabled, so that no refresh or sign-in begins another session meanwhile.
    let ended_sessions = if options.enable { 0 } else { end_sessions(target, &user_id).await? };
    let report = Report { user_id, enabled: options.enable, ended_sessions };
    shown.result(&report, |report| {
        let state = if report.enabled { "enabled" } else { "disabled" };
        vec![format!("{} is {state}; {} sessions ended.", report.user_id, report.ended_sessions)]
    })
}
