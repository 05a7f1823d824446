//! `GET /api/docs`: the OpenAPI document as an HTML page. It is plain HTML without scripts and external resources, so nothing in
//! it can be executed.

use axum::{
    Extension,
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use http::header;
use minijinja::{Environment, HtmlEscape, UndefinedBehavior, Value as Safe, value::ViaDeserialize};
use serde_json::Value;

use super::{
    operation::OperationBuilder,
    problem::PROBLEM_JSON,
    route::{HandlerInput, Route, get},
};

/// The page, built once by the server.
#[derive(Clone, Debug)]
pub struct ReferencePage(Bytes);

/// The page may only load its own styles.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'";

pub fn routes() -> Vec<Route> {
    vec![
        get("/api/docs", "getReference", docs)
            .summary("Reference page", "The documentation of this API as an HTML page.")
            .returns_content::<String>(200, "text/html", "The page."),
    ]
}

impl ReferencePage {
    /// The page of an OpenAPI `document`.
    #[must_use]
    pub fn new(document: &Value) -> Self {
        Self(page(document).into())
    }
}

impl HandlerInput for Extension<ReferencePage> {
    fn describe(_: &mut OperationBuilder<'_>) {}
}

async fn docs(Extension(ReferencePage(page)): Extension<ReferencePage>) -> Response {
    let headers =
        [(header::CONTENT_TYPE, "text/html; charset=utf-8"), (header::CONTENT_SECURITY_POLICY, POLICY)];
    (headers, page).into_response()
}

fn page(document: &Value) -> String {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Chainable);
    environment.set_trim_blocks(true);
    environment.add_global("problem_json", PROBLEM_JSON);
    environment
        .add_filter("prose", |text: Option<String>| Safe::from_safe_string(prose(&text.unwrap_or_default())));
    environment.add_filter("pretty", |value: ViaDeserialize<Value>| format!("{:#}", value.0));
    let page = environment.render_named_str("page.html", include_str!("docs/page.html"), document);
    page.expect("the template is constant, and lenient about what a document lacks")
}

/// Text with `code` between backquotes, as HTML.
fn prose(text: &str) -> String {
    let mut prose = String::new();
    for (index, part) in text.split('`').enumerate() {
        let part = HtmlEscape(part).to_string().replace('\n', "<br>");
        prose.push_str(&if index % 2 == 0 { part } else { format!("<code>{part}</code>") });
    }
    prose
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::*;
    use crate::api::{openapi, resources};

    static PAGE: LazyLock<String> = LazyLock::new(|| page(&openapi::document(&resources())));

    #[test]
    fn the_reference_page_has_every_route_and_needs_nothing_from_elsewhere() {
        for route in resources().iter().flat_map(|(_, routes)| routes) {
            assert!(PAGE.contains(&format!("id=\"{}\"", route.id)), "{}", route.id);
            assert!(PAGE.contains(&HtmlEscape(route.path).to_string()), "{}", route.path);
        }
        for tag in ["<script", "<link", "<img", "<iframe", "http://", "https://", "@import", "url("] {
            assert!(!PAGE.contains(tag), "the page has {tag}");
        }
    }

    #[test]
    fn links_of_the_reference_page_lead_somewhere() {
        let links = PAGE.split("href=\"#").skip(1).filter_map(|rest| rest.split('"').next());
        let mut count = 0;
        for link in links {
            assert!(PAGE.contains(&format!("id=\"{link}\"")), "#{link} leads nowhere");
            count += 1;
        }
        assert!(count > 10, "{count}");
    }

    #[test]
    fn what_is_written_is_no_markup() {
        assert_eq!(prose("a `b<c>` & \"d\""), "a <code>b&lt;c&gt;</code> &amp; &quot;d&quot;");
    }
}
