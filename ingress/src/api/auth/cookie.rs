//! PURE. The cookie of a session: it holds the refresh token, which no script can read. The browser sends it to `/auth` only,
//! and only from pages of the same site.

use http::{HeaderMap, HeaderValue, header};

pub(super) const NAME: &str = "nova_refresh";

/// Lifetime of the cookie, in seconds: that of the user pool's refresh token.
pub(super) const MAX_AGE_SECONDS: u32 = 30 * 24 * 60 * 60;

/// Maximum length of a refresh token, in bytes: browsers store cookies of 4096 bytes with name and attributes.
pub(super) const TOKEN_BYTES_MAX: usize = 3_900;

/// `Set-Cookie` that stores `token`; `None` if no browser would store it.
pub(super) fn keep(token: &str, secure: bool) -> Option<HeaderValue> {
    if !is_token(token) {
        return None;
    }
    set(token, MAX_AGE_SECONDS, secure)
}

/// `Set-Cookie` that removes the cookie.
pub(super) fn end(secure: bool) -> Option<HeaderValue> {
    set("", 0, secure)
}

/// The refresh token of a request.
pub(super) fn read(headers: &HeaderMap) -> Option<String> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let token = pairs.find(|(name, _)| *name == NAME).map(|(_, token)| token);
    token.filter(|token| is_token(token)).map(str::to_owned)
}

/// Whether the cookie gets the attribute `Secure`. It does, unless the configuration exempts pages on localhost and the
/// request comes from one: the browser sets `Origin`, and no script can change it. The scheme of the connection to this task
/// is irrelevant, because TLS is terminated before it.
pub(super) fn is_secure(headers: &HeaderMap, localhost_cookies: bool) -> bool {
    let origin = headers.get(header::ORIGIN).and_then(|value| value.to_str().ok());
    let host = origin.and_then(|origin| origin.strip_prefix("http://")).map(|host| {
        let port = host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
        port.map_or(host, |(host, _)| host)
    });
    !(localhost_cookies && matches!(host, Some("localhost" | "127.0.0.1" | "[::1]")))
}

fn set(token: &str, max_age_seconds: u32, secure: bool) -> Option<HeaderValue> {
    let secure = if secure { "; Secure" } else { "" };
    let cookie =
        format!("{NAME}={token}; Path=/auth; Max-Age={max_age_seconds}; HttpOnly; SameSite=Strict{secure}");
    let mut cookie = HeaderValue::try_from(cookie).ok()?;
    cookie.set_sensitive(true);
    Some(cookie)
}

/// Whether `text` has only characters that tokens use and that cookies allow without quotes.
fn is_token(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
    (1..=TOKEN_BYTES_MAX).contains(&text.len()) && text.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &header::HeaderName, values: &[&str]) -> HeaderMap {
        let values = values.iter().map(|value| (name.clone(), HeaderValue::from_str(value).unwrap()));
        values.collect()
    }

    #[test]
    fn the_cookie_is_for_the_browser_and_these_addresses_alone() {
        let cookie = keep("ab.c-d", true).unwrap();
        let expected = "nova_refresh=ab.c-d; Path=/auth; Max-Age=2592000; HttpOnly; SameSite=Strict; Secure";
        assert_eq!(cookie.to_str().unwrap(), expected);
        assert!(cookie.is_sensitive());
        let ended = end(false).unwrap();
        assert_eq!(
            ended.to_str().unwrap(),
            "nova_refresh=; Path=/auth; Max-Age=0; HttpOnly; SameSite=Strict"
        );
    }

    #[test]
    fn the_cookie_is_read_among_others_and_what_is_no_token_is_not() {
        let read = |values: &[&str]| read(&headers(&header::COOKIE, values));
        assert_eq!(read(&["a=b; nova_refresh=x.y; c=d"]).as_deref(), Some("x.y"));
        assert_eq!(read(&["a=b", "nova_refresh=x.y"]).as_deref(), Some("x.y"));
        let long = format!("nova_refresh={}", "x".repeat(TOKEN_BYTES_MAX + 1));
        for none in ["", "nova_refresh", "nova_refresh=", "xnova_refresh=y", "nova_refresh=\"x\"", &long] {
            assert_eq!(read(&[none]), None, "{none}");
        }
        assert!(keep(&"x".repeat(TOKEN_BYTES_MAX), true).is_some());
        assert!(keep(&"x".repeat(TOKEN_BYTES_MAX + 1), true).is_none());
        assert!(keep("x; Domain=evil", true).is_none());
        let whole = keep(&"x".repeat(TOKEN_BYTES_MAX), true).unwrap();
        assert!(whole.len() <= 4_096, "{}", whole.len());
    }

    #[test]
    fn only_an_allowed_page_of_this_computer_does_without_tls() {
        let secure = |origin: &str, allowed| is_secure(&headers(&header::ORIGIN, &[origin]), allowed);
        for local in
            ["http://localhost:5173", "http://localhost", "http://127.0.0.1:3000", "http://[::1]:3000"]
        {
            assert!(!secure(local, true), "{local}");
            assert!(secure(local, false), "{local}");
        }
        for other in [
            "https://localhost",
            "http://localhost.evil.example",
            "http://evil.example",
            "http://localhost:3000.evil.example",
            "null",
        ] {
            assert!(secure(other, true), "{other}");
        }
        assert!(is_secure(&HeaderMap::new(), true));
    }
}
