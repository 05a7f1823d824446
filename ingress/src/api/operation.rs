//! PURE. The documentation of an operation, put together by the arguments and the return type of its handler.

use std::collections::BTreeMap;

use schemars::{JsonSchema, SchemaGenerator};
use serde_json::Value;

use super::{problem::Code, role::Role};

#[derive(Debug)]
pub struct OperationBuilder<'a> {
    path: &'static str,
    generator: &'a mut SchemaGenerator,
    operation: Operation,
}

#[derive(Clone, Debug, Default)]
pub struct Operation {
    pub role: Role,
    pub parameters: Vec<Parameter>,
    /// The media types of the body with their schemas.
    pub body: BTreeMap<&'static str, Value>,
    /// The successful responses, by status.
    pub responses: BTreeMap<u16, DocumentedResponse>,
    pub problems: Vec<Code>,
}

#[derive(Clone, Debug)]
pub struct Parameter {
    /// `path`, `query` or `header`.
    pub location: &'static str,
    pub name: String,
    pub required: bool,
    pub schema: Value,
}

#[derive(Clone, Debug, Default)]
pub struct DocumentedResponse {
    pub description: &'static str,
    /// The media types with their schemas.
    pub content: BTreeMap<&'static str, Value>,
    pub headers: BTreeMap<&'static str, &'static str>,
}

impl<'a> OperationBuilder<'a> {
    /// Documents an operation at `path`, whose named schemas are collected in `generator`.
    pub fn new(path: &'static str, generator: &'a mut SchemaGenerator) -> Self {
        Self { path, generator, operation: Operation::default() }
    }

    /// Adds a file of the media type as a body.
    pub fn file(&mut self, media_type: &'static str) {
        let schema = serde_json::json!({ "type": "string", "format": "binary" });
        self.operation.body.insert(media_type, schema);
    }

    /// Returns the documentation, with the problem codes in their order.
    #[must_use]
    pub fn build(self) -> Operation {
        let mut operation = self.operation;
        operation.problems.sort_unstable();
        operation
    }

    pub fn schema<T: JsonSchema>(&mut self) -> Value {
        self.generator.subschema_for::<T>().to_value()
    }

    pub fn role(&mut self, role: Role) {
        self.operation.role = self.operation.role.max(role);
        let codes: &[Code] = match role {
            Role::Public => &[],
            Role::Ticket => &[Code::TicketInvalid, Code::TicketUsed],
            Role::Learner => {
                &[Code::TokenMissing, Code::TokenExpired, Code::TokenInvalid, Code::SessionEnded]
            }
            Role::Analyst | Role::Operator => &[
                Code::TokenMissing,
                Code::TokenExpired,
                Code::TokenInvalid,
                Code::SessionEnded,
                Code::RoleMissing,
            ],
        };
        codes.iter().for_each(|code| self.problem(*code));
    }

    pub fn problem(&mut self, code: Code) {
        if !self.operation.problems.contains(&code) {
            self.operation.problems.push(code);
        }
    }

    pub fn body<T: JsonSchema>(&mut self, media_type: &'static str) {
        let schema = self.schema::<T>();
        self.operation.body.insert(media_type, schema);
    }

    /// Adds the properties of `T` as query parameters.
    pub fn query<T: JsonSchema>(&mut self) {
        let schema = T::json_schema(self.generator).to_value();
        self.operation.parameters.extend(properties(&schema, "query"));
    }

    /// Adds `T` as path parameters: one value, a tuple in their order, or a struct by name.
    pub fn path<T: JsonSchema>(&mut self) {
        let schema = T::json_schema(self.generator).to_value();
        let named = properties(&schema, "path");
        if !named.is_empty() {
            self.operation.parameters.extend(named);
            return;
        }
        let names =
            self.path.split('{').skip(1).filter_map(|part| part.split_once('}').map(|(name, _)| name));
        let schemas = match schema["prefixItems"].as_array() {
            Some(items) => items.clone(),
            None => vec![self.schema::<T>()],
        };
        let parameter = |(name, schema): (&str, Value)| Parameter {
            location: "path",
            name: name.to_owned(),
            required: true,
            schema,
        };
        self.operation.parameters.extend(names.zip(schemas).map(parameter));
    }

    /// Adds the optional request header `name`.
    pub fn header(&mut self, name: &str, description: &str) {
        let schema = serde_json::json!({ "type": "string", "description": description });
        let parameter = Parameter { location: "header", name: name.to_owned(), required: false, schema };
        self.operation.parameters.push(parameter);
    }

    /// Adds a response. An empty description keeps that of an earlier call with the same status.
    pub fn response(
        &mut self,
        status: u16,
        description: &'static str,
        content: Option<(&'static str, Value)>,
    ) {
        let response = self.operation.responses.entry(status).or_default();
        if !description.is_empty() {
            response.description = description;
        }
        response.content.extend(content);
    }

    pub fn response_header(&mut self, status: u16, name: &'static str, description: &'static str) {
        self.operation.responses.entry(status).or_default().headers.insert(name, description);
    }
}

fn properties(schema: &Value, location: &'static str) -> Vec<Parameter> {
    let required = |name: &str| {
        location == "path"
            || schema["required"].as_array().is_some_and(|names| names.iter().any(|n| n == name))
    };
    let properties = schema["properties"].as_object().into_iter().flatten();
    let parameter = |(name, schema): (&String, &Value)| Parameter {
        location,
        name: name.clone(),
        required: required(name),
        schema: without_null(schema.clone()),
    };
    properties.map(parameter).collect()
}

/// Removes `null` from a schema: query parameters are absent instead.
fn without_null(mut schema: Value) -> Value {
    if let Some(kind) = schema.get_mut("type")
        && let Some(types) = kind.as_array_mut()
    {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            *kind = only.clone();
        }
    }
    let alternatives = schema["anyOf"].as_array().map(|all| {
        all.iter().filter(|alternative| alternative["type"] != "null").cloned().collect::<Vec<_>>()
    });
    if let Some([only]) = alternatives.as_deref()
        && let Some(object) = schema.as_object_mut()
    {
        object.remove("anyOf");
        object.extend(only.as_object().cloned().unwrap_or_default());
    }
    schema
}
