//! PURE. The size of a deployment, from the templates and the defaults of their parameters: what runs and is paid whether or not
//! anyone talks.

use anyhow::Context as _;
use events::workers::Worker;
use serde_json::Value;

use crate::{deploy::StackKind, template::Template};

/// Zones of the load balancer, each with a public address.
const ZONES: f64 = 2.0;

/// Numbers of what is deployed, over all stacks.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Deployed {
    pub api_tasks: f64,
    pub api_task: Task,
    /// Tasks on Spot and others, one for each worker.
    pub spot_workers: f64,
    pub other_workers: f64,
    pub worker_task: Task,
    pub conversations_target: f64,
    pub nat_gateways: f64,
    pub public_addresses: f64,
    pub cache_nodes: f64,
    pub secrets: f64,
    pub keys: f64,
    pub alarm_metrics: f64,
    pub composite_alarms: f64,
    pub dashboards: f64,
    pub firewall_rules: f64,
    pub health_checks: f64,
}

/// The size of a task.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Task {
    pub vcpu: f64,
    pub gb: f64,
}

impl Deployed {
    /// The deployment of `infra/templates` with the default parameters.
    ///
    /// # Errors
    /// A template lacks what the bill needs.
    pub fn from_templates() -> anyhow::Result<Self> {
        let api = StackKind::Api.template()?;
        let worker = StackKind::Worker(Worker::Transcript).template()?;
        let nat_gateways = default(&StackKind::Network.template()?, "NatGateways")?;
        let is_spot = |worker: &Worker| {
            StackKind::Worker(*worker)
                .own_parameters("nova")
                .get("Interruptible")
                .is_some_and(|on| on == "true")
        };
        let mut deployed = Self {
            api_tasks: default(&api, "TasksDesired")?,
            api_task: task(&api)?,
            spot_workers: number(Worker::ALL.iter().filter(|worker| is_spot(worker)).count()),
            other_workers: number(Worker::ALL.iter().filter(|worker| !is_spot(worker)).count()),
            worker_task: task(&worker)?,
            conversations_target: default(&api, "ConversationsTarget")?,
            nat_gateways,
            public_addresses: ZONES + nat_gateways,
            cache_nodes: 1.0 + default(&StackKind::Compute.template()?, "CacheReplicas")?,
            ..Self::default()
        };
        for kind in StackKind::all() {
            for resource in kind.template()?.resources.values() {
                deployed.add(resource);
            }
        }
        Ok(deployed)
    }

    fn add(&mut self, resource: &Value) {
        let properties = &resource["Properties"];
        match resource["Type"].as_str().unwrap_or_default() {
            "AWS::SecretsManager::Secret" => self.secrets += 1.0,
            "AWS::KMS::Key" => self.keys += 1.0,
            "AWS::CloudWatch::Alarm" => {
                let metrics = properties["Metrics"].as_array().into_iter().flatten();
                let of_metrics = metrics.filter(|metric| metric.get("MetricStat").is_some()).count();
                self.alarm_metrics += number(of_metrics.max(1));
            }
            "AWS::CloudWatch::CompositeAlarm" => self.composite_alarms += 1.0,
            "AWS::CloudWatch::Dashboard" => self.dashboards += 1.0,
            "AWS::WAFv2::WebACL" => {
                self.firewall_rules += number(properties["Rules"].as_array().map_or(0, Vec::len));
            }
            "AWS::Route53::HealthCheck" => self.health_checks += 1.0,
            _ => {}
        }
    }
}

fn task(template: &Template) -> anyhow::Result<Task> {
    let properties = &template.resources.get("TaskDefinition").context("no TaskDefinition")?["Properties"];
    let size = |name: &str| {
        let text = properties[name].as_str().with_context(|| format!("a task without {name}"))?;
        anyhow::Ok(text.parse::<f64>()? / 1024.0)
    };
    Ok(Task { vcpu: size("Cpu")?, gb: size("Memory")? })
}

fn default(template: &Template, parameter: &str) -> anyhow::Result<f64> {
    let spec = template.parameters.get(parameter).with_context(|| format!("no parameter {parameter}"))?;
    let text = spec.default_value().with_context(|| format!("{parameter} has no default"))?;
    text.parse().with_context(|| format!("{parameter}: {text:?} is not a number"))
}

fn number(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn size_of_the_deployment_is_that_of_the_templates() {
        let deployed = Deployed::from_templates().unwrap();
        assert_eq!(deployed.api_task, Task { vcpu: 0.5, gb: 1.0 });
        assert_eq!(deployed.worker_task, Task { vcpu: 0.25, gb: 0.5 });
        assert_eq!(deployed.spot_workers + deployed.other_workers, number(Worker::ALL.len()));
        assert!(deployed.alarm_metrics >= number(Worker::ALL.len()), "{deployed:?}");
        assert!(
            deployed.secrets > 2.0 && deployed.keys >= 2.0 && deployed.firewall_rules > 2.0,
            "{deployed:?}"
        );
    }
}
