//! PURE. A CloudFormation template as it is written: its parameters and its resources.

use std::collections::BTreeMap;

use anyhow::{Context as _, bail, ensure};
use regex_lite::Regex;
use saphyr::{LoadableYamlNode as _, Scalar, Yaml};
use serde::Deserialize;
use serde_json::{Map, Value};

/// A template of `infra/templates`.
#[derive(Clone, Debug)]
pub struct Template {
    pub body: &'static str,
    pub parameters: BTreeMap<String, ParameterSpec>,
    /// Resources by logical id. An intrinsic function (`!Ref`) is an object with its name, `Fn::Ref`.
    pub resources: Map<String, Value>,
}

/// A parameter of a template. Values are text, as in the API of CloudFormation.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ParameterSpec {
    pub description: String,
    default: Option<Value>,
    allowed_values: Vec<Value>,
    allowed_pattern: Option<String>,
    min_value: Option<f64>,
    max_value: Option<f64>,
    min_length: Option<usize>,
    max_length: Option<usize>,
}

impl Template {
    /// # Errors
    /// The text is no YAML, has no resources, or a parameter has an unknown shape.
    pub fn parse(body: &'static str) -> anyhow::Result<Self> {
        let documents = Yaml::load_from_str(body).context("the template is not YAML")?;
        let Some(document) = documents.first() else { bail!("the template is empty") };
        let document = json(document);
        let parameters = document.get("Parameters").cloned().unwrap_or_else(|| Value::Object(Map::new()));
        let resources = document["Resources"].as_object().context("the template has no Resources")?;
        Ok(Self {
            body,
            parameters: serde_json::from_value(parameters).context("cannot read the parameters")?,
            resources: resources.clone(),
        })
    }
}

impl ParameterSpec {
    #[must_use]
    pub fn has_default(&self) -> bool {
        self.default.is_some()
    }

    /// The value without another one.
    #[must_use]
    pub fn default_value(&self) -> Option<String> {
        self.default.as_ref().map(text)
    }

    /// Whether the template admits `value`.
    ///
    /// # Errors
    /// It does not; the error says what is allowed.
    pub fn check(&self, value: &str) -> anyhow::Result<()> {
        let allowed: Vec<String> = self.allowed_values.iter().map(text).collect();
        ensure!(
            allowed.is_empty() || allowed.iter().any(|allowed| allowed == value),
            "{value:?} is not one of {}",
            allowed.join(", ")
        );
        if let Some(pattern) = &self.allowed_pattern {
            let regex = Regex::new(pattern).with_context(|| format!("cannot read the pattern {pattern}"))?;
            let whole = regex.find(value).is_some_and(|found| found.len() == value.len());
            ensure!(whole, "{value:?} does not match {pattern}");
        }
        if self.min_value.is_some() || self.max_value.is_some() {
            let number: f64 = value.parse().with_context(|| format!("{value:?} is not a number"))?;
            let (min, max) = (self.min_value.unwrap_or(f64::MIN), self.max_value.unwrap_or(f64::MAX));
            ensure!(
                (min..=max).contains(&number),
                "{value} is not in {}",
                range(self.min_value, self.max_value)
            );
        }
        let length = value.chars().count();
        ensure!(self.min_length.is_none_or(|min| length >= min), "it is shorter than {:?}", self.min_length);
        ensure!(self.max_length.is_none_or(|max| length <= max), "it is longer than {:?}", self.max_length);
        Ok(())
    }
}

fn range(min: Option<f64>, max: Option<f64>) -> String {
    match (min, max) {
        (Some(min), Some(max)) => format!("{min} to {max}"),
        (Some(min), None) => format!("{min} and more"),
        (None, Some(max)) => format!("up to {max}"),
        (None, None) => "any number".to_owned(),
    }
}

/// A scalar as CloudFormation takes it.
pub(crate) fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
}

/// YAML as JSON. An intrinsic function (`!Ref`, `!If`) keeps its argument under its name, `Fn::Ref`.
pub(crate) fn json(yaml: &Yaml<'_>) -> Value {
    match yaml {
        Yaml::Value(Scalar::Boolean(value)) => Value::Bool(*value),
        Yaml::Value(Scalar::Integer(value)) => Value::from(*value),
        Yaml::Value(Scalar::FloatingPoint(value)) => Value::from(value.into_inner()),
        Yaml::Value(Scalar::String(value)) => Value::from(value.as_ref()),
        Yaml::Sequence(items) => items.iter().map(json).collect(),
        Yaml::Mapping(entries) => {
            let key = |key: &Yaml<'_>| key.as_str().unwrap_or_default().to_owned();
            entries.iter().map(|(name, value)| (key(name), json(value))).collect()
        }
        Yaml::Tagged(tag, value) => {
            Value::Object(Map::from_iter([(format!("Fn::{}", tag.suffix), json(value))]))
        }
        Yaml::Value(Scalar::Null) | Yaml::Representation(..) | Yaml::Alias(_) | Yaml::BadValue => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEMPLATE: &str = r#"
Parameters:
  Size: { Type: Number, Default: 2, MinValue: 1, MaxValue: 4 }
  Zone: { Type: String, AllowedPattern: "^Z[A-Z0-9]{3,5}$" }
  Count: { Type: Number, AllowedValues: [1, 2], Default: 1 }
Resources:
  Table: { Type: "AWS::DynamoDB::Table" }
"#;

    #[test]
    fn value_outside_of_what_a_parameter_allows_is_refused_with_what_is_allowed() {
        let template = Template::parse(TEMPLATE).unwrap();
        let check =
            |name: &str, value: &str| template.parameters[name].check(value).map_err(|e| e.to_string());
        assert_eq!(check("Size", "4"), Ok(()));
        assert_eq!(check("Size", "5"), Err("5 is not in 1 to 4".to_owned()));
        assert_eq!(check("Size", "x"), Err("\"x\" is not a number".to_owned()));
        assert_eq!(check("Zone", "Z123"), Ok(()));
        assert_eq!(check("Zone", ""), Err("\"\" does not match ^Z[A-Z0-9]{3,5}$".to_owned()));
        assert_eq!(check("Count", "3"), Err("\"3\" is not one of 1, 2".to_owned()));
        assert!(template.parameters["Size"].has_default() && !template.parameters["Zone"].has_default());
        assert_eq!(template.resources["Table"]["Type"], "AWS::DynamoDB::Table");
    }
}
