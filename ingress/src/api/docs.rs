//! `GET /api/docs`: the OpenAPI document as an HTML page, rendered by Swagger UI. The renderer is one of the files of the web page
//! (`ingress/web/scripts/reference.ts`); without them this page links to the document.

use axum::response::{IntoResponse as _, Response};
use http::header;

use super::route::{Route, get};

const PAGE: &str = include_str!("docs/page.html");

/// The page loads only files of this origin, and the icons inside the renderer's styles.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

pub fn routes() -> Vec<Route> {
    vec![
        get("/api/docs", "getReference", docs)
            .summary("Reference page", "The documentation of this API as an HTML page.")
            .returns_content::<String>(200, "text/html", "The page."),
    ]
}

async fn docs() -> Response {
    let headers =
        [(header::CONTENT_TYPE, "text/html; charset=utf-8"), (header::CONTENT_SECURITY_POLICY, POLICY)];
    (headers, PAGE).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reference_page_has_no_inline_code_and_needs_nothing_from_elsewhere() {
        assert!(!POLICY.contains("unsafe") && !POLICY.contains("http"), "{POLICY}");
        for part in ["<style", "style=", "onload=", "http://", "https://", "href=\"//", "src=\"//"] {
            assert!(!PAGE.contains(part), "the page has {part}");
        }
        assert_eq!(PAGE.matches("<script ").count(), PAGE.matches("></script>").count());
    }
}
