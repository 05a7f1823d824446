//! Where a request comes from, and how often it may: attempts are counted for each account and for each address, by all tasks
//! together where there is a Redis.

use std::{
    convert::Infallible,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use axum::extract::{ConnectInfo, FromRequestParts};
use http::{HeaderMap, request::Parts};
use sha2::{Digest as _, Sha256};

use crate::{
    api::problem::{ApiError, Code},
    api::route::{Input, Sketch},
    app::AppState,
};

/// In which each proxy tells the address of its caller.
const FORWARDED_FOR: &str = "x-forwarded-for";

/// Requests of one address, all kinds together: a class that sits behind one address signs in within it.
pub(super) const FROM_ADDRESS: Limit = Limit { name: "address", max: 200, window: Duration::from_secs(600) };

/// Passwords of one account.
pub(super) const PASSWORDS: Limit = Limit { name: "password", max: 10, window: Duration::from_secs(900) };

/// Codes of one account, of each kind: a code has a million values.
pub(super) const CODES: Limit = Limit { name: "code", max: 10, window: Duration::from_secs(900) };

/// Mails to one address.
pub(super) const MAILS: Limit = Limit { name: "mail", max: 5, window: Duration::from_secs(3_600) };

/// How often something may be tried.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limit {
    name: &'static str,
    /// Attempts.
    pub(super) max: u32,
    /// Within which time.
    window: Duration,
}

/// The address that a request comes from, if it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Visitor(Option<IpAddr>);

impl Limit {
    /// Counts an attempt of `who`, who is not shown to the store.
    ///
    /// # Errors
    /// 429 beyond the limit.
    pub(super) async fn count(self, app: &AppState, kind: &str, who: &str) -> Result<(), ApiError> {
        app.coordination.limit(&self.key(kind, who), self.max, self.window).await
    }

    /// Forgets the attempts of `who`. One that is not forgotten only makes the next ones fewer.
    pub(super) async fn forget(self, app: &AppState, kind: &str, who: &str) {
        if let Err(error) = app.coordination.forget(&self.key(kind, who)).await {
            tracing::debug!(error = %error, "attempts are not forgotten");
        }
    }

    fn key(self, kind: &str, who: &str) -> String {
        let digest = Sha256::digest(who).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        format!("auth/{}/{kind}/{digest}", self.name)
    }
}

impl Visitor {
    /// Counts a request of this address.
    ///
    /// # Errors
    /// 429 beyond [`FROM_ADDRESS`].
    pub(super) async fn count(self, app: &AppState) -> Result<(), ApiError> {
        match self.0 {
            Some(address) => FROM_ADDRESS.count(app, "", &network(address)).await,
            None => Ok(()),
        }
    }
}

impl FromRequestParts<Arc<AppState>> for Visitor {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<AppState>) -> Result<Self, Infallible> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
        Ok(Self(caller(peer, &parts.headers, app.trusted_proxies)))
    }
}

impl Input for Visitor {
    fn describe(sketch: &mut Sketch<'_>) {
        sketch.problem(Code::TooManyRequests);
    }
}

/// The address of the caller before `proxies` proxies, of which each has added that of its own caller at the end of
/// `X-Forwarded-For`. What stands before those entries, the caller wrote; so it is not looked at.
fn caller(peer: Option<IpAddr>, headers: &HeaderMap, proxies: u8) -> Option<IpAddr> {
    let Some(before) = usize::from(proxies).checked_sub(1) else { return peer };
    let values = headers.get_all(FORWARDED_FOR).iter().rev().filter_map(|value| value.to_str().ok());
    let mut entries = values.flat_map(|value| value.rsplit(','));
    entries.nth(before).and_then(|entry| address(entry.trim())).or(peer)
}

/// An address, with or without a port.
fn address(text: &str) -> Option<IpAddr> {
    text.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

/// What one visitor has: an IPv4 address, or the 64 bits of an IPv6 network, in which anybody picks addresses at will.
fn network(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}")
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn found(proxies: u8, forwarded: &[&str]) -> String {
        let values = forwarded.iter().map(|value| {
            (http::HeaderName::from_static(FORWARDED_FOR), HeaderValue::from_str(value).unwrap())
        });
        caller("10.0.1.7".parse().ok(), &values.collect(), proxies).unwrap().to_string()
    }

    #[test]
    fn only_what_the_configured_proxies_wrote_is_believed() {
        let forwarded = ["6.6.6.6, 203.0.113.9, 130.176.0.1"];
        assert_eq!(found(0, &forwarded), "10.0.1.7");
        assert_eq!(found(1, &forwarded), "130.176.0.1");
        assert_eq!(found(2, &forwarded), "203.0.113.9");
        assert_eq!(found(2, &["6.6.6.6", "203.0.113.9,130.176.0.1:443"]), "203.0.113.9");
        assert_eq!(found(1, &["6.6.6.6, [2001:db8::1]:443"]), "2001:db8::1");
    }

    #[test]
    fn without_an_address_in_its_place_it_is_the_peer() {
        assert_eq!(found(2, &["203.0.113.9"]), "10.0.1.7");
        assert_eq!(found(1, &[]), "10.0.1.7");
        assert_eq!(found(1, &["203.0.113.9, unknown"]), "10.0.1.7");
    }

    #[test]
    fn a_visitor_is_an_address_or_a_network() {
        let network = |text: &str| network(text.parse().unwrap());
        assert_eq!(network("203.0.113.9"), "203.0.113.9");
        assert_eq!(network("::ffff:203.0.113.9"), "203.0.113.9");
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), network("2001:db8:1:2:ffff::"));
        assert_ne!(network("2001:db8:1:2::"), network("2001:db8:1:3::"));
    }

    #[test]
    fn whoever_is_counted_is_not_shown() {
        let key = PASSWORDS.key("sign-in", "mina@school.kr");
        assert!(!key.contains("mina") && key.starts_with("auth/password/sign-in/"), "{key}");
        assert!(key.len() <= crate::coordination::NAME_BYTES_MAX);
        assert_ne!(key, PASSWORDS.key("sign-in", "mina@school.kz"));
    }
}
