//! The OpenAPI document, from the routes: `GET /api/openapi.json`, published as `schemas/api/openapi.json`. OpenAPI 3.1
//! uses JSON Schema 2020-12, so the schemas are those of the types, unchanged.

use std::{collections::BTreeMap, sync::LazyLock};

use axum::response::{IntoResponse as _, Response};
use http::header;
use schemars::{SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use super::route::{Operation, Role, Route, get};
use crate::api::problem::{Code, PROBLEM_JSON, Problem};

/// The document itself.
pub fn routes() -> Vec<Route> {
    vec![
        get("/api/openapi.json", "getOpenApi", openapi)
            .says("This document", "OpenAPI 3.1.")
            .answers_with::<Map<String, Value>>(200, "application/json", "The document."),
    ]
}

/// The document of `resources`: names with their routes.
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
                    "in": "query",
                    "name": "ticket",
                    "description": "Good for a minute, one use and one conversation.",
                },
            },
        },
    })
}

const ABOUT: &str = "Errors are problem documents (RFC 9457): `code` is for programs and keeps its meaning, `detail` is for \
    people, `requestId` is the `x-request-id` of the answer and of the log. Unknown addresses answer 404, other methods \
    405 with `Allow`. What is somebody else's is answered exactly as what does not exist. New fields may be added to \
    answers at any time.";

static PUBLISHED: LazyLock<String> = LazyLock::new(|| document(&super::resources()).to_string());

async fn openapi() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], PUBLISHED.as_str()).into_response()
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
    if !route.about.is_empty() {
        described["description"] = json!(route.about);
    }
    // The ticket is a security scheme; that it stands in the query is said there.
    let shown = |name: &str| operation.role != Role::Ticket || name != "ticket";
    let parameters = operation.parameters.iter().filter(|parameter| shown(&parameter.name));
    let parameters: Vec<Value> = parameters
        .map(|parameter| {
            let mut schema = parameter.schema.clone();
            let about = schema.as_object_mut().and_then(|schema| schema.remove("description"));
            let (place, name, required) = (parameter.place, &parameter.name, parameter.required);
            let mut told = json!({ "in": place, "name": name, "required": required, "schema": schema });
            if let Some(about) = about {
                told["description"] = about;
            }
            told
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
    for (status, answer) in &operation.answers {
        let mut told = json!({ "description": answer.about });
        if !answer.content.is_empty() {
            told["content"] = content(&answer.content);
        }
        for (name, about) in &answer.headers {
            told["headers"][*name] = json!({ "description": about, "schema": { "type": "string" } });
        }
        responses.insert(status.to_string(), told);
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
