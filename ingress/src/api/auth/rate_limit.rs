//! Rate limits for each account and for each IP address, counted by all tasks together if there is a Redis.

use std::{
    convert::Infallible,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use axum::extract::{ConnectInfo, FromRequestParts};
use events::runtime::env;
use http::{HeaderMap, request::Parts};
use sha2::{Digest as _, Sha256};

use super::cookie::{is_secure, read_device};
use crate::{
    account::device::Device,
    api::operation::OperationBuilder,
    api::problem::{ApiError, Code},
    api::route::HandlerInput,
    app::AppState,
};

/// The header to which each proxy appends the IP address of its client.
const FORWARDED_FOR: &str = "x-forwarded-for";

/// Requests of one IP address, of all kinds: three hundred learners behind one address sign up or in and refresh their access
/// tokens.
const REQUESTS: RateLimit = RateLimit { name: "address", max: 3_000, window: Duration::from_secs(600) };

/// Attempts to prove the password of one account, from one network or one device.
pub(super) const PASSWORDS: RateLimit =
    RateLimit { name: "password", max: 10, window: Duration::from_secs(900) };

/// The same from all networks, except devices on which the account was signed in before.
const PASSWORDS_ANYWHERE: RateLimit =
    RateLimit { name: "password-anywhere", max: 100, window: Duration::from_secs(3_600) };

/// Attempts to enter a code of one account from one network or one device, for each purpose: a code has a million values.
pub(super) const CODES: RateLimit = RateLimit { name: "code", max: 10, window: Duration::from_secs(900) };

/// The same from all networks, except devices on which the account was signed in before.
const CODES_ANYWHERE: RateLimit =
    RateLimit { name: "code-anywhere", max: 40, window: Duration::from_secs(3_600) };

/// E-mails to one mailbox that one network or one device requests.
const MAILS: RateLimit = RateLimit { name: "mail", max: 5, window: Duration::from_secs(3_600) };

/// The same from all networks. Each mail has a code that works, so the owner is not locked out.
const MAILS_ANYWHERE: RateLimit =
    RateLimit { name: "mail-anywhere", max: 20, window: Duration::from_secs(3_600) };

pub(super) const SIGN_IN: AccountLimit = AccountLimit { here: PASSWORDS, anywhere: PASSWORDS_ANYWHERE };
pub(super) const CODE_ENTRY: AccountLimit = AccountLimit { here: CODES, anywhere: CODES_ANYWHERE };
pub(super) const MAILING: AccountLimit = AccountLimit { here: MAILS, anywhere: MAILS_ANYWHERE };

/// AWS credentials for one account. They are valid for an hour.
pub(super) const CREDENTIALS: RateLimit =
    RateLimit { name: "credentials", max: 20, window: Duration::from_secs(3_600) };

/// Reports of one IP address: a class behind one address whose browsers report.
pub(in crate::api) const REPORTS: RateLimit =
    RateLimit { name: "report", max: 120, window: Duration::from_secs(60) };

#[derive(Clone, Copy, Debug)]
pub(in crate::api) struct RateLimit {
    name: &'static str,
    /// Attempts within the window.
    max: u32,
    window: Duration,
}

/// A limit of attempts at an account. Strangers elsewhere do not block the owner: each network and each device on which the account
/// was signed in has its own limit, and only networks share another one, which is slower.
#[derive(Clone, Copy, Debug)]
pub(super) struct AccountLimit {
    here: RateLimit,
    anywhere: RateLimit,
}

/// The client of a request: its IP address, if it is known, and its device, if an account was signed in on it.
#[derive(Clone, Debug)]
pub(in crate::api) struct Client {
    address: Option<IpAddr>,
    device: Option<Device>,
}

impl RateLimit {
    /// Counts an attempt for `who`, whose hash is the key.
    ///
    /// # Errors
    /// 429 beyond the limit.
    pub(super) async fn count(self, app: &AppState, kind: &str, who: &str) -> Result<(), ApiError> {
        Ok(app.coordination.limit(&self.key(kind, who), self.max, self.window).await?)
    }

    /// Resets the attempts for `who`. A failure only leaves fewer attempts.
    pub(super) async fn forget(self, app: &AppState, kind: &str, who: &str) {
        if let Err(error) = app.coordination.forget(&self.key(kind, who)).await {
            tracing::debug!(error = %error, "failed to reset a count of attempts");
        }
    }

    fn key(self, kind: &str, who: &str) -> String {
        let digest = Sha256::digest(who).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        format!("auth/{}/{kind}/{digest}", self.name)
    }
}

impl Client {
    /// Counts a request of this IP address.
    ///
    /// # Errors
    /// 429 beyond [`REQUESTS`].
    pub(super) async fn count(&self, app: &AppState) -> Result<(), ApiError> {
        self.count_for(REQUESTS, app).await
    }

    /// Counts a request of this IP address for `limit`.
    ///
    /// # Errors
    /// 429 beyond the limit.
    pub(in crate::api) async fn count_for(&self, limit: RateLimit, app: &AppState) -> Result<(), ApiError> {
        match self.address {
            Some(address) => limit.count(app, "", &network(address)).await,
            None => Ok(()),
        }
    }

    /// Counts an attempt of this client at `account`.
    ///
    /// # Errors
    /// 429 beyond the limit.
    pub(super) async fn attempt(
        &self,
        app: &AppState,
        limit: AccountLimit,
        kind: &str,
        account: &str,
    ) -> Result<(), ApiError> {
        limit.here.count(app, kind, &self.at(app, account)).await?;
        if self.is_known_to(app, account) { Ok(()) } else { limit.anywhere.count(app, kind, account).await }
    }

    /// Resets this client's attempts at `account`, which it has proved to own.
    pub(super) async fn succeeded(&self, app: &AppState, limit: AccountLimit, kind: &str, account: &str) {
        limit.here.forget(app, kind, &self.at(app, account)).await;
    }

    /// The device of this client after a sign-in of `account`.
    pub(super) fn device_of(&self, app: &AppState, account: &str) -> Device {
        let device = self.device.clone().unwrap_or_else(|| Device::new(env::random_uuid()));
        device.with(account, &app.keyring)
    }

    fn is_known_to(&self, app: &AppState, account: &str) -> bool {
        self.device.as_ref().is_some_and(|device| device.knows(account, &app.keyring))
    }

    /// The account together with the device or the network.
    fn at(&self, app: &AppState, account: &str) -> String {
        match &self.device {
            Some(device) if self.is_known_to(app, account) => format!("{account} {}", device.id()),
            _ => format!("{account} {}", self.address.map(network).unwrap_or_default()),
        }
    }
}

impl FromRequestParts<Arc<AppState>> for Client {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<AppState>) -> Result<Self, Infallible> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
        let secure = is_secure(&parts.headers, app.localhost_cookies);
        let device = read_device(&parts.headers, secure);
        Ok(Self {
            address: caller(peer, &parts.headers, app.trusted_proxies),
            device: device.as_deref().and_then(Device::read),
        })
    }
}

impl HandlerInput for Client {
    fn describe(operation: &mut OperationBuilder<'_>) {
        operation.problem(Code::TooManyRequests);
    }
}

/// The IP address of the client in front of `proxies` proxies, each of which has appended the address of its own client to
/// `X-Forwarded-For`. Earlier entries come from the client and are ignored.
fn caller(peer: Option<IpAddr>, headers: &HeaderMap, proxies: u8) -> Option<IpAddr> {
    let Some(before) = usize::from(proxies).checked_sub(1) else { return peer };
    let values = headers.get_all(FORWARDED_FOR).iter().rev().filter_map(|value| value.to_str().ok());
    let mut entries = values.flat_map(|value| value.rsplit(','));
    entries.nth(before).and_then(|entry| address(entry.trim())).or(peer)
}

/// Parses an IP address with or without a port.
fn address(text: &str) -> Option<IpAddr> {
    text.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

/// What one client has: an IPv4 address, or a /64 IPv6 network, in which it can choose addresses freely.
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
