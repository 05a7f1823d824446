//! PURE. The language of metric math and of the rules of composite alarms, as far as the templates use it: numbers, names,
//! texts, calls of functions, `NOT`, arithmetic, comparisons, `AND` and `OR`, in the precedence of CloudWatch ("Using metric
//! math", "Create a composite alarm").

use anyhow::{Context as _, bail, ensure};

/// The deepest nesting of an expression.
const DEPTH_MAX: usize = 32;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Expression {
    Number(f64),
    /// The id of a metric, or the name of an alarm in quotes or without them.
    Name(String),
    Call {
        function: String,
        arguments: Vec<Self>,
    },
    Not(Box<Self>),
    Binary {
        operator: Operator,
        left: Box<Self>,
        right: Box<Self>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Or,
    And,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Equal,
    NotEqual,
    Add,
    Subtract,
    Multiply,
    Divide,
}

/// The operators by their precedence, the weakest first. Where one begins with another, the longer one comes first.
const LEVELS: [&[(&str, Operator)]; 5] = [
    &[("OR", Operator::Or), ("||", Operator::Or)],
    &[("AND", Operator::And), ("&&", Operator::And)],
    &[
        ("<=", Operator::LessOrEqual),
        (">=", Operator::GreaterOrEqual),
        ("==", Operator::Equal),
        ("!=", Operator::NotEqual),
        ("<", Operator::Less),
        (">", Operator::Greater),
    ],
    &[("+", Operator::Add), ("-", Operator::Subtract)],
    &[("*", Operator::Multiply), ("/", Operator::Divide)],
];

struct Parser<'a> {
    rest: &'a str,
    depth: usize,
}

impl Expression {
    /// # Errors
    /// The text is no expression; the error has the rest that could not be read.
    pub(super) fn parse(text: &str) -> anyhow::Result<Self> {
        let mut parser = Parser { rest: text.trim_start(), depth: 0 };
        let expression = parser.binary(0).with_context(|| format!("cannot read {text:?}"))?;
        ensure!(parser.rest.is_empty(), "cannot read {text:?}: {:?} is left", parser.rest);
        Ok(expression)
    }

    /// Every part of the expression, and itself.
    pub(super) fn parts(&self) -> Vec<&Self> {
        let below: Vec<&Self> = match self {
            Self::Number(_) | Self::Name(_) => Vec::new(),
            Self::Call { arguments, .. } => arguments.iter().collect(),
            Self::Not(inner) => vec![inner],
            Self::Binary { left, right, .. } => vec![left, right],
        };
        below.into_iter().flat_map(Self::parts).chain([self]).collect()
    }
}

impl<'a> Parser<'a> {
    /// An expression of operators of this level or a stronger one; they bind to the left.
    fn binary(&mut self, level: usize) -> anyhow::Result<Expression> {
        let Some(operators) = LEVELS.get(level) else { return self.operand() };
        let mut left = self.binary(level + 1)?;
        while let Some((_, operator)) = operators.iter().find(|(text, _)| self.take(text)) {
            let right = Box::new(self.binary(level + 1)?);
            left = Expression::Binary { operator: *operator, left: Box::new(left), right };
        }
        Ok(left)
    }

    fn operand(&mut self) -> anyhow::Result<Expression> {
        self.depth += 1;
        ensure!(self.depth <= DEPTH_MAX, "it is nested deeper than {DEPTH_MAX}");
        let operand = self.shallow_operand();
        self.depth -= 1;
        operand
    }

    fn shallow_operand(&mut self) -> anyhow::Result<Expression> {
        if self.take("(") {
            let inner = self.binary(0)?;
            ensure!(self.take(")"), "a bracket is open at {:?}", self.rest);
            return Ok(inner);
        }
        if self.take("NOT") || self.take("!") {
            return Ok(Expression::Not(Box::new(self.operand()?)));
        }
        if self.take("\"") {
            let (name, rest) = self.rest.split_once('"').context("a text is open")?;
            self.rest = rest.trim_start();
            return Ok(Expression::Name(name.to_owned()));
        }
        let word = self.word();
        ensure!(!word.is_empty(), "there is no value at {:?}", self.rest);
        if word.starts_with(|letter: char| letter.is_ascii_digit()) {
            return Ok(Expression::Number(word.parse().with_context(|| format!("{word:?} is no number"))?));
        }
        if !self.take("(") {
            return Ok(Expression::Name(word.to_owned()));
        }
        let mut arguments = vec![self.binary(0)?];
        while self.take(",") {
            arguments.push(self.binary(0)?);
        }
        if !self.take(")") {
            bail!("the arguments of {word} are open at {:?}", self.rest);
        }
        Ok(Expression::Call { function: word.to_owned(), arguments })
    }

    /// Takes `text` and the white space after it, if it is next. A word is taken only whole.
    fn take(&mut self, text: &str) -> bool {
        let Some(rest) = self.rest.strip_prefix(text) else { return false };
        let is_word = text.ends_with(|letter: char| letter.is_ascii_alphabetic());
        if is_word && rest.starts_with(|letter: char| letter.is_ascii_alphanumeric() || letter == '_') {
            return false;
        }
        self.rest = rest.trim_start();
        true
    }

    fn word(&mut self) -> &'a str {
        let ends = |letter: char| !(letter.is_ascii_alphanumeric() || letter == '_' || letter == '.');
        let (word, rest) = self.rest.split_at(self.rest.find(ends).unwrap_or(self.rest.len()));
        self.rest = rest.trim_start();
        word
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The expression with all its brackets.
    fn shown(expression: &Expression) -> String {
        match expression {
            Expression::Number(number) => number.to_string(),
            Expression::Name(name) => name.clone(),
            Expression::Call { function, arguments } => {
                format!("{function}[{}]", arguments.iter().map(shown).collect::<Vec<_>>().join(" "))
            }
            Expression::Not(inner) => format!("not {}", shown(inner)),
            Expression::Binary { operator, left, right } => {
                format!("({} {operator:?} {})", shown(left), shown(right))
            }
        }
    }

    #[test]
    fn operators_bind_as_in_cloudwatch() {
        for (text, expected) in [
            ("a + b * 2 - 1", "((a Add (b Multiply 2)) Subtract 1)"),
            ("a > 5 AND b == 0 OR c", "(((a Greater 5) And (b Equal 0)) Or c)"),
            ("NOT ALARM(a) AND OK(\"b-c d\")", "(not ALARM[a] And OK[b-c d])"),
            (
                "IF(FILL(m1, 0)>=20, 100*e/m1, 0)",
                "IF[(FILL[m1 0] GreaterOrEqual 20) ((100 Multiply e) Divide m1) 0]",
            ),
            ("(a OR b) AND c", "((a Or b) And c)"),
            ("ORDER + ANDY", "(ORDER Add ANDY)"),
        ] {
            assert_eq!(shown(&Expression::parse(text).unwrap()), expected, "{text}");
        }
    }

    #[test]
    fn text_that_is_no_expression_is_an_error() {
        let deep = "(".repeat(DEPTH_MAX + 1);
        for text in ["", "a +", "(a", "IF(a", "a b", "\"a", "1.2.3", "a ~ b", &deep] {
            assert!(Expression::parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[A-Za-z0-9()<>=!&|+*/,\" -]{0,60}") {
            let _ = Expression::parse(&text);
        }
    }
}
