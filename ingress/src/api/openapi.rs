//! The OpenAPI document, generated from the routes: `GET /api/openapi.json`, published as `schemas/api/openapi.json`. OpenAPI 3.1
//! uses JSON Schema 2020-12, so the schemas of the types are used unchanged.

use std::collections::BTreeMap;

use axum::{
    Extension,
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use http::header;
use schemars::{SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use super::{
    operation::{Operation, OperationBuilder},
    problem::{Code, PROBLEM_JSON, Problem},
    role::Role,
    route::{HandlerInput, Route, get},
};

/// The document as text, built once by the server.
#[derive(Clone, Debug)]
pub struct OpenApi(Bytes);

pub fn routes() -> Vec<Route> {
    vec![
        get("/api/openapi.json", "getOpenApi", openapi)
            .summary("This document", "OpenAPI 3.1.")
            .returns_content::<Map<String, Value>>(200, "application/json", "The document."),
    ]
}

/// Builds the document of `resources`: tags with their routes.
#[must_use]
pub fn document(resources: &[(&'static str, Vec<Route>)]) -> Value {
    let mut generator = generator();
    let problem = generator.subschema_for::<Problem>().to_value();
    let mut paths = Map::new();
    for (tag, routes) in resources {
        for route in routes {
            let operation = route.describe(&mut generator);
            let method = route.method.as_str().to_ascii_lowercase();
            let path = paths.entry(route.path).or_insert_with(|| json!({}));
            path[method] = described(tag, route, &operation, &problem);
        }
    }
    let schemas = Value::Object(generator.take_definitions(true));
    let tags: Vec<Value> = resources.iter().map(|(tag, _)| json!({ "name": tag })).collect();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Nova English Learning",
            "version": "1.0.0",
            "description": ABOUT,
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "tags": tags,
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "accessToken": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "An access token of the user pool.",
                },
                "ticket": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "Sec-WebSocket-Protocol",
                    "description": "`nova.live.v1, ticket.` and the ticket. Valid for one minute, one use and one conversation.",
                },
            },
        },
    })
}

const ABOUT: &str = "Errors are problem documents (RFC 9457): `code` is for programs and keeps its meaning, `detail` is for \
    people, `requestId` is the `x-request-id` of the response and of the log. Unknown paths return 404, unsupported methods \
    405 with `Allow`. Resources of other learners return the same 404 as resources that do not exist. New properties may be \
    added to responses at any time.";

impl OpenApi {
    #[must_use]
    pub fn new(document: &Value) -> Self {
        Self(document.to_string().into())
    }
}

impl HandlerInput for Extension<OpenApi> {
    fn describe(_: &mut OperationBuilder<'_>) {}
}

async fn openapi(Extension(OpenApi(document)): Extension<OpenApi>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], document).into_response()
}

fn generator() -> SchemaGenerator {
    let mut settings = SchemaSettings::draft2020_12();
    settings.definitions_path = "/components/schemas".into();
    settings.meta_schema = None;
    settings.into_generator()
}

fn described(tag: &str, route: &Route, operation: &Operation, problem: &Value) -> Value {
    let mut described = json!({
        "operationId": route.id,
        "tags": [tag],
        "summary": route.summary,
        "x-role": operation.role.name(),
        "security": security(operation.role),
        "responses": responses(operation, problem),
    });
    if !route.description.is_empty() {
        described["description"] = json!(route.description);
    }
    let parameters: Vec<Value> = operation
        .parameters
        .iter()
        .map(|parameter| {
            let mut schema = parameter.schema.clone();
            let description = schema.as_object_mut().and_then(|schema| schema.remove("description"));
            let (location, name, required) = (parameter.location, &parameter.name, parameter.required);
            let mut described =
                json!({ "in": location, "name": name, "required": required, "schema": schema });
            if let Some(description) = description {
                described["description"] = description;
            }
            described
        })
        .collect();
    if !parameters.is_empty() {
        described["parameters"] = json!(parameters);
    }
    if !operation.body.is_empty() {
        described["requestBody"] = json!({ "required": true, "content": content(&operation.body) });
    }
    described
}

fn security(role: Role) -> Value {
    match role {
        Role::Public => json!([]),
        Role::Ticket => json!([{ "ticket": [] }]),
        Role::Learner | Role::Analyst | Role::Operator => json!([{ "accessToken": [] }]),
    }
}

fn content(content: &BTreeMap<&'static str, Value>) -> Value {
    content.iter().map(|(media_type, schema)| (*media_type, json!({ "schema": schema }))).collect()
}

fn responses(operation: &Operation, problem: &Value) -> Value {
    let mut responses = Map::new();
    for (status, documented) in &operation.responses {
        let mut response = json!({ "description": documented.description });
        if !documented.content.is_empty() {
            response["content"] = content(&documented.content);
        }
        for (name, description) in &documented.headers {
            response["headers"][*name] =
                json!({ "description": description, "schema": { "type": "string" } });
        }
        responses.insert(status.to_string(), response);
    }
    let mut problems: BTreeMap<u16, Vec<Code>> = BTreeMap::new();
    for code in &operation.problems {
        problems.entry(code.status().as_u16()).or_default().push(*code);
    }
    for (status, of_status) in problems {
        let lines: Vec<String> =
            of_status.iter().map(|code| format!("`{}`: {}", code.name(), code.meaning())).collect();
        let names: Vec<&str> = of_status.iter().map(|code| code.name()).collect();
        let schema = json!({ "allOf": [problem, { "properties": { "code": { "enum": names } } }] });
        let content = json!({ PROBLEM_JSON: { "schema": schema } });
        responses.insert(status.to_string(), json!({ "description": lines.join("\n"), "content": content }));
    }
    Value::Object(responses)
}
