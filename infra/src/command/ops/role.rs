//! Grants a role to the owner of an e-mail address, or takes it away: a group of the user pool. The owner's sessions end, so
//! that no access token with the former roles is valid: the ingress sees within seconds that the items of the sessions are gone.

use std::process::ExitCode;

use anyhow::Context as _;
use aws_sdk_cognitoidentityprovider::types::AttributeType;
use clap::ValueEnum;
use events::{
    contract::UserId,
    dynamo::{Item, delete_items, text},
    runtime::failure::describe,
};
use serde::Serialize;

use super::{Shown, target::Target};

#[derive(Debug, clap::Args)]
pub(super) struct RoleOptions {
    /// The e-mail address of an account.
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

/// The id of the owner of an e-mail address.
async fn user_id(target: &Target, email: &str) -> anyhow::Result<UserId> {
    let get = target.cognito.admin_get_user().user_pool_id(&target.outputs.user_pool_id);
    // The pool keeps e-mail addresses in lower case.
    let user = get.username(email.trim().to_lowercase()).send().await;
    let user =
        user.map_err(|error| describe(&error)).context("cannot find the account of this e-mail address")?;
    let sub = user.user_attributes().iter().find(|attribute| attribute.name() == "sub");
    let sub = sub.and_then(AttributeType::value).context("the user of the pool has no sub")?;
    sub.parse().context("the sub of the user is no id of a learner")
}

/// Ends all sessions of a user and returns their number. A page of items is deleted before the next one is read.
async fn end_sessions(target: &Target, user_id: &UserId) -> anyhow::Result<usize> {
    let (table, mut ended) = (&target.outputs.sessions_table, 0);
    loop {
        let page = target
            .dynamodb
            .query()
            .table_name(table)
            .key_condition_expression("userId = :user")
            .projection_expression("userId, sessionId")
            .expression_attribute_values(":user", text(user_id))
            .consistent_read(true)
            .send()
            .await;
        let page = page.map_err(|error| describe(&error)).context("cannot list the sessions")?;
        let keys: Vec<Item> = page.items.unwrap_or_default();
        if keys.is_empty() {
            return Ok(ended);
        }
        ended += keys.len();
        let deleted = delete_items(&target.dynamodb, table, keys).await;
        deleted.map_err(|failure| anyhow::anyhow!("cannot end the sessions: {failure}"))?;
    }
}
