//! PURE. The alarms of the templates with their intrinsic functions resolved.
//!
//! The emulator's CloudFormation refuses metric math and composite alarms, and the stacks of the workers' tasks are processes
//! here. Their alarms are read from the templates, as far as the metrics exist on this machine, and the evaluator makes them.

use std::collections::BTreeMap;

use anyhow::{Context as _, bail};
use events::{queues, runtime::metrics, workers::Worker};
use serde_json::{Map, Value};

use crate::{
    deploy::StackKind,
    local::{ACCOUNT, REGION},
    template::{Template, text},
};

/// The type of a resource that is an alarm of metrics.
const METRIC_ALARM: &str = "AWS::CloudWatch::Alarm";

/// The type of a resource that is an alarm of alarms.
const COMPOSITE_ALARM: &str = "AWS::CloudWatch::CompositeAlarm";

/// An alarm of a template.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Definition {
    pub(super) name: String,
    /// The properties of the resource, which have the names of the API.
    pub(super) properties: Value,
    pub(super) is_composite: bool,
}

/// What intrinsic functions refer to.
struct Scope<'a> {
    parameters: BTreeMap<String, String>,
    /// Values that other stacks export.
    exports: &'a dyn Fn(&str) -> Option<String>,
    resources: &'a Map<String, Value>,
}

/// The alarms that the local cloud lacks after the deployment, without actions of its own: composite alarms, metric math, and
/// those of the stacks of the workers' tasks.
///
/// # Errors
/// A template has an alarm that cannot be read.
pub(super) fn lacking(exports: &BTreeMap<String, String>) -> anyhow::Result<Vec<Definition>> {
    let export = |name: &str| exports.get(name).cloned();
    let mut lacking = Vec::new();
    let queues = Worker::ALL.map(StackKind::Queue);
    let tasks = Worker::ALL.map(StackKind::Worker);
    for kind in queues.into_iter().chain(tasks).chain([StackKind::Monitoring]) {
        let is_deployed = !matches!(kind, StackKind::Worker(_));
        let all = of_stack(kind, &export)?;
        lacking.extend(all.into_iter().filter(|alarm| {
            let is_refused = alarm.is_composite || alarm.properties.get("Metrics").is_some();
            (is_refused || !is_deployed) && alarm.has_its_metrics_here()
        }));
    }
    for alarm in &mut lacking {
        alarm.properties["ActionsEnabled"] = Value::Bool(false);
    }
    Ok(lacking)
}

/// All alarms of the template of `kind`, whatever their conditions are.
fn of_stack(kind: StackKind, exports: &dyn Fn(&str) -> Option<String>) -> anyhow::Result<Vec<Definition>> {
    let Template { resources, parameters, .. } = kind.template()?;
    let defaults = parameters.iter().filter_map(|(name, spec)| Some((name.clone(), spec.default_value()?)));
    let mut parameters: BTreeMap<String, String> = defaults.collect();
    parameters.extend(kind.own_parameters("nova"));
    let pseudo = [("AWS::Region", REGION), ("AWS::AccountId", ACCOUNT), ("AWS::Partition", "aws")];
    parameters.extend(pseudo.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let scope = Scope { parameters, exports, resources: &resources };
    let alarms = resources
        .iter()
        .filter(|(_, resource)| [METRIC_ALARM, COMPOSITE_ALARM].iter().any(|kind| resource["Type"] == *kind));
    let definition = |(id, resource): (&String, &Value)| {
        let properties = scope.resolve(&resource["Properties"]);
        let mut properties = properties.with_context(|| format!("{}: {id}", kind.template_name()))?;
        // A parameter is a text.
        if let Some(threshold) = properties["Threshold"].as_str() {
            properties["Threshold"] = Value::from(threshold.parse::<f64>()?);
        }
        let name = properties["AlarmName"].as_str().with_context(|| format!("{id} has no name"))?.to_owned();
        Ok(Definition { name, properties, is_composite: resource["Type"] == COMPOSITE_ALARM })
    };
    alarms.map(definition).collect()
}

impl Definition {
    /// Whether all its metrics are in a namespace that the evaluator writes.
    fn has_its_metrics_here(&self) -> bool {
        let metrics = self.properties["Metrics"].as_array().into_iter().flatten();
        let namespaces = metrics.filter_map(|query| query["MetricStat"]["Metric"]["Namespace"].as_str());
        namespaces
            .chain(self.properties["Namespace"].as_str())
            .all(|namespace| [metrics::NAMESPACE, queues::NAMESPACE].contains(&namespace))
    }
}

impl Scope<'_> {
    fn resolve(&self, value: &Value) -> anyhow::Result<Value> {
        match value {
            Value::Object(map) => match map.iter().next() {
                Some((function, argument)) if map.len() == 1 && function.starts_with("Fn::") => {
                    self.call(function, argument)
                }
                Some(_) | None => {
                    let entry = |(name, value): (&String, &Value)| Ok((name.clone(), self.resolve(value)?));
                    Ok(Value::Object(map.iter().map(entry).collect::<anyhow::Result<_>>()?))
                }
            },
            Value::Array(items) => items.iter().map(|item| self.resolve(item)).collect(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(value.clone()),
        }
    }

    fn call(&self, function: &str, argument: &Value) -> anyhow::Result<Value> {
        match (function, argument) {
            ("Fn::Ref", Value::String(name)) => Ok(Value::from(self.named(name)?)),
            ("Fn::Sub", Value::String(template)) => Ok(Value::from(self.substituted(template)?)),
            ("Fn::ImportValue", name) => {
                let name = text(&self.resolve(name)?);
                // An alarm over what is not deployed here has no metric here either.
                Ok(Value::from((self.exports)(&name).unwrap_or(name)))
            }
            // The only condition within the properties of alarms is that of production.
            ("Fn::If", Value::Array(parts)) => {
                let [_, _, otherwise] = parts.as_slice() else { bail!("Fn::If has other than three parts") };
                self.resolve(otherwise)
            }
            ("Fn::GetAtt", Value::String(name)) => {
                let (id, attribute) = name.split_once('.').with_context(|| format!("{name} has no dot"))?;
                // An attribute that repeats a property, as QueueName. Of others only AWS knows the value.
                let property = &self.resources[id]["Properties"][attribute];
                if property.is_null() { Ok(argument.clone()) } else { self.resolve(property) }
            }
            _ => bail!("{function} of {argument} is not understood"),
        }
    }

    /// The value of a parameter, or the name of a resource.
    fn named(&self, name: &str) -> anyhow::Result<String> {
        let is_resource = || self.resources.contains_key(name).then(|| name.to_owned());
        self.parameters
            .get(name)
            .cloned()
            .or_else(is_resource)
            .with_context(|| format!("nothing has the name {name}"))
    }

    fn substituted(&self, template: &str) -> anyhow::Result<String> {
        let mut parts = template.split("${");
        let mut whole = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (name, rest) = part.split_once('}').context("a ${ is open")?;
            whole.push_str(&self.named(name)?);
            whole.push_str(rest);
        }
        Ok(whole)
    }
}

#[cfg(test)]
mod tests;
