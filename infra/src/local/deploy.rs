//! Deploys the production templates to a cloud through CloudFormation, one stack a template.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context as _, bail};
use aws_config::SdkConfig;
use aws_sdk_cloudformation::{
    Client,
    error::DisplayErrorContext,
    types::{Capability, Parameter, Stack, StackStatus},
};
use tokio::time::Instant;

use super::{Outputs, Progress, settle};

/// The templates in the order of their dependencies, by the name of their stack.
const TEMPLATES: [(&str, &str); 4] = [
    ("nova-data", include_str!("../../templates/data.yaml")),
    ("nova-messaging", include_str!("../../templates/messaging.yaml")),
    ("nova-identity", include_str!("../../templates/identity.yaml")),
    ("nova-access", include_str!("../../templates/access.yaml")),
];

/// How long one stack may take on an emulator.
const STACK_TIMEOUT: Duration = Duration::from_secs(60);

/// How often a stack is looked at while it is being made.
const STACK_INTERVAL: Duration = Duration::from_millis(100);

/// Deploys all templates to the empty emulated cloud that `sdk` reaches at `endpoint`, applies what the emulator
/// throws away, and returns what is there.
///
/// # Errors
/// When a stack cannot be made: the reason is the first failed resource's own.
pub async fn deploy(sdk: &SdkConfig, endpoint: &str, progress: &Progress) -> anyhow::Result<Outputs> {
    let cloudformation = Client::new(sdk);
    let mut outputs = BTreeMap::new();
    for (name, template) in TEMPLATES {
        progress.detail(name);
        let stack = create(&cloudformation, name, template).await?;
        for output in stack.outputs() {
            if let (Some(key), Some(value)) = (output.output_key(), output.output_value()) {
                outputs.insert(key.to_owned(), value.to_owned());
            }
        }
        let names = physical_names(&cloudformation, name).await?;
        settle::settle(sdk, template, &names).await?;
    }
    Outputs::from_stacks(&outputs, endpoint)
}

async fn create(cloudformation: &Client, name: &str, template: &str) -> anyhow::Result<Stack> {
    let env = Parameter::builder().parameter_key("Env").parameter_value("local").build();
    let created = cloudformation
        .create_stack()
        .stack_name(name)
        .template_body(template)
        .parameters(env)
        .capabilities(Capability::CapabilityNamedIam)
        .send()
        .await;
    if let Err(error) = created {
        bail!("the cloud refuses the stack {name}: {}", DisplayErrorContext(&error));
    }
    let deadline = Instant::now() + STACK_TIMEOUT;
    loop {
        let described = cloudformation.describe_stacks().stack_name(name).send().await;
        let described = described.with_context(|| format!("cannot look at the stack {name}"))?;
        let stack = described.stacks.unwrap_or_default().into_iter().next();
        let stack = stack.with_context(|| format!("the stack {name} has vanished"))?;
        match stack.stack_status() {
            Some(StackStatus::CreateComplete) => return Ok(stack),
            Some(StackStatus::CreateInProgress) if Instant::now() < deadline => {
                tokio::time::sleep(STACK_INTERVAL).await;
            }
            Some(StackStatus::CreateInProgress) => {
                bail!("the stack {name} was not made within {} s", STACK_TIMEOUT.as_secs());
            }
            _ => bail!("the stack {name} failed: {}", reason(cloudformation, name, &stack).await),
        }
    }
}

/// The first failure among the stack's events: the later ones follow from it.
async fn reason(cloudformation: &Client, name: &str, stack: &Stack) -> String {
    let events = cloudformation.describe_stack_events().stack_name(name).send().await;
    let events = events.map(|events| events.stack_events.unwrap_or_default()).unwrap_or_default();
    let failed = events.iter().rev().find(|event| {
        event.resource_status().is_some_and(|status| status.as_str().ends_with("_FAILED"))
            && event.logical_resource_id() != Some(name)
    });
    match failed {
        Some(event) => format!(
            "{}: {}",
            event.logical_resource_id().unwrap_or("a resource"),
            event.resource_status_reason().unwrap_or("no reason given"),
        ),
        None => stack.stack_status_reason().unwrap_or("no reason given").to_owned(),
    }
}

async fn physical_names(cloudformation: &Client, stack: &str) -> anyhow::Result<BTreeMap<String, String>> {
    let resources = cloudformation.describe_stack_resources().stack_name(stack).send().await;
    let resources = resources.with_context(|| format!("cannot list the resources of the stack {stack}"))?;
    let pairs = resources
        .stack_resources
        .unwrap_or_default()
        .into_iter()
        .filter_map(|resource| Some((resource.logical_resource_id?, resource.physical_resource_id?)));
    Ok(pairs.collect())
}
