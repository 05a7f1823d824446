//! Evaluates IAM policies, as far as the templates use them: for tests of what a role may do on AWS. What it does not know makes a test
//! fail instead of passing.
//!
//! The local cloud enforces the same policies in every other test, but it has no keys such as `events:source` or
//! `dynamodb:LeadingKeys`, so their conditions are left out or ineffective there.

use std::collections::BTreeMap;

use serde_json::Value;

/// One call of AWS.
#[derive(Clone, Debug, Default)]
pub(super) struct Call {
    /// `sqs:SendMessage`.
    pub(super) action: String,
    /// ARN.
    pub(super) resource: String,
    /// Values of condition keys.
    pub(super) context: BTreeMap<String, Vec<String>>,
}

impl Call {
    pub(super) fn new(action: &str, resource: &str) -> Self {
        Self { action: action.to_owned(), resource: resource.to_owned(), context: BTreeMap::new() }
    }

    pub(super) fn with(mut self, key: &str, values: &[&str]) -> Self {
        self.context.insert(key.to_owned(), values.iter().map(|value| (*value).to_owned()).collect());
        self
    }
}

/// Whether the statements of a role's policies allow `call`: one allows it, and none denies it.
pub(super) fn allows(statements: &[&Value], call: &Call) -> bool {
    let applying = |effect: &str| {
        statements.iter().any(|statement| statement["Effect"] == effect && applies(statement, call))
    };
    applying("Allow") && !applying("Deny")
}

/// The statements of the inline policies of a role, from its properties.
pub(super) fn statements(role: &Value) -> Vec<&Value> {
    assert!(role.get("ManagedPolicyArns").is_none(), "policies of AWS are not evaluated here");
    let policies = role["Policies"].as_array().into_iter().flatten();
    policies.flat_map(|policy| list(&policy["PolicyDocument"]["Statement"])).collect()
}

/// Whether the pattern of a policy, with `*` for any text and `?` for one character, matches `text`.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    // The lengths of text that the pattern up to here matches.
    let mut ends = vec![false; text.len() + 1];
    ends[0] = true;
    for one in pattern {
        let mut next = vec![false; text.len() + 1];
        for at in 0..=text.len() {
            next[at] = match one {
                '*' => ends[at] || (at > 0 && next[at - 1]),
                '?' => at > 0 && ends[at - 1],
                plain => at > 0 && ends[at - 1] && text[at - 1] == plain,
            };
        }
        ends = next;
    }
    ends[text.len()]
}

fn applies(statement: &Value, call: &Call) -> bool {
    let any = |patterns: &Value, text: &str, fold: fn(&str) -> String| {
        list(patterns).iter().any(|pattern| matches(&fold(pattern.as_str().unwrap()), &fold(text)))
    };
    let lower = |text: &str| text.to_ascii_lowercase();
    let same = |text: &str| text.to_owned();
    assert!(statement.get("NotAction").is_none(), "NotAction is not known: {statement}");
    let resource = match statement.get("NotResource") {
        Some(not) => !any(not, &call.resource, same),
        None => any(&statement["Resource"], &call.resource, same),
    };
    let conditions = statement["Condition"].as_object().into_iter().flatten();
    let mut conditions = conditions.flat_map(|(operator, keys)| {
        keys.as_object().unwrap().iter().map(move |(key, values)| (operator, key, values))
    });
    any(&statement["Action"], &call.action, lower)
        && resource
        && conditions.all(|(operator, key, values)| holds(operator, call.context.get(key), values))
}

/// One operator of a condition. A key that a call does not have fails a plain operator and passes one of all its values.
fn holds(operator: &str, given: Option<&Vec<String>>, values: &Value) -> bool {
    let values: Vec<String> = list(values).into_iter().map(crate::template::text).collect();
    let (quantifier, plain) = operator.split_once(':').unwrap_or(("", operator));
    let one = |given: &String| {
        values.iter().any(|value| match plain {
            "StringEquals" | "ArnEquals" | "Bool" => value == given,
            "StringLike" | "ArnLike" => matches(value, given),
            other => panic!("the operator {other} is not known"),
        })
    };
    match (quantifier, plain, given) {
        ("", "Null", given) => values == [given.is_none().to_string()],
        ("ForAllValues", _, given) => given.is_none_or(|given| given.iter().all(one)),
        ("" | "ForAnyValue", _, given) => given.is_some_and(|given| given.iter().any(one)),
        (other, ..) => panic!("the quantifier {other} is not known"),
    }
}

fn list(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().collect(),
        Value::Null => Vec::new(),
        one @ (Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_)) => vec![one],
    }
}

mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn pattern_matches_any_text_or_one_character() {
        for (pattern, text, expected) in [
            ("a*c", "abbc", true),
            ("a*c", "ac", true),
            ("a*c", "ab", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*", "", true),
            ("arn:aws:s3:::b/audio/*", "arn:aws:s3:::b/audio/u/1.wav", true),
            ("arn:aws:s3:::b/audio/*", "arn:aws:s3:::b", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn call_is_allowed_by_one_statement_and_denied_by_any() {
        let allow = json!({ "Effect": "Allow", "Action": ["sqs:SendMessage*"], "Resource": "q" });
        let deny = json!({ "Effect": "Deny", "Action": "sqs:*", "Resource": "*" });
        let send = Call::new("SQS:SendMessageBatch", "q");
        assert!(allows(&[&allow], &send));
        assert!(!allows(&[&allow, &deny], &send) && !allows(&[], &send));
        assert!(!allows(&[&allow], &Call::new("sqs:SendMessage", "other")));
        assert!(!allows(&[&allow], &Call::new("sqs:ReceiveMessage", "q")));
        let elsewhere = json!({ "Effect": "Allow", "Action": "sns:Publish", "NotResource": "arn:*" });
        assert!(allows(&[&elsewhere], &Call::new("sns:Publish", "+15550100")));
        assert!(!allows(&[&elsewhere], &Call::new("sns:Publish", "arn:aws:sns:x")));
    }

    #[test]
    fn conditions_hold_for_their_keys() {
        let with = |condition: Value| json!({ "Effect": "Allow", "Action": "a:b", "Resource": "*", "Condition": condition });
        let call = Call::new("a:b", "r").with("k", &["x#1"]);
        let check = |condition: Value, call: &Call| allows(&[&with(condition)], call);
        assert!(check(json!({ "StringEquals": { "k": ["y", "x#1"] } }), &call));
        assert!(!check(json!({ "StringEquals": { "k": "x" } }), &call));
        assert!(check(json!({ "ForAllValues:StringLike": { "k": ["x#*"] } }), &call));
        let two = call.clone().with("k", &["x#1", "y#1"]);
        assert!(!check(json!({ "ForAllValues:StringLike": { "k": ["x#*"] } }), &two));
        assert!(check(json!({ "ForAnyValue:StringLike": { "k": ["x#*"] } }), &two));
        let none = Call::new("a:b", "r");
        assert!(!check(json!({ "StringEquals": { "k": "x" } }), &none));
        assert!(check(json!({ "ForAllValues:StringLike": { "k": "x" } }), &none));
        assert!(
            check(json!({ "Null": { "k": "true" } }), &none)
                && !check(json!({ "Null": { "k": "false" } }), &none)
        );
        assert!(!check(json!({ "Bool": { "k": "true" }, "StringEquals": { "k": "x#1" } }), &call));
    }
}
