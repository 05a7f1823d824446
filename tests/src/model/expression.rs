//! PURE. The expressions of DynamoDB that the service uses: conditions, updates (SET, REMOVE, ADD) and key conditions. All
//! others are errors.

use std::{cell::RefCell, cmp::Ordering, collections::BTreeSet};

use serde_json::{Map, Value, json};

/// An item: attribute name to DynamoDB JSON, for example `{"N": "7"}`.
pub type Item = Map<String, Value>;

/// The placeholders to which an expression refers.
pub(super) struct Scope<'a> {
    names: &'a Value,
    values: &'a Value,
    used: RefCell<BTreeSet<String>>,
}

struct Reader<'a> {
    tokens: Vec<String>,
    next: usize,
    scope: &'a Scope<'a>,
    item: &'a Item,
}

type Parsed<T> = Result<T, String>;

impl<'a> Scope<'a> {
    /// The placeholders of a request.
    pub(super) fn of(request: &'a Value) -> Self {
        Self {
            names: &request["ExpressionAttributeNames"],
            values: &request["ExpressionAttributeValues"],
            used: RefCell::default(),
        }
    }

    /// Whether `condition` holds for `item`.
    pub(super) fn holds(&self, condition: &str, item: &Item) -> Parsed<bool> {
        let mut reader = self.reader(condition, item)?;
        let holds = reader.any()?;
        reader.end()?;
        Ok(holds)
    }

    /// The value to which `condition` demands that `name` is equal.
    pub(super) fn equal_to(&self, condition: &str, name: &str) -> Parsed<Option<&'a Value>> {
        let tokens = tokens(condition)?;
        let is_it = |token: &str| token == name || self.names[token].as_str() == Some(name);
        let found = tokens.windows(3).find(|three| is_it(&three[0]) && three[1] == "=");
        Ok(found.and_then(|three| self.values.get(&three[2])))
    }

    /// `item` after `update`.
    pub(super) fn updated(&self, update: &str, item: &Item) -> Parsed<Item> {
        let mut reader = self.reader(update, item)?;
        let mut after = item.clone();
        while let Some(clause) = reader.take() {
            loop {
                let name = reader.name()?;
                match clause.as_str() {
                    "SET" => {
                        reader.expect("=")?;
                        let value = reader.sum()?;
                        after.insert(name, value);
                    }
                    "REMOVE" => {
                        after.remove(&name);
                    }
                    "ADD" => {
                        let added = reader.operand()?.ok_or("ADD needs a value")?;
                        let sum = add(item.get(&name), &added, 1)?;
                        after.insert(name, sum);
                    }
                    other => return Err(format!("the clause {other} is not modelled")),
                }
                if reader.peek() != Some(",") {
                    break;
                }
                reader.next += 1;
            }
        }
        Ok(after)
    }

    /// DynamoDB refuses placeholders that no expression uses.
    pub(super) fn all_used(&self) -> Parsed<()> {
        let used = self.used.borrow();
        let defined = [self.names, self.values].into_iter().filter_map(Value::as_object).flat_map(Map::keys);
        match defined.into_iter().find(|name| !used.contains(*name)) {
            Some(name) => Err(format!("the placeholder {name} is not used")),
            None => Ok(()),
        }
    }

    fn reader<'r>(&'r self, text: &str, item: &'r Item) -> Parsed<Reader<'r>> {
        Ok(Reader { tokens: tokens(text)?, next: 0, scope: self, item })
    }
}

impl Reader<'_> {
    fn peek(&self) -> Option<&str> {
        self.tokens.get(self.next).map(String::as_str)
    }

    fn take(&mut self) -> Option<String> {
        let token = self.tokens.get(self.next).cloned();
        self.next += 1;
        token
    }

    fn expect(&mut self, token: &str) -> Parsed<()> {
        let found = self.take();
        if found.as_deref() == Some(token) { Ok(()) } else { Err(format!("{token} expected, not {found:?}")) }
    }

    fn end(&mut self) -> Parsed<()> {
        self.take().map_or(Ok(()), |token| Err(format!("{token} is not expected")))
    }

    fn any(&mut self) -> Parsed<bool> {
        let mut holds = self.all()?;
        while self.peek() == Some("OR") {
            self.next += 1;
            holds |= self.all()?;
        }
        Ok(holds)
    }

    fn all(&mut self) -> Parsed<bool> {
        let mut holds = self.one()?;
        while self.peek() == Some("AND") {
            self.next += 1;
            holds &= self.one()?;
        }
        Ok(holds)
    }

    fn one(&mut self) -> Parsed<bool> {
        match self.peek() {
            Some("(") => {
                self.next += 1;
                let holds = self.any()?;
                self.expect(")")?;
                Ok(holds)
            }
            Some("NOT") => {
                self.next += 1;
                Ok(!self.one()?)
            }
            Some(function @ ("attribute_exists" | "attribute_not_exists")) => {
                let exists = function == "attribute_exists";
                self.next += 1;
                self.expect("(")?;
                let name = self.name()?;
                self.expect(")")?;
                Ok(self.item.contains_key(&name) == exists)
            }
            _ => self.comparison(),
        }
    }

    fn comparison(&mut self) -> Parsed<bool> {
        let left = self.operand()?;
        let operator = self.take().ok_or("a comparison has no operator")?;
        if operator == "BETWEEN" {
            let least = self.operand()?;
            self.expect("AND")?;
            let most = self.operand()?;
            let (Some(left), Some(least), Some(most)) = (left, least, most) else { return Ok(false) };
            let is_ge = compare(&left, &least).is_some_and(Ordering::is_ge);
            return Ok(is_ge && compare(&left, &most).is_some_and(Ordering::is_le));
        }
        let right = self.operand()?;
        let (Some(left), Some(right)) = (left, right) else {
            return if operator == "<>" { Ok(true) } else { Ok(false) };
        };
        let order = compare(&left, &right);
        match operator.as_str() {
            "=" => Ok(left == right || order == Some(Ordering::Equal)),
            "<>" => Ok(left != right && order != Some(Ordering::Equal)),
            "<" => Ok(order == Some(Ordering::Less)),
            ">" => Ok(order == Some(Ordering::Greater)),
            "<=" => Ok(order.is_some_and(Ordering::is_le)),
            ">=" => Ok(order.is_some_and(Ordering::is_ge)),
            other => Err(format!("the operator {other} is not modelled")),
        }
    }

    fn sum(&mut self) -> Parsed<Value> {
        let first = self.operand()?.ok_or("SET from an attribute that is missing")?;
        match self.peek() {
            Some("+") => {
                self.next += 1;
                let second = self.operand()?.ok_or("a sum with an attribute that is missing")?;
                add(Some(&first), &second, 1)
            }
            Some("-") => {
                self.next += 1;
                let second = self.operand()?.ok_or("a difference with an attribute that is missing")?;
                add(Some(&first), &second, -1)
            }
            _ => Ok(first),
        }
    }

    fn name(&mut self) -> Parsed<String> {
        let token = self.take().ok_or("a name is missing")?;
        if token.starts_with('#') {
            self.scope.used.borrow_mut().insert(token.clone());
            let name = self.scope.names[&token].as_str();
            return name.map(str::to_owned).ok_or_else(|| format!("{token} is not defined"));
        }
        let plain = token.chars().all(|char| char.is_ascii_alphanumeric() || char == '_');
        if plain { Ok(token) } else { Err(format!("the path {token} is not modelled")) }
    }

    fn operand(&mut self) -> Parsed<Option<Value>> {
        match self.peek() {
            Some(token) if token.starts_with(':') => {
                let token = token.to_owned();
                self.next += 1;
                let value = self.scope.values.get(&token).cloned();
                self.scope.used.borrow_mut().insert(token.clone());
                value.map(Some).ok_or_else(|| format!("{token} is not defined"))
            }
            Some("if_not_exists") => {
                self.next += 1;
                self.expect("(")?;
                let name = self.name()?;
                self.expect(",")?;
                let fallback = self.operand()?;
                self.expect(")")?;
                Ok(self.item.get(&name).cloned().or(fallback))
            }
            _ => {
                let name = self.name()?;
                Ok(self.item.get(&name).cloned())
            }
        }
    }
}

fn tokens(text: &str) -> Parsed<Vec<String>> {
    let mut tokens: Vec<String> = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        let mut token = char.to_string();
        match char {
            ' ' => continue,
            '(' | ')' | ',' | '=' | '+' | '-' => {}
            '<' | '>' => {
                while let Some(next @ ('=' | '>')) = chars.peek() {
                    token.push(*next);
                    chars.next();
                }
            }
            char if char.is_ascii_alphanumeric() || matches!(char, '_' | '#' | ':') => {
                while let Some(next) =
                    chars.peek().filter(|next| next.is_ascii_alphanumeric() || **next == '_')
                {
                    token.push(*next);
                    chars.next();
                }
            }
            other => return Err(format!("{other:?} is not modelled")),
        }
        tokens.push(token);
    }
    Ok(tokens)
}

fn integer(value: &Value) -> Parsed<i128> {
    let digits = value["N"].as_str().ok_or_else(|| format!("{value} is not a number"))?;
    digits.parse().map_err(|_| format!("{digits} is not an integer"))
}

fn add(before: Option<&Value>, added: &Value, sign: i128) -> Parsed<Value> {
    let before = before.map_or(Ok(0), integer)?;
    Ok(json!({ "N": (before + sign * integer(added)?).to_string() }))
}

fn compare(left: &Value, right: &Value) -> Option<Ordering> {
    if let (Ok(left), Ok(right)) = (integer(left), integer(right)) {
        return Some(left.cmp(&right));
    }
    Some(left["S"].as_str()?.cmp(right["S"].as_str()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item() -> Item {
        let item = json!({ "epoch": { "N": "10" }, "state": { "S": "ACTIVE" } });
        item.as_object().unwrap().clone()
    }

    fn request() -> Value {
        json!({
            "ExpressionAttributeNames": { "#state": "state" },
            "ExpressionAttributeValues": { ":nine": { "N": "9" }, ":active": { "S": "ACTIVE" } },
        })
    }

    #[test]
    fn conditions_follow_the_rules_of_dynamodb() {
        let request = request();
        let holds = |condition: &str| Scope::of(&request).holds(condition, &item()).unwrap();
        assert!(holds("epoch > :nine AND #state = :active"));
        assert!(!holds("epoch <= :nine"));
        assert!(holds("attribute_not_exists(absent) OR (epoch = :nine AND #state = :active)"));
        assert!(!holds("absent = :nine"), "a missing attribute equals nothing");
        assert!(holds("absent <> :nine"));
        assert!(holds("NOT attribute_exists(absent)"));
        assert!(holds("epoch BETWEEN :nine AND epoch AND #state = :active"));
        assert!(!holds("epoch BETWEEN :nine AND :nine") && !holds("absent BETWEEN :nine AND :nine"));
    }

    #[test]
    fn updates_set_remove_and_add() {
        let request = request();
        let scope = Scope::of(&request);
        let update =
            "SET lease = :nine, at = if_not_exists(epoch, :nine) REMOVE #state ADD epoch :nine, sum :nine";
        let after = Value::Object(scope.updated(update, &item()).unwrap());
        let number = |digits: &str| json!({ "N": digits });
        let expected =
            json!({ "lease": number("9"), "at": number("10"), "epoch": number("19"), "sum": number("9") });
        assert_eq!(after, expected);
        assert!(scope.all_used().unwrap_err().contains(":active"));
    }

    #[test]
    fn what_is_not_modelled_is_refused() {
        let request = request();
        let scope = Scope::of(&request);
        for condition in ["size(epoch) > :nine", "a.b = :nine", "epoch IN (:nine)", "epoch = :ten"] {
            assert!(scope.holds(condition, &item()).is_err(), "{condition}");
        }
        assert!(scope.updated("DELETE tags :nine", &item()).is_err());
    }
}
