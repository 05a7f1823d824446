//! The account of a learner: who owns an e-mail address, and the end of the sessions. The ingress sees within seconds that the
//! items of the sessions are gone, and then accepts no access token of theirs and closes their sockets.

use anyhow::Context as _;
use aws_sdk_cognitoidentityprovider::types::AttributeType;
use events::{
    contract::UserId,
    dynamo::{Item, delete_items, text},
    runtime::failure::describe,
};

use super::target::Target;

/// The id of the owner of an e-mail address, or the user with this id.
pub(super) async fn user_id(target: &Target, email: &str) -> anyhow::Result<UserId> {
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
pub(super) async fn end_sessions(target: &Target, user_id: &UserId) -> anyhow::Result<usize> {
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
