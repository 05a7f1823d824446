//! PURE. The rule of a composite alarm: `ALARM(name)`, `OK(name)`, `INSUFFICIENT_DATA(name)` with `AND`, `OR` and `NOT`.

use std::collections::BTreeSet;

use anyhow::ensure;

use super::{
    expression::{Expression, Operator},
    rule::StateValue,
};

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Composite(Expression);

impl Composite {
    /// # Errors
    /// The text is no rule, or uses what is not supported here.
    pub(super) fn parse(text: &str) -> anyhow::Result<Self> {
        let expression = Expression::parse(text)?;
        check(&expression)?;
        Ok(Self(expression))
    }

    /// The names of the alarms in it.
    pub(super) fn children(&self) -> BTreeSet<&str> {
        let names = self.0.parts().into_iter().filter_map(|part| match part {
            Expression::Name(name) => Some(name.as_str()),
            Expression::Number(_)
            | Expression::Call { .. }
            | Expression::Not(_)
            | Expression::Binary { .. } => None,
        });
        names.collect()
    }

    /// The state, with those of the other alarms. An unknown alarm has not enough data.
    pub(super) fn evaluate(&self, states: impl Fn(&str) -> Option<StateValue>) -> StateValue {
        if holds(&self.0, &states) { StateValue::Alarm } else { StateValue::Ok }
    }
}

fn state_of(function: &str) -> Option<StateValue> {
    match function {
        "ALARM" => Some(StateValue::Alarm),
        "OK" => Some(StateValue::Ok),
        "INSUFFICIENT_DATA" => Some(StateValue::InsufficientData),
        _ => None,
    }
}

fn check(expression: &Expression) -> anyhow::Result<()> {
    match expression {
        Expression::Call { function, arguments } => {
            let is_state =
                matches!(arguments.as_slice(), [Expression::Name(_)]) && state_of(function).is_some();
            ensure!(is_state, "{function} with these arguments is no state of an alarm");
            Ok(())
        }
        Expression::Not(inner) => check(inner),
        Expression::Binary { operator: Operator::And | Operator::Or, left, right } => {
            check(left)?;
            check(right)
        }
        Expression::Binary { operator, .. } => anyhow::bail!("{operator:?} is no operator of a rule"),
        Expression::Number(_) | Expression::Name(_) => {
            anyhow::bail!("{expression:?} is no state of an alarm")
        }
    }
}

fn holds(expression: &Expression, states: &impl Fn(&str) -> Option<StateValue>) -> bool {
    match expression {
        Expression::Not(inner) => !holds(inner, states),
        Expression::Binary { operator: Operator::Or, left, right } => {
            holds(left, states) || holds(right, states)
        }
        Expression::Binary { left, right, .. } => holds(left, states) && holds(right, states),
        Expression::Call { function, arguments } => match arguments.as_slice() {
            [Expression::Name(name)] => {
                state_of(function) == Some(states(name).unwrap_or(StateValue::InsufficientData))
            }
            _ => false,
        },
        Expression::Number(_) | Expression::Name(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The state of `rule` when `a` is in alarm, `b` is fine, and nothing is known of the others.
    fn state(rule: &str) -> StateValue {
        Composite::parse(rule).unwrap().evaluate(|name| match name {
            "nova-a" => Some(StateValue::Alarm),
            "nova-b" => Some(StateValue::Ok),
            _ => None,
        })
    }

    #[test]
    fn rule_follows_the_states_of_its_alarms() {
        for (rule, is_alarm) in [
            (r#"ALARM("nova-a")"#, true),
            (r#"ALARM("nova-b") OR ALARM("nova-a")"#, true),
            (r#"ALARM("nova-b") AND ALARM("nova-a")"#, false),
            (r#"NOT ALARM("nova-b") AND OK("nova-b")"#, true),
            (r#"ALARM("nova-a") AND NOT ALARM("nova-c")"#, true),
            (r#"INSUFFICIENT_DATA("nova-c") AND NOT (OK("nova-a") OR ALARM("nova-b"))"#, true),
        ] {
            let expected = if is_alarm { StateValue::Alarm } else { StateValue::Ok };
            assert_eq!(state(rule), expected, "{rule}");
        }
        let rule = Composite::parse(r#"ALARM("nova-a") OR NOT OK("nova-b")"#).unwrap();
        assert_eq!(rule.children(), BTreeSet::from(["nova-a", "nova-b"]));
    }

    #[test]
    fn what_is_no_rule_is_refused() {
        for rule in ["nova", "1", "ALARM(1)", "BROKEN(a)", "ALARM(a) + ALARM(b)", "ALARM(a, b)", ""] {
            assert!(Composite::parse(rule).is_err(), "{rule}");
        }
    }
}
