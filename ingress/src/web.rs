//! The files of the web page, from `NOVA_WEB_DIR`. In production CloudFront serves the same files from S3; this serves them to
//! a browser on the developer's machine and to the tests. It is not part of the API: it has no role and no OpenAPI operation.

use std::path::PathBuf;

use axum::{
    body::Body,
    extract::Request,
    response::{IntoResponse as _, Response},
};
use events::page;
use http::{HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use tower::ServiceExt as _;
use tower_http::services::ServeDir;

/// Paths of the service, below which the page has none.
const SERVICE_PATHS: [&str; 3] = ["/api", "/auth", "/health"];

/// The files of the page.
#[derive(Clone, Debug)]
pub struct WebFiles {
    /// A build of `ingress/web`.
    pub directory: PathBuf,
}

impl WebFiles {
    /// The file of `request`, or `None` if there is none: the method is not GET or HEAD, the path belongs to the service, or the
    /// file is missing. A path without extension is a route of the page and gets `index.html`.
    pub async fn serve(&self, request: Request) -> Option<Response> {
        let path = request.uri().path();
        if is_of_service(path) || ![Method::GET, Method::HEAD].contains(request.method()) {
            return None;
        }
        let cache = page::cache_control(path.trim_start_matches('/'));
        let request = if is_route(path) { at_index(request) } else { request };
        let directory = ServeDir::new(&self.directory)
            .append_index_html_on_directories(false)
            .precompressed_br()
            .precompressed_gzip();
        // The error type of `ServeDir` has no values.
        let Ok(response) = directory.oneshot(request).await;
        if response.status() == StatusCode::NOT_FOUND {
            return None;
        }
        let mut response = response.map(Body::new).into_response();
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
        response.headers_mut().extend(page_headers());
        Some(response)
    }
}

fn page_headers() -> Vec<(HeaderName, HeaderValue)> {
    let header = |(name, value): (&String, &String)| {
        Some((HeaderName::try_from(name).ok()?, HeaderValue::from_str(value).ok()?))
    };
    page::HEADERS.iter().filter_map(header).collect()
}

fn is_of_service(path: &str) -> bool {
    SERVICE_PATHS.iter().any(|of_service| {
        path.strip_prefix(of_service).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

/// Whether the last segment of `path` has no extension.
fn is_route(path: &str) -> bool {
    path.rsplit('/').next().is_some_and(|last| !last.contains('.'))
}

fn at_index(mut request: Request) -> Request {
    *request.uri_mut() = Uri::from_static("/index.html");
    request
}

#[cfg(test)]
mod tests {
    use std::fs;

    use http_body_util::BodyExt as _;

    use super::*;

    /// A build with a page, a hashed file in two encodings, and a file beside the directory.
    fn files(folder: &tempfile::TempDir) -> WebFiles {
        let directory = folder.path().join("dist");
        fs::create_dir_all(directory.join("assets")).unwrap();
        fs::write(directory.join("index.html"), "<html>").unwrap();
        fs::write(directory.join("sw.js"), "worker").unwrap();
        fs::write(directory.join("assets/main-1a.js"), "plain").unwrap();
        fs::write(directory.join("assets/main-1a.js.br"), "brotli").unwrap();
        fs::write(folder.path().join("secret.txt"), "secret").unwrap();
        WebFiles { directory }
    }

    async fn get(files: &WebFiles, path: &str, encoding: &str) -> Option<(http::HeaderMap, String)> {
        let request =
            Request::get(path).header(header::ACCEPT_ENCODING, encoding).body(Body::empty()).unwrap();
        let (parts, body) = files.serve(request).await?.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Some((parts.headers, String::from_utf8(body.to_vec()).unwrap()))
    }

    #[tokio::test]
    async fn route_of_the_page_gets_its_html_with_the_policy() {
        let folder = tempfile::tempdir().unwrap();
        let files = files(&folder);
        for path in ["/", "/progress", "/talk/street-market", "/apiary"] {
            let (headers, body) = get(&files, path, "").await.unwrap();
            assert_eq!(
                (body.as_str(), &headers[header::CACHE_CONTROL]),
                ("<html>", &HeaderValue::from_static("public, max-age=3600"))
            );
            let policy = headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
            assert!(policy.contains("img-src 'self'; media-src 'self' blob:;"), "{policy}");
            assert!(!policy.contains("unsafe") && !policy.contains("http"), "{policy}");
        }
    }

    #[tokio::test]
    async fn hashed_file_is_immutable_and_comes_compressed() {
        let folder = tempfile::tempdir().unwrap();
        let files = files(&folder);
        let (headers, body) = get(&files, "/assets/main-1a.js", "gzip, br").await.unwrap();
        assert_eq!((body.as_str(), headers[header::CONTENT_ENCODING].to_str().unwrap()), ("brotli", "br"));
        assert_eq!(headers[header::CACHE_CONTROL], "public, max-age=31536000, immutable");
        assert_eq!(get(&files, "/assets/main-1a.js", "").await.unwrap().1, "plain");
        assert_eq!(get(&files, "/sw.js", "").await.unwrap().0[header::CACHE_CONTROL], "no-cache");
    }

    #[tokio::test]
    async fn missing_file_foreign_file_and_path_of_the_service_are_not_found() {
        let folder = tempfile::tempdir().unwrap();
        let files = files(&folder);
        for path in [
            "/assets/main-2b.js",
            "/missing.txt",
            "/../secret.txt",
            "/%2e%2e/secret.txt",
            "/api",
            "/api/unknown",
            "/auth/x",
            "/health/x",
        ] {
            assert!(get(&files, path, "").await.is_none(), "{path}");
        }
        let post = Request::post("/").body(Body::empty()).unwrap();
        assert!(files.serve(post).await.is_none());
    }
}
