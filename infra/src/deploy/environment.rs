//! PURE. An environment: where the service is deployed, and the parameters of its stacks. One file of `infra/parameters` each.

use std::collections::BTreeMap;

use anyhow::{Context as _, ensure};
use saphyr::{LoadableYamlNode as _, Yaml};
use serde::Deserialize;
use serde_json::Value;

use crate::template::{json, text};

/// The stage whose names are those of the architecture document.
const PRODUCTION_STAGE: &str = "prod";

/// The content of a file of `infra/parameters`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Environment {
    /// `prod`, or a lower-case word of up to 12 characters that all names carry.
    pub stage: String,
    pub region: String,
    /// Number of the AWS account. A deployment with credentials of another account is refused.
    pub account: String,
    /// Whether stacks are protected against deletion.
    #[serde(default = "yes")]
    pub termination_protection: bool,
    /// Whether CloudFront, the page and the names are deployed here. They exist once, in us-east-1, and not in a standby region.
    #[serde(default = "yes")]
    pub edge: bool,
    /// Parameters of each stack that has them.
    #[serde(default)]
    pub parameters: BTreeMap<String, Value>,
    /// Parameters of single stacks, by name without prefix: `api`, `worker`, `network`.
    #[serde(default)]
    pub stacks: BTreeMap<String, BTreeMap<String, Value>>,
}

impl Environment {
    /// # Errors
    /// The text is no YAML, a field is missing, unknown or empty, or has a value that is not allowed.
    pub fn parse(yaml: &str) -> anyhow::Result<Self> {
        let documents = Yaml::load_from_str(yaml).context("the file is not YAML")?;
        let document = documents.first().context("the file is empty")?;
        let environment: Self = serde_json::from_value(json(document))?;
        let stage = environment.stage.as_bytes();
        ensure!(
            (2..=12).contains(&stage.len())
                && stage[0].is_ascii_lowercase()
                && stage.iter().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()),
            "stage: {:?} is not 2 to 12 lower-case letters and digits, a letter first",
            environment.stage
        );
        ensure!(
            environment.account.len() == 12 && environment.account.bytes().all(|byte| byte.is_ascii_digit()),
            "account: {:?} is not the number of an AWS account, twelve digits in quotes",
            environment.account
        );
        ensure!(!environment.region.is_empty(), "region: it is empty; for example us-east-1");
        Ok(environment)
    }

    /// First part of all names.
    #[must_use]
    pub fn prefix(&self) -> String {
        if self.stage == PRODUCTION_STAGE { "nova".to_owned() } else { format!("nova-{}", self.stage) }
    }

    /// The value of a parameter of the stack `stack`: its own, or the one for all.
    #[must_use]
    pub fn value(&self, stack: &str, parameter: &str) -> Option<String> {
        let own = self.stacks.get(stack).and_then(|parameters| parameters.get(parameter));
        own.or_else(|| self.parameters.get(parameter)).map(text)
    }
}

const fn yes() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"
stage: staging
region: us-east-1
account: "123456789012"
parameters: { DomainName: staging.example.org, HostedZoneId: Z0123456 }
stacks:
  api: { TasksMax: 3, DomainName: other.example.org }
"#;

    #[test]
    fn own_parameter_of_a_stack_precedes_the_one_for_all() {
        let environment = Environment::parse(FILE).unwrap();
        assert_eq!(environment.prefix(), "nova-staging");
        assert_eq!(environment.value("api", "TasksMax").as_deref(), Some("3"));
        assert_eq!(environment.value("api", "DomainName").as_deref(), Some("other.example.org"));
        assert_eq!(environment.value("edge", "DomainName").as_deref(), Some("staging.example.org"));
        assert_eq!(environment.value("edge", "TasksMax"), None);
    }

    #[test]
    fn wrong_or_unknown_field_is_named() {
        let refused =
            |from: &str, to: &str| Environment::parse(&FILE.replace(from, to)).unwrap_err().to_string();
        assert!(
            refused("staging\nregion", "Staging\nregion").starts_with("stage: \"Staging\" is not 2 to 12")
        );
        assert!(refused("123456789012", "12").starts_with("account: \"12\" is not the number"));
        assert!(refused("region: us-east-1", "zone: a").contains("unknown field `zone`"));
        assert!(refused("region: us-east-1\n", "").contains("missing field `region`"));
    }
}
