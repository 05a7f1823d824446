//! PURE. What the files of the web page are served with: by CloudFront in production, by the ingress on a developer's machine.

use std::{collections::BTreeMap, sync::LazyLock};

/// The response headers of every file of the page, by their lower-case names: the content of `ingress/web/headers.json`.
pub static HEADERS: LazyLock<BTreeMap<String, String>> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../ingress/web/headers.json"))
        .expect("headers.json has texts by name")
});

/// The names of hashed files change with their content.
const IMMUTABLE: &str = "public, max-age=31536000, immutable";

/// The service worker and the manifest, which a browser compares at every start.
const NO_CACHE: &str = "no-cache";

/// Everything else: HTML, icons.
const ONE_HOUR: &str = "public, max-age=3600";

/// The value of `Cache-Control` of the file at `path`, which begins without a slash.
#[must_use]
pub fn cache_control(path: &str) -> &'static str {
    match path {
        "sw.js" | "manifest.webmanifest" => NO_CACHE,
        _ if path.starts_with("assets/") => IMMUTABLE,
        _ => ONE_HOUR,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashed_file_is_kept_and_what_a_browser_compares_is_not() {
        assert_eq!(cache_control("assets/main-1a.js"), IMMUTABLE);
        assert_eq!(cache_control("sw.js"), NO_CACHE);
        assert_eq!(cache_control("index.html"), ONE_HOUR);
        assert_eq!(cache_control("reference/assets/x.js"), ONE_HOUR);
        assert!(HEADERS.contains_key("content-security-policy"));
    }
}
