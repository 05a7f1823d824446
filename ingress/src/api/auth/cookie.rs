//! PURE. The cookie of a session, which no script can read. The browser sends it to `/auth` only, and only from pages of the
//! same site. The prefix `__Secure-` makes a browser refuse the cookie from a page without TLS (RFC 6265bis, section 4.1.3.1).

use http::{HeaderMap, HeaderValue, header};

/// The name of the cookie over TLS.
const NAME: &str = "__Secure-nova_session";

/// The name at plain-HTTP localhost, where browsers refuse the prefix.
const LOCALHOST_NAME: &str = "nova_session";

/// The cookie of a device, with the same attributes.
const DEVICE_NAME: &str = "__Secure-nova_device";
const LOCALHOST_DEVICE_NAME: &str = "nova_device";

/// Lifetime of the cookie of a device, in seconds. Browsers keep none for longer than 400 days.
const DEVICE_SECONDS: u32 = 365 * 24 * 60 * 60;

/// Maximum length of the value, in bytes.
const VALUE_BYTES_MAX: usize = 512;

/// The cookies of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// There is no session cookie.
    Nothing,
    /// The value of the session cookie.
    One(String),
    /// There are several: some came from a page that may set cookies for this site but is not ours.
    Several,
}

/// `Set-Cookie` that stores `value` for `max_age_seconds`; `None` if no browser would store it.
pub(super) fn keep(value: &str, max_age_seconds: u32, secure: bool) -> Option<HeaderValue> {
    if !is_value(value) {
        return None;
    }
    set(name(secure), value, max_age_seconds, secure)
}

/// `Set-Cookie` that stores the device; `None` if no browser would store it.
pub(super) fn keep_device(value: &str, secure: bool) -> Option<HeaderValue> {
    is_value(value).then(|| set(device_name(secure), value, DEVICE_SECONDS, secure))?
}

/// `Set-Cookie` that removes the cookie.
pub(super) fn end(secure: bool) -> Option<HeaderValue> {
    set(name(secure), "", 0, secure)
}

/// The session cookie of a request.
pub(super) fn read(headers: &HeaderMap, secure: bool) -> Found {
    find(headers, name(secure))
}

/// The cookie of the device of a request. Several are as none.
pub(super) fn read_device(headers: &HeaderMap, secure: bool) -> Option<String> {
    match find(headers, device_name(secure)) {
        Found::One(value) => Some(value),
        Found::Nothing | Found::Several => None,
    }
}

fn find(headers: &HeaderMap, name: &str) -> Found {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = cookies.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut values = pairs.filter(|(found, _)| *found == name).map(|(_, value)| value);
    match (values.next(), values.next()) {
        (_, Some(_)) => Found::Several,
        (Some(value), None) if is_value(value) => Found::One(value.to_owned()),
        (_, None) => Found::Nothing,
    }
}

/// Whether the cookie gets the attribute `Secure` and the prefix. It does, unless the configuration exempts pages on localhost
/// and the request comes from one: the browser sets `Origin`, and no script can change it. The scheme of the connection to this
/// task is irrelevant, because TLS is terminated before it.
pub(super) fn is_secure(headers: &HeaderMap, localhost_cookies: bool) -> bool {
    let origin = headers.get(header::ORIGIN).and_then(|value| value.to_str().ok());
    let host = origin.and_then(|origin| origin.strip_prefix("http://")).map(|host| {
        let port = host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
        port.map_or(host, |(host, _)| host)
    });
    !(localhost_cookies && matches!(host, Some("localhost" | "127.0.0.1" | "[::1]")))
}

fn name(secure: bool) -> &'static str {
    if secure { NAME } else { LOCALHOST_NAME }
}

fn device_name(secure: bool) -> &'static str {
    if secure { DEVICE_NAME } else { LOCALHOST_DEVICE_NAME }
}

fn set(name: &str, value: &str, max_age_seconds: u32, secure: bool) -> Option<HeaderValue> {
    let secure = if secure { "; Secure" } else { "" };
    let cookie =
        format!("{name}={value}; Path=/auth; Max-Age={max_age_seconds}; HttpOnly; SameSite=Strict{secure}");
    let mut cookie = HeaderValue::try_from(cookie).ok()?;
    cookie.set_sensitive(true);
    Some(cookie)
}

/// Whether `text` has only characters that session cookies have.
fn is_value(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    (1..=VALUE_BYTES_MAX).contains(&text.len()) && text.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &header::HeaderName, values: &[&str]) -> HeaderMap {
        let values = values.iter().map(|value| (name.clone(), HeaderValue::from_str(value).unwrap()));
        values.collect()
    }

    #[test]
    fn cookie_is_for_the_browser_and_these_urls_alone() {
        let cookie = keep("ab.c-d", 60, true).unwrap();
        let expected =
            "__Secure-nova_session=ab.c-d; Path=/auth; Max-Age=60; HttpOnly; SameSite=Strict; Secure";
        assert_eq!(cookie.to_str().unwrap(), expected);
        assert!(cookie.is_sensitive());
        let ended = end(false).unwrap();
        assert_eq!(
            ended.to_str().unwrap(),
            "nova_session=; Path=/auth; Max-Age=0; HttpOnly; SameSite=Strict"
        );
    }

    #[test]
    fn cookie_is_read_among_others_and_an_impossible_value_is_not() {
        let read = |values: &[&str]| read(&headers(&header::COOKIE, values), true);
        let one = Found::One("x.y".to_owned());
        assert_eq!(read(&["a=b; __Secure-nova_session=x.y; c=d"]), one);
        assert_eq!(read(&["a=b", "__Secure-nova_session=x.y; nova_session=z"]), one);
        let long = format!("__Secure-nova_session={}", "x".repeat(VALUE_BYTES_MAX + 1));
        for none in ["", "__Secure-nova_session", "__Secure-nova_session=", "nova_session=y", &long] {
            assert_eq!(read(&[none]), Found::Nothing, "{none}");
        }
        assert!(keep(&"x".repeat(VALUE_BYTES_MAX), 1, true).is_some());
        assert!(keep(&"x".repeat(VALUE_BYTES_MAX + 1), 1, true).is_none());
        assert!(keep("x; Domain=evil", 1, true).is_none());
    }

    #[test]
    fn two_cookies_of_the_name_are_not_read() {
        for several in [
            &["__Secure-nova_session=a; __Secure-nova_session=b"][..],
            &["__Secure-nova_session=a; x=y", "__Secure-nova_session=a"],
            &["__Secure-nova_session=; __Secure-nova_session=b"],
        ] {
            assert_eq!(read(&headers(&header::COOKIE, several), true), Found::Several);
        }
        let both = headers(&header::COOKIE, &["nova_session=a; nova_session=b"]);
        assert_eq!(read(&both, false), Found::Several);
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
