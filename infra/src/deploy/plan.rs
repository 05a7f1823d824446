//! PURE. What a deployment consists of: the stacks in the order of their dependencies, each with its template and its
//! parameters. Everything that can be wrong in an environment is found here, before anything is changed.

use std::{collections::BTreeMap, fmt};

use anyhow::{Context as _, bail};
use events::{runtime::metrics, workers::Worker};

use super::Environment;
use crate::{service_rates::backlog_per_task, template::Template};

/// A template, deployed once or, for workers, once for each of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StackKind {
    Data,
    Messaging,
    /// The queue of a worker.
    Queue(Worker),
    Network,
    Compute,
    Identity,
    Access,
    Monitoring,
    Api,
    /// Alarms over resources of AWS.
    ResourceAlarms,
    /// The tasks of a worker.
    Worker(Worker),
    Edge,
}

/// A stack to create or to update.
#[derive(Clone, Debug)]
pub struct PlannedStack {
    pub kind: StackKind,
    /// Name of the stack in CloudFormation.
    pub name: String,
    pub template: Template,
    pub parameters: BTreeMap<String, String>,
}

impl StackKind {
    /// All, each after those whose outputs it imports, and alarms about missing reports after what reports.
    pub fn all() -> impl Iterator<Item = Self> {
        [Self::Data, Self::Messaging]
            .into_iter()
            .chain(Worker::ALL.map(Self::Queue))
            .chain([Self::Network, Self::Identity, Self::Compute, Self::Access, Self::Api])
            .chain([Self::Monitoring, Self::ResourceAlarms])
            .chain(Worker::ALL.map(Self::Worker))
            .chain([Self::Edge])
    }

    /// The name in files of parameters and in error messages; that of the template.
    #[must_use]
    pub const fn template_name(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Messaging => "messaging",
            Self::Queue(_) => "queue",
            Self::Network => "network",
            Self::Compute => "compute",
            Self::Identity => "identity",
            Self::Access => "access",
            Self::Monitoring => "monitoring",
            Self::Api => "api",
            Self::ResourceAlarms => "resource-alarms",
            Self::Worker(_) => "worker",
            Self::Edge => "edge",
        }
    }

    /// The name of the stack with `prefix`.
    #[must_use]
    pub fn stack_name(self, prefix: &str) -> String {
        match self {
            Self::Queue(worker) | Self::Worker(worker) => {
                format!("{prefix}-{}-{worker}", self.template_name())
            }
            Self::Data
            | Self::Messaging
            | Self::Network
            | Self::Compute
            | Self::Identity
            | Self::Access
            | Self::Monitoring
            | Self::Api
            | Self::ResourceAlarms
            | Self::Edge => format!("{prefix}-{}", self.template_name()),
        }
    }

    /// The name of the output `key` among those of all stacks: `QueueUrl` of the progress worker is `ProgressQueueUrl`.
    #[must_use]
    pub fn output_name(self, key: &str) -> String {
        match self {
            Self::Queue(worker) | Self::Worker(worker) => format!("{worker:?}{key}"),
            Self::Data
            | Self::Messaging
            | Self::Network
            | Self::Compute
            | Self::Identity
            | Self::Access
            | Self::Monitoring
            | Self::Api
            | Self::ResourceAlarms
            | Self::Edge => key.to_owned(),
        }
    }

    /// The parameters that distinguish the stacks of one template, and those that follow from the prefix.
    #[must_use]
    pub fn own_parameters(self, prefix: &str) -> BTreeMap<String, String> {
        let own = match self {
            Self::Queue(worker) => {
                let [depth, warning, critical] = queue_limits(worker);
                vec![
                    ("Worker", worker.name().to_owned()),
                    ("Events", worker.spec().consumes.join(",")),
                    ("VisibilitySeconds", worker.spec().visibility_seconds.to_string()),
                    ("DepthMax", depth.to_string()),
                    ("AgeWarningSeconds", warning.to_string()),
                    ("AgeCriticalSeconds", critical.to_string()),
                ]
            }
            // No other worker makes up for what watchdog and erasure do late.
            Self::Worker(worker) => vec![
                ("Worker", worker.name().to_owned()),
                ("BacklogPerTask", backlog_per_task(worker).to_string()),
                ("Interruptible", (!matches!(worker, Worker::Watchdog | Worker::Erasure)).to_string()),
            ],
            Self::Monitoring => vec![
                ("IngressLogGroup", format!("/ecs/{prefix}-api")),
                ("WorkersLogGroup", format!("/ecs/{prefix}-workers")),
            ],
            Self::Data
            | Self::Messaging
            | Self::Network
            | Self::Compute
            | Self::Identity
            | Self::Access
            | Self::Api
            | Self::ResourceAlarms
            | Self::Edge => Vec::new(),
        };
        // Each stage has its own metrics, also beside another one in the same account.
        let stage = prefix.strip_prefix("nova").unwrap_or_default();
        let of_stage =
            [("Prefix", prefix.to_owned()), ("MetricsNamespace", format!("{}{stage}", metrics::NAMESPACE))];
        own.into_iter().chain(of_stage).map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// # Errors
    /// The template cannot be read.
    pub fn template(self) -> anyhow::Result<Template> {
        let body = match self {
            Self::Data => include_str!("../../templates/data.yaml"),
            Self::Messaging => include_str!("../../templates/messaging.yaml"),
            Self::Queue(_) => include_str!("../../templates/queue.yaml"),
            Self::Network => include_str!("../../templates/network.yaml"),
            Self::Compute => include_str!("../../templates/compute.yaml"),
            Self::Identity => include_str!("../../templates/identity.yaml"),
            Self::Access => include_str!("../../templates/access.yaml"),
            Self::Monitoring => include_str!("../../templates/monitoring.yaml"),
            Self::Api => include_str!("../../templates/api.yaml"),
            Self::ResourceAlarms => include_str!("../../templates/resource-alarms.yaml"),
            Self::Worker(_) => include_str!("../../templates/worker.yaml"),
            Self::Edge => include_str!("../../templates/edge.yaml"),
        };
        Template::parse(body).with_context(|| format!("infra/templates/{}.yaml", self.template_name()))
    }
}

/// Messages that may wait for five minutes, and the ages of the oldest one in seconds at which an operator should look in time and
/// now. A task handles eight messages at once: an assessment takes eight seconds of the model, an account two seconds, anything
/// else less than a quarter of one.
const fn queue_limits(worker: Worker) -> [u32; 3] {
    match worker {
        Worker::Analysis => [300, 600, 1800],
        Worker::Erasure => [1000, 300, 900],
        Worker::Transcript | Worker::Progress | Worker::Alerts | Worker::Watchdog => [10_000, 300, 900],
    }
}

impl fmt::Display for StackKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.stack_name("nova"))
    }
}

/// The stacks of `kinds` with their parameters. `provided` has what the deployment itself knows, such as the image; a
/// template takes of it what it has parameters for.
///
/// # Errors
/// All that is wrong, each with the stack and the parameter: one without a value, a value that is not allowed, a
/// parameter or a stack that does not exist.
pub fn plan(
    environment: &Environment,
    kinds: impl IntoIterator<Item = StackKind>,
    provided: &BTreeMap<String, String>,
) -> anyhow::Result<Vec<PlannedStack>> {
    let mut errors = unknown_names(environment)?;
    let mut stacks = Vec::new();
    for kind in kinds {
        let template = kind.template()?;
        let own = kind.own_parameters(&environment.prefix());
        let mut parameters = BTreeMap::new();
        for (name, spec) in &template.parameters {
            let value = own.get(name).or_else(|| provided.get(name)).cloned();
            let value = value.or_else(|| environment.value(kind.template_name(), name));
            match value {
                Some(value) => {
                    if let Err(error) = spec.check(&value) {
                        errors.push(format!("{}: {name}: {error:#}", kind.template_name()));
                    }
                    parameters.insert(name.clone(), value);
                }
                None if spec.has_default() => {}
                None => {
                    let meaning = spec.description.trim();
                    errors.push(format!("{}: {name} has no value: {meaning}", kind.template_name()));
                }
            }
        }
        stacks.push(PlannedStack {
            kind,
            name: kind.stack_name(&environment.prefix()),
            template,
            parameters,
        });
    }
    errors.sort();
    errors.dedup();
    if !errors.is_empty() {
        bail!("nothing was changed, because the parameters are not complete:\n  {}", errors.join("\n  "));
    }
    Ok(stacks)
}

fn unknown_names(environment: &Environment) -> anyhow::Result<Vec<String>> {
    let templates: BTreeMap<&str, Template> = StackKind::all()
        .map(|kind| anyhow::Ok((kind.template_name(), kind.template()?)))
        .collect::<anyhow::Result<_>>()?;
    let mut errors = Vec::new();
    for (stack, parameters) in &environment.stacks {
        let Some(template) = templates.get(stack.as_str()) else {
            let known: Vec<&str> = templates.keys().copied().collect();
            errors.push(format!("stacks: there is no stack {stack}, only {}", known.join(", ")));
            continue;
        };
        let unknown = parameters.keys().filter(|name| !template.parameters.contains_key(*name));
        errors.extend(unknown.map(|name| format!("stacks: {stack} has no parameter {name}")));
    }
    let known = |name: &str| templates.values().any(|template| template.parameters.contains_key(name));
    let unknown = environment.parameters.keys().filter(|name| !known(name));
    errors.extend(unknown.map(|name| format!("parameters: no stack has a parameter {name}")));
    Ok(errors)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What CloudFormation accepts within a request, in bytes. A larger template would have to be in S3.
    const BODY_BYTES_MAX: usize = 51_200;

    fn environment(more: &str) -> Environment {
        let yaml = format!("stage: prod\nregion: us-east-1\naccount: \"123456789012\"\n{more}");
        Environment::parse(&yaml).unwrap()
    }

    #[test]
    fn every_template_fits_in_a_request() {
        for kind in StackKind::all() {
            let bytes = kind.template().unwrap().body.len();
            assert!(bytes <= BODY_BYTES_MAX, "{kind}: {bytes} bytes");
        }
    }

    #[test]
    fn everything_that_is_wrong_is_named_at_once() {
        let more =
            "parameters: { HostedZoneId: x, Domain: y }\nstacks: { api: { TasksMax: -1, Size: 1 }, web: {} }";
        let provided = BTreeMap::from([("Env".to_owned(), "production".to_owned())]);
        let error = plan(&environment(more), [StackKind::Network, StackKind::Api], &provided).unwrap_err();
        let error = error.to_string();
        for part in [
            "api: HostedZoneId: \"x\" does not match",
            "api: Image has no value: The image of the binaries",
            "api: TasksMax: -1 is not in 0 and more",
            "parameters: no stack has a parameter Domain",
            "stacks: api has no parameter Size",
            "stacks: there is no stack web, only access, api",
        ] {
            assert!(error.contains(part), "{part} is not in {error}");
        }
    }

    #[test]
    fn each_worker_is_a_stack_and_only_some_may_be_interrupted() {
        let provided = BTreeMap::from([("Image".to_owned(), format!("r@sha256:{}", "0".repeat(64)))]);
        let stacks = plan(&environment(""), Worker::ALL.map(StackKind::Worker), &provided).unwrap();
        let interrupted = stacks.iter().filter(|stack| stack.parameters["Interruptible"] == "true");
        let names: Vec<&str> = interrupted.map(|stack| stack.parameters["Worker"].as_str()).collect();
        assert_eq!(names, ["transcript", "analysis", "progress", "alerts"]);
        assert_eq!(stacks[0].name, "nova-worker-transcript");
    }
}
