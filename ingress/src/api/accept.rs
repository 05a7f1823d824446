//! Content negotiation between two media types by the header `Accept` (RFC 9110, section 12.5.1).

use http::{HeaderMap, header};

use super::{operation::OperationBuilder, route::HandlerInput};

/// The header `Accept`: an argument of handlers with two representations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accept(String);

impl Accept {
    /// Whether the caller prefers `other` to `usual`, both as `type/subtype`. Without the header, and if both have the same
    /// quality, it does not.
    #[must_use]
    pub fn prefers(&self, other: &str, usual: &str) -> bool {
        self.weight(other) > self.weight(usual)
    }

    /// The quality of a media type in thousandths, from the most specific range that includes it.
    fn weight(&self, media_type: &str) -> u32 {
        let (kind, _) = media_type.split_once('/').unwrap_or((media_type, ""));
        let (mut best, mut specific) = (0, 0);
        for range in self.0.split(',') {
            let mut parts = range.split(';').map(str::trim);
            let name = parts.next().unwrap_or_default().to_ascii_lowercase();
            let precision = if name == media_type {
                3
            } else if name.strip_suffix("/*") == Some(kind) {
                2
            } else if name == "*/*" {
                1
            } else {
                continue;
            };
            if precision > specific {
                specific = precision;
                let quality = parts.find_map(|part| part.strip_prefix("q=")).map_or(Some(1000), thousandths);
                best = quality.unwrap_or(0);
            }
        }
        best
    }
}

/// Parses a quality: `0` to `1` with at most three decimals.
fn thousandths(text: &str) -> Option<u32> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    if part.len() > 3 || !part.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let part: u32 = format!("{part:0<3}").parse().ok()?;
    match (whole, part) {
        ("0", part) => Some(part),
        ("1", 0) => Some(1000),
        _ => None,
    }
}

impl<S: Sync> axum::extract::FromRequestParts<S> for Accept {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut http::request::Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self::of(&parts.headers))
    }
}

impl Accept {
    fn of(headers: &HeaderMap) -> Self {
        let values = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
        Self(values.collect::<Vec<_>>().join(","))
    }
}

/// OpenAPI does not list the header: the media types of the responses imply it.
impl HandlerInput for Accept {
    fn describe(_: &mut OperationBuilder<'_>) {}
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_form_that_is_more_welcome_is_given_and_json_otherwise() {
        for (header, text) in [
            ("", false),
            ("*/*", false),
            ("application/json", false),
            ("text/plain", true),
            ("Text/Plain; charset=utf-8", true),
            ("text/*", true),
            ("text/plain;q=0.5, application/json", false),
            ("text/plain, application/json;q=0.9", true),
            ("text/plain, */*;q=0.1", true),
            ("text/plain;q=0, */*", false),
            ("text/plain;q=5", false),
        ] {
            let accept = Accept(header.to_owned());
            assert_eq!(accept.prefers("text/plain", "application/json"), text, "{header}");
        }
    }

    proptest! {
        #[test]
        fn any_header_is_read(header in "\\PC{0,200}") {
            let _ = Accept(header).prefers("text/csv", "application/json");
        }
    }
}
