//! Creates or updates one stack through a change set, which says what would happen before it happens.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use anyhow::{Context as _, bail, ensure};
use aws_sdk_cloudformation::{
    Client,
    error::{DisplayErrorContext, ProvideErrorMetadata as _},
    types::{
        Capability, ChangeAction, ChangeSetStatus, ChangeSetType, Parameter, Replacement, ResourceChange,
        Stack, StackStatus,
    },
};
use tokio::time::Instant;
use uuid::Uuid;

use super::PlannedStack;
use crate::progress::Progress;

/// The longest time for a change set to be made.
const CHANGE_SET_TIMEOUT: Duration = Duration::from_secs(120);

/// The longest time for a stack: CloudFront needs up to half an hour, a rolling update as long as its conversations.
const STACK_TIMEOUT: Duration = Duration::from_secs(3 * 60 * 60);

/// The first interval of the queries while something is in progress. It doubles up to [`INTERVAL_MAX`].
const INTERVAL_MIN: Duration = Duration::from_millis(20);

const INTERVAL_MAX: Duration = Duration::from_secs(3);

/// Types of resources whose replacement or removal loses data or accounts.
const STATEFUL: [&str; 8] = [
    "AWS::DynamoDB::Table",
    "AWS::DynamoDB::GlobalTable",
    "AWS::S3::Bucket",
    "AWS::Cognito::UserPool",
    "AWS::SQS::Queue",
    "AWS::SecretsManager::Secret",
    "AWS::KMS::Key",
    "AWS::ECR::Repository",
];

/// What a deployment may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeployOptions {
    /// Only describes the changes.
    pub dry_run: bool,
    /// Admits the replacement and removal of what holds data.
    pub allow_replacement: bool,
    /// Protects the stacks against deletion.
    pub termination_protection: bool,
}

/// What became of a stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StackOutcome {
    pub outputs: BTreeMap<String, String>,
    /// One line for each changed resource; empty if nothing changes.
    pub changes: Vec<String>,
}

/// Makes `stack` what its template and its parameters say.
///
/// # Errors
/// CloudFormation refuses the template or a parameter, another deployment is in progress, a resource that holds data
/// would be replaced, or a resource failed; then CloudFormation has rolled the stack back, and the error names the first
/// failed resource with its reason.
pub async fn apply(
    client: &Client,
    stack: &PlannedStack,
    options: DeployOptions,
    progress: &Progress,
) -> anyhow::Result<StackOutcome> {
    let name = stack.name.as_str();
    progress.detail(name);
    let kind = change_set_type(client, name).await?;
    let id = create(client, stack, kind.clone()).await?;
    let Some(changes) = changes(client, name, &id).await? else {
        discard(client, name, &id, &kind).await;
        return Ok(StackOutcome { outputs: outputs(&find(client, name).await?), changes: Vec::new() });
    };
    let lost: Vec<String> = changes.iter().filter(|change| loses_data(change)).map(describe).collect();
    if !lost.is_empty() && !options.allow_replacement {
        discard(client, name, &id, &kind).await;
        bail!("the stack {name} would lose data and was not changed: {}", lost.join(", "));
    }
    let lines = changes.iter().map(describe).collect();
    if options.dry_run {
        discard(client, name, &id, &kind).await;
        return Ok(StackOutcome { outputs: BTreeMap::new(), changes: lines });
    }
    let done = execute(client, name, &id, progress).await?;
    if options.termination_protection {
        let protect = client.update_termination_protection().stack_name(name);
        let protected = protect.enable_termination_protection(true).send().await;
        protected.with_context(|| format!("cannot protect the stack {name} against deletion"))?;
    }
    Ok(StackOutcome { outputs: outputs(&done), changes: lines })
}

/// Parameters and outputs of a deployed stack by name.
///
/// # Errors
/// There is no such stack, or CloudFormation does not respond.
pub async fn parameters(client: &Client, name: &str) -> anyhow::Result<BTreeMap<String, String>> {
    let stack = find(client, name).await?;
    let mut all = outputs(&stack);
    all.extend(stack.parameters().iter().filter_map(|parameter| {
        Some((parameter.parameter_key()?.to_owned(), parameter.parameter_value()?.to_owned()))
    }));
    Ok(all)
}

/// Changes parameters of a deployed stack and nothing else: the template is the deployed one.
///
/// # Errors
/// As those of [`apply`].
pub async fn set_parameters(
    client: &Client,
    name: &str,
    values: &[(&str, String)],
    progress: &Progress,
) -> anyhow::Result<()> {
    let stack = find(client, name).await?;
    let kept = stack.parameters().iter().filter_map(|parameter| parameter.parameter_key());
    let kept = kept.filter(|key| values.iter().all(|(name, _)| name != key));
    let kept = kept.map(|key| Parameter::builder().parameter_key(key).use_previous_value(true).build());
    let set = values
        .iter()
        .map(|(key, value)| Parameter::builder().parameter_key(*key).parameter_value(value).build());
    let id = format!("parameters-{}", Uuid::new_v4());
    let created = client
        .create_change_set()
        .stack_name(name)
        .change_set_name(&id)
        .change_set_type(ChangeSetType::Update)
        .use_previous_template(true)
        .set_parameters(Some(kept.chain(set).collect()))
        .capabilities(Capability::CapabilityNamedIam)
        .send()
        .await;
    let id = match created {
        Ok(created) => created.id.unwrap_or(id),
        Err(error) => bail!("CloudFormation refuses the stack {name}: {}", DisplayErrorContext(&error)),
    };
    if changes(client, name, &id).await?.is_none() {
        discard(client, name, &id, &ChangeSetType::Update).await;
        return Ok(());
    }
    execute(client, name, &id, progress).await.map(drop)
}

/// Whether the stack has to be created, after the removal of a creation that failed.
async fn change_set_type(client: &Client, name: &str) -> anyhow::Result<ChangeSetType> {
    let Some(stack) = look(client, name).await? else { return Ok(ChangeSetType::Create) };
    let status = stack.stack_status().context("a stack has a status")?;
    if *status == StackStatus::ReviewInProgress {
        return Ok(ChangeSetType::Create);
    }
    // Nothing is left of it but its name, which keeps it from being created.
    if *status == StackStatus::RollbackComplete {
        let deleted = client.delete_stack().stack_name(name).send().await;
        deleted.with_context(|| format!("cannot delete the stack {name}"))?;
        settle(client, name, &Progress::silent()).await?;
        return Ok(ChangeSetType::Create);
    }
    let ends = |end: &str| status.as_str().ends_with(end);
    ensure!(!ends("_IN_PROGRESS"), "the stack {name} is {status}; another deployment changes it");
    ensure!(
        !ends("_FAILED"),
        "the stack {name} is {status}; repair it in the console of CloudFormation first"
    );
    Ok(ChangeSetType::Update)
}

async fn create(client: &Client, stack: &PlannedStack, kind: ChangeSetType) -> anyhow::Result<String> {
    let parameters = stack
        .parameters
        .iter()
        .map(|(key, value)| Parameter::builder().parameter_key(key).parameter_value(value).build());
    let name = format!("deploy-{}", Uuid::new_v4());
    let created = client
        .create_change_set()
        .stack_name(&stack.name)
        .change_set_name(&name)
        .change_set_type(kind)
        .template_body(stack.template.body)
        .set_parameters(Some(parameters.collect()))
        .capabilities(Capability::CapabilityNamedIam)
        .send()
        .await;
    match created {
        Ok(created) => Ok(created.id.unwrap_or(name)),
        Err(error) => {
            bail!("CloudFormation refuses the stack {}: {}", stack.name, DisplayErrorContext(&error))
        }
    }
}

/// The changes, or `None` if there are none.
async fn changes(client: &Client, stack: &str, id: &str) -> anyhow::Result<Option<Vec<ResourceChange>>> {
    let deadline = Instant::now() + CHANGE_SET_TIMEOUT;
    let mut interval = INTERVAL_MIN;
    loop {
        let described = client.describe_change_set().stack_name(stack).change_set_name(id).send().await;
        let described = described.with_context(|| format!("cannot look at the changes of {stack}"))?;
        match described.status() {
            Some(ChangeSetStatus::CreateComplete) => break,
            Some(ChangeSetStatus::Failed) => {
                let reason = described.status_reason().unwrap_or("no reason given");
                if reason.contains("didn't contain changes") || reason.contains("No updates") {
                    return Ok(None);
                }
                bail!("CloudFormation refuses the changes of {stack}: {reason}");
            }
            _ => ensure!(
                Instant::now() < deadline,
                "the changes of {stack} were not known in {CHANGE_SET_TIMEOUT:?}"
            ),
        }
        tokio::time::sleep(interval).await;
        interval = (interval * 2).min(INTERVAL_MAX);
    }
    let described = client.describe_change_set().stack_name(stack).change_set_name(id);
    let mut pages = described.into_paginator().send();
    let mut all = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.with_context(|| format!("cannot read the changes of {stack}"))?;
        all.extend(page.changes.unwrap_or_default().into_iter().filter_map(|change| change.resource_change));
    }
    Ok(Some(all))
}

/// A change set that is left over blocks nothing, so a failure is not one of the deployment.
async fn discard(client: &Client, stack: &str, id: &str, kind: &ChangeSetType) {
    let deleted = client.delete_change_set().stack_name(stack).change_set_name(id).send().await;
    let deleted = match deleted {
        // The stack of a discarded creation is an empty one under review.
        Ok(_) if *kind == ChangeSetType::Create => {
            client.delete_stack().stack_name(stack).send().await.map(drop).map_err(|error| error.to_string())
        }
        deleted => deleted.map(drop).map_err(|error| error.to_string()),
    };
    if let Err(error) = deleted {
        tracing::warn!(stack, error, "cannot delete a change set");
    }
}

fn loses_data(change: &ResourceChange) -> bool {
    let replaced = change.action() == Some(&ChangeAction::Modify)
        && matches!(change.replacement(), Some(Replacement::True | Replacement::Conditional));
    let removed = change.action() == Some(&ChangeAction::Remove);
    (replaced || removed) && change.resource_type().is_some_and(|kind| STATEFUL.contains(&kind))
}

fn describe(change: &ResourceChange) -> String {
    let action = change.action().map_or("change", ChangeAction::as_str).to_ascii_lowercase();
    let replaced = match change.replacement() {
        Some(Replacement::True) => ", replaced",
        Some(Replacement::Conditional) => ", perhaps replaced",
        _ => "",
    };
    let (id, kind) = (change.logical_resource_id(), change.resource_type());
    format!("{action} {} ({}{replaced})", id.unwrap_or("a resource"), kind.unwrap_or("unknown type"))
}

async fn execute(client: &Client, stack: &str, id: &str, progress: &Progress) -> anyhow::Result<Stack> {
    let executed = client.execute_change_set().stack_name(stack).change_set_name(id).send().await;
    executed.with_context(|| format!("cannot execute the changes of {stack}"))?;
    let done =
        settle(client, stack, progress).await?.with_context(|| format!("the stack {stack} has vanished"))?;
    match done.stack_status() {
        Some(StackStatus::CreateComplete | StackStatus::UpdateComplete) => Ok(done),
        status => {
            let status = status.map_or("unknown", StackStatus::as_str);
            bail!("the stack {stack} is {status}: {}", first_failure(client, stack, &done).await)
        }
    }
}

/// Waits until nothing is in progress. `None` if the stack is deleted.
async fn settle(client: &Client, name: &str, progress: &Progress) -> anyhow::Result<Option<Stack>> {
    let deadline = Instant::now() + STACK_TIMEOUT;
    let mut interval = INTERVAL_MIN;
    loop {
        let Some(stack) = look(client, name).await? else { return Ok(None) };
        match stack.stack_status() {
            Some(StackStatus::DeleteComplete) => return Ok(None),
            // Old resources are removed; what is new already serves.
            Some(status) if !status.as_str().ends_with("_IN_PROGRESS") => return Ok(Some(stack)),
            _ => ensure!(Instant::now() < deadline, "the stack {name} was not done in {STACK_TIMEOUT:?}"),
        }
        if interval == INTERVAL_MAX {
            progress.detail(&format!("{name}: {}", in_progress(client, name).await));
        }
        tokio::time::sleep(interval).await;
        interval = (interval * 2).min(INTERVAL_MAX);
    }
}

/// The resources that a long change waits for.
async fn in_progress(client: &Client, stack: &str) -> String {
    let resources = client.describe_stack_resources().stack_name(stack).send().await;
    let resources = resources.map(|found| found.stack_resources.unwrap_or_default()).unwrap_or_default();
    let waiting: BTreeSet<String> = resources
        .into_iter()
        .filter(|one| one.resource_status().is_some_and(|status| status.as_str().ends_with("_IN_PROGRESS")))
        .filter_map(|one| one.logical_resource_id)
        .collect();
    waiting.into_iter().collect::<Vec<_>>().join(", ")
}

/// The first failure of the last change: the later ones follow from it.
async fn first_failure(client: &Client, name: &str, stack: &Stack) -> String {
    let events = client.describe_stack_events().stack_name(name).send().await;
    let events = events.map(|events| events.stack_events.unwrap_or_default()).unwrap_or_default();
    // The newest event is the first. The last change began where the stack itself was in progress.
    let begins = |status: &str| status == "CREATE_IN_PROGRESS" || status == "UPDATE_IN_PROGRESS";
    let mut failure = None;
    for event in &events {
        let status = event.resource_status().map_or("", |status| status.as_str());
        let own = event.logical_resource_id() == Some(name);
        if !own && status.ends_with("_FAILED") {
            failure = Some(event);
        }
        if own && begins(status) {
            break;
        }
    }
    match failure {
        Some(event) => format!(
            "{}: {}",
            event.logical_resource_id().unwrap_or("a resource"),
            event.resource_status_reason().unwrap_or("no reason given"),
        ),
        None => stack.stack_status_reason().unwrap_or("no reason given").to_owned(),
    }
}

async fn find(client: &Client, name: &str) -> anyhow::Result<Stack> {
    look(client, name).await?.with_context(|| format!("there is no stack {name}"))
}

async fn look(client: &Client, name: &str) -> anyhow::Result<Option<Stack>> {
    match client.describe_stacks().stack_name(name).send().await {
        Ok(described) => Ok(described.stacks.unwrap_or_default().into_iter().next()),
        // There is no error of its own for a stack that does not exist.
        Err(error) if error.message().is_some_and(|message| message.contains("does not exist")) => Ok(None),
        Err(error) => bail!("cannot look at the stack {name}: {}", DisplayErrorContext(&error)),
    }
}

fn outputs(stack: &Stack) -> BTreeMap<String, String> {
    let outputs = stack.outputs().iter();
    let pairs = outputs
        .filter_map(|output| Some((output.output_key()?.to_owned(), output.output_value()?.to_owned())));
    pairs.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(action: ChangeAction, kind: &str, replacement: Option<Replacement>) -> ResourceChange {
        let change =
            ResourceChange::builder().action(action).resource_type(kind).logical_resource_id("Users");
        change.set_replacement(replacement).build()
    }

    #[test]
    fn replacement_or_removal_of_what_holds_data_is_found() {
        let table = "AWS::DynamoDB::Table";
        assert!(loses_data(&change(ChangeAction::Modify, table, Some(Replacement::True))));
        assert!(loses_data(&change(ChangeAction::Modify, table, Some(Replacement::Conditional))));
        assert!(loses_data(&change(ChangeAction::Remove, table, None)));
        assert!(!loses_data(&change(ChangeAction::Modify, table, Some(Replacement::False))));
        assert!(!loses_data(&change(ChangeAction::Add, table, None)));
        assert!(!loses_data(&change(
            ChangeAction::Modify,
            "AWS::ECS::TaskDefinition",
            Some(Replacement::True)
        )));
    }
}
