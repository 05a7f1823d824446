//! `GET /api/docs`: the OpenAPI document as an HTML page. It is plain HTML without scripts and external resources, so nothing in
//! it can be executed.

use std::{fmt::Write as _, sync::LazyLock};

use axum::{
    Extension,
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use http::header;
use serde_json::{Map, Value};

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

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:0 auto;padding:1rem 1.5rem 6rem;\
    color:#1d2430;background:#fff}h1{margin:.5rem 0}h2{margin:2.5rem 0 .5rem;border-bottom:1px solid #d5dae2}\
    nav ul{columns:2;padding-left:1.2rem}nav a,a{color:#0a58ca}details{border:1px solid #d5dae2;border-radius:.4rem;\
    margin:.6rem 0;padding:.2rem .8rem}summary{cursor:pointer;padding:.4rem 0}summary code{font-size:1rem}\
    .method{display:inline-block;min-width:4.5rem;font-weight:700}.role{float:right;color:#4b5565}\
    table{border-collapse:collapse;width:100%;margin:.5rem 0}th,td{text-align:left;vertical-align:top;\
    padding:.3rem .6rem .3rem 0;border-top:1px solid #e7eaef}code,pre{font-family:ui-monospace,monospace;\
    font-size:.9rem}pre{background:#f4f6f9;padding:.6rem;border-radius:.3rem;overflow-x:auto}\
    @media(prefers-color-scheme:dark){body{background:#14181f;color:#e4e8ee}a,nav a{color:#7fb2ff}\
    pre{background:#1d232d}details,h2,th,td{border-color:#333b48}.role{color:#a6afbd}}";

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

fn page(document: &Value) -> String {
    let mut page = String::new();
    let title = escaped(text(&document["info"]["title"]));
    // Writing into a string cannot fail.
    let _ = write!(
        page,
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>{title}: API</title>\
         <style>{STYLE}</style><h1>{title}: API</h1><p>{}</p>\
         <p>The machine-readable form is <a href=\"/api/openapi.json\">openapi.json</a>.</p>",
        prose(text(&document["info"]["description"])),
    );
    let tags: Vec<&str> = array(&document["tags"]).iter().map(|tag| text(&tag["name"])).collect();
    contents(&mut page, document, &tags);
    for tag in tags {
        let _ = write!(page, "<h2>{}</h2>", escaped(tag));
        operations(document)
            .filter(|(_, _, operation)| array(&operation["tags"]).iter().any(|name| name == tag))
            .for_each(|(method, path, operation)| operation_of(&mut page, method, path, operation));
    }
    let _ = write!(page, "<h2>Schemas</h2>");
    for (name, schema) in object(&document["components"]["schemas"]) {
        let name = escaped(name);
        let about = prose(text(&schema["description"]));
        let _ = write!(
            page,
            "<details id=\"schema-{name}\"><summary><code>{name}</code></summary><p>{about}</p>{}</details>",
            json(schema),
        );
    }
    page.push_str("</html>\n");
    page
}

async fn docs(Extension(ReferencePage(page)): Extension<ReferencePage>) -> Response {
    let headers =
        [(header::CONTENT_TYPE, "text/html; charset=utf-8"), (header::CONTENT_SECURITY_POLICY, POLICY)];
    (headers, page).into_response()
}

fn contents(page: &mut String, document: &Value, tags: &[&str]) {
    page.push_str("<nav>");
    for tag in tags {
        let _ = write!(page, "<h3>{}</h3><ul>", escaped(tag));
        for (_, _, operation) in operations(document) {
            if array(&operation["tags"]).iter().any(|name| name == tag) {
                let (id, summary) = (text(&operation["operationId"]), text(&operation["summary"]));
                let _ = write!(page, "<li><a href=\"#{}\">{}</a></li>", escaped(id), escaped(summary));
            }
        }
        page.push_str("</ul>");
    }
    page.push_str("</nav>");
}

fn operation_of(page: &mut String, method: &str, path: &str, operation: &Value) {
    let _ = write!(
        page,
        "<details open id=\"{}\"><summary><span class=\"role\">{}</span><span class=\"method\">{}</span>\
         <code>{}</code></summary><p><b>{}.</b> {}</p>",
        escaped(text(&operation["operationId"])),
        escaped(text(&operation["x-role"])),
        escaped(&method.to_ascii_uppercase()),
        escaped(path),
        escaped(text(&operation["summary"])),
        prose(text(&operation["description"])),
    );
    let parameters = array(&operation["parameters"]);
    if !parameters.is_empty() {
        page.push_str("<table><tr><th>Parameter<th>In<th>Meaning<th>Values</tr>");
        for parameter in parameters {
            let needed = if parameter["required"] == true { "" } else { " (optional)" };
            let _ = write!(
                page,
                "<tr><td><code>{}</code>{needed}<td>{}<td>{}<td>{}</tr>",
                escaped(text(&parameter["name"])),
                escaped(text(&parameter["in"])),
                prose(text(&parameter["description"])),
                shape(&parameter["schema"]),
            );
        }
        page.push_str("</table>");
    }
    for (media_type, body) in object(&operation["requestBody"]["content"]) {
        let _ = write!(page, "<p>Body: <code>{}</code>, {}</p>", escaped(media_type), shape(&body["schema"]));
    }
    page.push_str("<table><tr><th>Status<th>Meaning<th>Content</tr>");
    for (status, answer) in object(&operation["responses"]) {
        let contents = object(&answer["content"]).map(|(media_type, content)| {
            let problem = media_type == PROBLEM_JSON;
            let shape = if problem { reference("Problem") } else { shape(&content["schema"]) };
            format!("<code>{}</code>, {shape}", escaped(media_type))
        });
        let contents: Vec<String> = contents.collect();
        let about = prose(text(&answer["description"]));
        let _ = write!(page, "<tr><td>{}<td>{about}<td>{}</tr>", escaped(status), contents.join("<br>"));
    }
    page.push_str("</table></details>");
}

fn operations(document: &Value) -> impl Iterator<Item = (&str, &str, &Value)> {
    object(&document["paths"]).flat_map(|(path, methods)| {
        object(methods).map(|(method, operation)| (method.as_str(), path.as_str(), operation))
    })
}

/// A short form of a schema: its name if it has one.
fn shape(schema: &Value) -> String {
    match schema["$ref"].as_str().and_then(|reference| reference.rsplit('/').next()) {
        Some(name) => reference(name),
        None if schema["type"].is_string() && object(schema).count() <= 2 => escaped(text(&schema["type"])),
        None => json(schema),
    }
}

fn reference(name: &str) -> String {
    let name = escaped(name);
    format!("<a href=\"#schema-{name}\"><code>{name}</code></a>")
}

fn json(value: &Value) -> String {
    format!("<pre>{}</pre>", escaped(&format!("{value:#}")))
}

/// Text with `code` between backquotes, as HTML.
fn prose(text: &str) -> String {
    let mut prose = String::new();
    for (index, part) in text.split('`').enumerate() {
        let part = escaped(part).replace('\n', "<br>");
        let _ = if index % 2 == 0 { write!(prose, "{part}") } else { write!(prose, "<code>{part}</code>") };
    }
    prose
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn array(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn object(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    static NOTHING: LazyLock<Map<String, Value>> = LazyLock::new(Map::new);
    value.as_object().unwrap_or(&NOTHING).iter()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{openapi, resources};

    static PAGE: LazyLock<String> = LazyLock::new(|| page(&openapi::document(&resources())));

    #[test]
    fn the_reference_page_has_every_route_and_needs_nothing_from_elsewhere() {
        for route in resources().iter().flat_map(|(_, routes)| routes) {
            assert!(PAGE.contains(&format!("id=\"{}\"", route.id)), "{}", route.id);
            assert!(PAGE.contains(&escaped(route.path)), "{}", route.path);
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
