//! Grants a role to the owner of an e-mail address, or takes it away: a group of the user pool. The owner's sessions end, so
//! that no access token with the former roles is valid: the ingress sees within seconds that the items of the sessions are gone.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::ValueEnum;
use events::{contract::UserId, runtime::failure::describe};
use serde::Serialize;

use super::{
    Shown,
    account::{end_sessions, user_id},
    target::Target,
};

#[derive(Debug, clap::Args)]
pub(super) struct RoleOptions {
    /// The e-mail address of an account, or the id of its user.
    #[arg(value_name = "EMAIL")]
    email: String,
    /// The role.
    role: RoleName,
    /// Take the role away.
    #[arg(long)]
    remove: bool,
}

/// A role: the name of a group of the user pool.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum RoleName {
    /// Sees the results of all learners.
    Analysts,
    /// Operates the service.
    Ops,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    user_id: UserId,
    role: &'static str,
    granted: bool,
    ended_sessions: usize,
}

pub(super) async fn run(
    options: &RoleOptions,
    target: &Target,
    shown: Shown<'_>,
) -> anyhow::Result<ExitCode> {
    let user_id = user_id(target, &options.email).await?;
    let role = match options.role {
        RoleName::Analysts => "analysts",
        RoleName::Ops => "ops",
    };
    let pool = &target.outputs.user_pool_id;
    let changed = if options.remove {
        let remove = target.cognito.admin_remove_user_from_group().user_pool_id(pool);
        let removed = remove.username(user_id.as_str()).group_name(role).send().await;
        removed.map(drop).map_err(|error| describe(&error))
    } else {
        let add = target.cognito.admin_add_user_to_group().user_pool_id(pool);
        let added = add.username(user_id.as_str()).group_name(role).send().await;
        added.map(drop).map_err(|error| describe(&error))
    };
    changed.with_context(|| format!("cannot change the members of the group {role}"))?;
    let ended_sessions = end_sessions(target, &user_id).await?;
    let report = Report { user_id, role, granted: !options.remove, ended_sessions };
    shown.result(&report, |report| {
        let verb = if report.granted { "has" } else { "no longer has" };
        let ended = report.ended_sessions;
        vec![format!("{} {verb} the role {}; {ended} sessions ended.", report.user_id, report.role)]
    })
}
