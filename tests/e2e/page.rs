//! A browser at `/auth`: its requests, its cookie, and the mailbox of the local cloud.

use anyhow::{Context as _, bail, ensure};
use reqwest::{StatusCode, header};
use serde_json::{Value, json};
use totp_rs::{Builder, Secret};

/// A browser.
pub(crate) struct Page {
    url: String,
    cloud: String,
    http: reqwest::Client,
    /// The value of the session cookie.
    pub(crate) cookie: Option<String>,
}

/// A response.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Value,
    pub(crate) set_cookie: Option<String>,
    pub(crate) retry_after: Option<u64>,
}

impl Answer {
    /// Whether two responses are equal except for the request id.
    pub(crate) fn looks_like(&self, other: &Self) -> bool {
        let plain = |body: &Value| {
            let mut body = body.clone();
            if let Some(object) = body.as_object_mut() {
                object.remove("requestId");
            }
            body
        };
        self.status == other.status && plain(&self.body) == plain(&other.body)
    }

    pub(crate) fn expect(self, status: u16, code: &str) -> anyhow::Result<Self> {
        let found = self.body["code"].as_str().unwrap_or_default();
        ensure!(self.status == status && found == code, "expected {status} {code}: {self:?}");
        Ok(self)
    }

    pub(crate) fn text(&self, field: &str) -> anyhow::Result<String> {
        let text = self.body[field].as_str().with_context(|| format!("no {field}: {self:?}"))?;
        Ok(text.to_owned())
    }
}

impl Page {
    pub(crate) fn new(url: &str, cloud: &str) -> anyhow::Result<Self> {
        let http = infra::local::http_client()?;
        Ok(Self { url: url.to_owned(), cloud: cloud.to_owned(), http, cookie: None })
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Answer> {
        self.send(path, Some(body), None, true).await
    }

    pub(crate) async fn post_as(
        &self,
        token: &str,
        path: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<Answer> {
        self.send(path, body, Some(token), true).await
    }

    /// A request with the cookie and without a token, with or without the header against CSRF.
    pub(crate) async fn by_cookie(&self, path: &str, with_header: bool) -> anyhow::Result<Answer> {
        self.send(path, None, None, with_header).await
    }

    async fn send(
        &self,
        path: &str,
        body: Option<&Value>,
        token: Option<&str>,
        with_header: bool,
    ) -> anyhow::Result<Answer> {
        let mut post = self.http.post(format!("{}{path}", self.url)).header(header::ORIGIN, &self.url);
        if let Some(body) = body {
            post = post.json(body);
        }
        if let Some(token) = token {
            post = post.bearer_auth(token);
        }
        if let Some(cookie) = &self.cookie {
            post = post.header(header::COOKIE, format!("other=1; nova_session={cookie}"));
        }
        if with_header {
            post = post.header("x-nova-csrf", "1");
        }
        let answer = post.send().await?;
        let of = |name: header::HeaderName| {
            let value = answer.headers().get(name).and_then(|value| value.to_str().ok());
            value.map(str::to_owned)
        };
        let (status, set_cookie) = (answer.status(), of(header::SET_COOKIE));
        let retry_after = of(header::RETRY_AFTER).and_then(|seconds| seconds.parse().ok());
        let text = answer.text().await?;
        let body = if text.is_empty() { Value::Null } else { serde_json::from_str(&text)? };
        Ok(Answer { status, body, set_cookie, retry_after })
    }

    /// The account of the token.
    pub(crate) async fn me(&self, token: &str) -> anyhow::Result<Value> {
        let get = self.http.get(format!("{}/api/me", self.url)).bearer_auth(token);
        Ok(get.send().await?.error_for_status()?.json().await?)
    }

    /// Signs up and confirms the account with the mailed code. `request` is the confirmation without the code.
    pub(crate) async fn sign_up(&self, request: &Value) -> anyhow::Result<()> {
        let email = request["email"].as_str().context("a sign-up without an e-mail address")?;
        let taken = self.post("/auth/sign-up", &json!({ "email": email })).await?;
        ensure!(taken.status == 202, "the sign-up is not accepted: {taken:?}");
        let (code, _) = self.mailed_code(email).await?;
        let mut confirm = request.clone();
        confirm["code"] = json!(code);
        let confirmed = self.post("/auth/confirm", &confirm).await?;
        ensure!(confirmed.status == 204, "the sign-up is not confirmed: {confirmed:?}");
        Ok(())
    }

    /// Signs in, keeps the cookie and returns the access token.
    pub(crate) async fn sign_in(&mut self, email: &str, password: &str) -> anyhow::Result<String> {
        let answer = self.post("/auth/sign-in", &json!({ "email": email, "password": password })).await?;
        self.keep(&answer)
    }

    /// Keeps the cookie of a sign-in and returns its access token.
    pub(crate) fn keep(&mut self, answer: &Answer) -> anyhow::Result<String> {
        ensure!(answer.status == 200 && answer.body["status"] == "signedIn", "not signed in: {answer:?}");
        let cookie = answer.set_cookie.as_deref().context("no cookie")?;
        let (pair, attributes) = cookie.split_once("; ").context("a cookie without attributes")?;
        // The origin of the page is plain HTTP on this computer, which the local service allows.
        ensure!(
            attributes == "Path=/auth; Max-Age=2592000; HttpOnly; SameSite=Strict",
            "the cookie has the attributes {attributes}"
        );
        let (name, value) = pair.split_once('=').context("a cookie without a value")?;
        ensure!(name == "nova_session", "the name of the cookie is {name}");
        self.cookie = Some(value.to_owned());
        answer.text("accessToken")
    }

    /// Another browser.
    pub(crate) fn copy(&self) -> anyhow::Result<Self> {
        Self::new(&self.url, &self.cloud)
    }

    /// Ends all sessions of the learner and checks that none is left.
    pub(crate) async fn send_out_everywhere(&mut self) -> anyhow::Result<()> {
        let refreshed = self.by_cookie("/auth/refresh", true).await?;
        let token = refreshed.text("accessToken")?;
        let out = self.post_as(&token, "/auth/sign-out-everywhere", None).await?;
        ensure!(out.status == 204 && out.set_cookie.is_some_and(|cookie| cookie.contains("Max-Age=0")));
        self.by_cookie("/auth/refresh", true).await?.expect(401, "session_ended")?;
        // The token ended with its session.
        let again = json!({ "newPassword": "Speak-English-3" });
        self.post_as(&token, "/auth/password", Some(&again)).await?.expect(401, "session_ended")?;
        self.cookie = None;
        Ok(())
    }

    /// The latest code that was mailed to `email`, and how many mails with a code there are.
    pub(crate) async fn mailed_code(&self, email: &str) -> anyhow::Result<(String, usize)> {
        let mails = self.mails(email).await?;
        let codes = mails.iter().filter_map(|mail| {
            let mut digits = mail.split(|letter: char| !letter.is_ascii_digit());
            digits.rfind(|run| run.len() == 6)
        });
        let codes: Vec<&str> = codes.collect();
        let Some(last) = codes.last() else { bail!("no code was mailed to the e-mail address") };
        Ok(((*last).to_owned(), codes.len()))
    }

    /// Subject and text of all mails to `email`.
    pub(crate) async fn mails(&self, email: &str) -> anyhow::Result<Vec<String>> {
        let url = format!("{}/_ministack/ses/messages", self.cloud);
        let all: Value = self.http.get(url).send().await?.error_for_status()?.json().await?;
        let accounts = all["messages"].as_object().context("no mailbox")?.values();
        let mails = accounts.filter_map(Value::as_array).flatten();
        let is_to = |mail: &&Value| mail["To"].as_array().is_some_and(|to| to.iter().any(|one| one == email));
        let text =
            |mail: &Value| ["Subject", "BodyText", "BodyHtml"].map(|part| mail[part].to_string()).concat();
        Ok(mails.filter(is_to).map(text).collect())
    }
}

/// The current code of an authenticator app.
pub(crate) fn totp(secret: &str) -> anyhow::Result<String> {
    let secret = Secret::try_from_base32(secret).map_err(|error| anyhow::anyhow!("{error}"))?;
    let totp = Builder::new().with_secret(secret).build().map_err(|error| anyhow::anyhow!("{error}"))?;
    Ok(totp.generate_current().to_string())
}
