//! The table of routes with their roles, and the published OpenAPI document.

use std::{collections::BTreeSet, fs, path::PathBuf};

use serde_json::Value;

use super::{openapi, resources, role::Role};

/// The required role of each route. A route that is missing here, or has another role, fails the test.
const ROLES: &[(&str, &str, Role)] = &[
    ("DELETE", "/api/conversations/{id}", Role::Learner),
    ("GET", "/api/config", Role::Public),
    ("GET", "/api/conversations", Role::Learner),
    ("GET", "/api/conversations/{id}", Role::Learner),
    ("GET", "/api/conversations/{id}/assessment", Role::Learner),
    ("GET", "/api/conversations/{id}/live", Role::Ticket),
    ("GET", "/api/docs", Role::Public),
    ("GET", "/api/conversations/{id}/results", Role::Learner),
    ("GET", "/api/conversations/{id}/transcript", Role::Learner),
    ("GET", "/api/conversations/{id}/turns/{index}/audio", Role::Learner),
    ("GET", "/api/conversations/{id}/turns/{index}/recording", Role::Learner),
    ("GET", "/api/flagged", Role::Analyst),
    ("GET", "/api/learners", Role::Analyst),
    ("GET", "/api/learners.csv", Role::Analyst),
    ("GET", "/api/learners/{id}", Role::Analyst),
    ("GET", "/api/learners/{id}/conversations", Role::Analyst),
    ("GET", "/api/learners/{id}/conversations/{conversation}/assessment", Role::Analyst),
    ("GET", "/api/learners/{id}/progress", Role::Analyst),
    ("GET", "/api/learners/{id}/scores", Role::Analyst),
    ("GET", "/api/learners/{id}/scores.csv", Role::Analyst),
    ("DELETE", "/api/me", Role::Learner),
    ("DELETE", "/api/me/sessions", Role::Learner),
    ("DELETE", "/api/me/sessions/{id}", Role::Learner),
    ("GET", "/api/me", Role::Learner),
    ("GET", "/api/me/export", Role::Learner),
    ("GET", "/api/me/sessions", Role::Learner),
    ("GET", "/api/next-step", Role::Learner),
    ("GET", "/api/openapi.json", Role::Public),
    ("GET", "/api/ops/alarms", Role::Operator),
    ("GET", "/api/ops/alerts", Role::Operator),
    ("GET", "/api/ops/conversations/{id}", Role::Operator),
    ("GET", "/api/ops/events", Role::Operator),
    ("GET", "/api/ops/queues", Role::Operator),
    ("GET", "/api/ops/workers", Role::Operator),
    ("GET", "/api/overview", Role::Analyst),
    ("GET", "/api/pictures", Role::Learner),
    ("GET", "/api/pictures/{id}", Role::Learner),
    ("GET", "/api/pictures/{id}/images/{file}", Role::Public),
    ("GET", "/api/progress", Role::Learner),
    ("GET", "/api/progress/scores", Role::Learner),
    ("GET", "/api/results", Role::Analyst),
    ("GET", "/health", Role::Public),
    ("PATCH", "/api/me", Role::Learner),
    ("POST", "/api/conversations", Role::Learner),
    ("POST", "/api/conversations/{id}/ticket", Role::Learner),
    ("POST", "/api/conversations/{id}/turns", Role::Learner),
    ("POST", "/api/reports", Role::Public),
    ("POST", "/auth/aws-credentials", Role::Learner),
    ("POST", "/auth/challenge", Role::Public),
    ("POST", "/auth/confirm", Role::Public),
    ("POST", "/auth/email", Role::Learner),
    ("POST", "/auth/email/verify", Role::Learner),
    ("POST", "/auth/forgot", Role::Public),
    ("POST", "/auth/mfa/off", Role::Learner),
    ("POST", "/auth/password", Role::Learner),
    ("POST", "/auth/phone", Role::Learner),
    ("POST", "/auth/phone/verify", Role::Learner),
    ("POST", "/auth/recovery-codes", Role::Learner),
    ("POST", "/auth/refresh", Role::Public),
    ("POST", "/auth/resend", Role::Public),
    ("POST", "/auth/reset", Role::Public),
    ("POST", "/auth/sign-in", Role::Public),
    ("POST", "/auth/sign-out", Role::Public),
    ("POST", "/auth/sign-out-everywhere", Role::Learner),
    ("POST", "/auth/sign-up", Role::Public),
    ("POST", "/auth/step-up", Role::Learner),
    ("POST", "/auth/totp", Role::Learner),
    ("POST", "/auth/totp/verify", Role::Learner),
];

#[test]
fn every_route_with_its_role() {
    let all = resources();
    let routes = all.iter().flat_map(|(_, routes)| routes);
    let found: BTreeSet<_> = routes.map(|route| (route.method.as_str(), route.path, route.role())).collect();
    let expected: BTreeSet<_> = ROLES.iter().copied().collect();
    assert_eq!(found, expected);
}

#[test]
fn every_route_is_described_and_has_a_name_of_its_own() {
    let all = resources();
    let mut ids = BTreeSet::new();
    for route in all.iter().flat_map(|(_, routes)| routes) {
        assert!(ids.insert(route.id), "{} is the name of two routes", route.id);
        assert!(!route.summary.is_empty(), "{} says nothing", route.id);
        let operation = route.describe(&mut schemars::SchemaGenerator::default());
        assert!(!operation.responses.is_empty(), "{} returns nothing but problems", route.id);
        for (status, response) in &operation.responses {
            assert!(!response.description.is_empty(), "{} does not say what {status} means", route.id);
        }
        let named = operation.parameters.iter().filter(|parameter| parameter.location == "path");
        let named: Vec<String> = named.map(|parameter| format!("{{{}}}", parameter.name)).collect();
        assert_eq!(named.len(), route.path.matches('{').count(), "{} names its parameters", route.id);
        assert!(named.iter().all(|name| route.path.contains(name)), "{}: {named:?}", route.id);
    }
}

/// `NOVA_BLESS=1 cargo test --workspace --lib published_openapi` writes it.
#[test]
fn published_openapi_document_is_that_of_the_routes() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../schemas/api/openapi.json");
    let document = openapi::document(&resources());
    if std::env::var_os("NOVA_BLESS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, format!("{document:#}\n")).unwrap();
    }
    let stored = fs::read_to_string(&path).ok().and_then(|text| serde_json::from_str::<Value>(&text).ok());
    assert!(
        stored.as_ref() == Some(&document),
        "{} is not what the routes say: NOVA_BLESS=1 writes it",
        path.display()
    );
    references(&document).into_iter().for_each(|reference| {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    });
}

fn references(value: &Value) -> Vec<&str> {
    match value {
        Value::Object(object) => {
            let own = object.get("$ref").and_then(Value::as_str);
            own.into_iter().chain(object.values().flat_map(references)).collect()
        }
        Value::Array(items) => items.iter().flat_map(references).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    }
}
