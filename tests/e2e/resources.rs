//! The results of a conversation over the API of the real service, for its learner, another learner, an analyst and a caller
//! without a token.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use events::contract::ConversationId;
use infra::client::{Accounts, Learner};
use ingress::api::{self, role::Role, route::Route};
use reqwest::{Method, Response, StatusCode, header};
use serde_json::Value;
use tests::{
    sse::{Event, Stream},
    system::{System, await_some},
};

use crate::access;

/// The longest time for an effect of a worker.
const WITHIN: Duration = Duration::from_secs(60);

/// A caller of the API, with or without a token.
pub(crate) struct Caller<'a> {
    pub(crate) system: &'a System,
    pub(crate) token: Option<&'a str>,
}

/// A learner whose conversation has passed the pipeline.
#[derive(Clone, Copy)]
pub(crate) struct Owner<'a> {
    pub(crate) learner: &'a Learner,
    pub(crate) email: &'a str,
    pub(crate) conversation: ConversationId,
}

/// The result stream sends all results of a conversation, also after a reconnect in the middle.
pub(crate) async fn follow(system: &System, learner: &Learner, id: ConversationId) -> anyhow::Result<()> {
    let token = learner.access_token().await?;
    let owner = Caller { system, token: Some(&token) };
    let path = format!("/api/conversations/{id}/results");
    let mut stream = owner.follow(&path, "").await?;
    let first = stream.next().await?.context("the stream ended without an event")?;
    drop(stream);
    let rest = owner.follow(&path, &first.id).await?.rest().await?;
    let mut names: Vec<&str> =
        std::iter::once(&first).chain(&rest).map(|event| event.name.as_str()).collect();
    ensure!(names.pop() == Some("complete"), "it ends with {rest:?}");
    names.sort_unstable();
    ensure!(names == ["assessment", "progress", "progress", "transcript"], "{names:?} were sent");
    let again: Vec<Event> = owner.follow(&path, "").await?.rest().await?;
    ensure!(again.len() == 5, "a new stream does not have all results: {again:?}");
    let last = &rest.last().context("the second stream is empty")?.id;
    let over = owner.call(&Method::GET, &path, &[("last-event-id", last)]).await?;
    ensure!(over.status() == StatusCode::NO_CONTENT, "a stream after the last result gets {}", over.status());
    Ok(())
}

/// All callers call each route with the ids of the owner. At the end the conversation is deleted.
pub(crate) async fn check(system: &System, of: Owner<'_>) -> anyhow::Result<()> {
    let other = Accounts::new(system.stack.url())?.sign_up("other@nova.example").await?;
    let analyst = system.sign_up_to_group("analyst@nova.example", "analysts").await?;

    let callers = [
        (Role::Public, Caller { system, token: None }),
        (Role::Learner, Caller { system, token: Some(&other.access_token().await?) }),
        (Role::Analyst, Caller { system, token: Some(&analyst.access_token().await?) }),
    ];
    for (role, caller) in &callers {
        check_foreign_ids(*role, caller, of).await?;
    }
    let token = of.learner.access_token().await?;
    let owner = Caller { system, token: Some(&token) };
    check_own(&owner, of.conversation).await?;
    check_analyst(&callers[2].1, of.learner, of.conversation).await?;
    check_deletion(&owner, of.conversation).await
}

/// Calls each route with the ids of another learner.
async fn check_foreign_ids(role: Role, caller: &Caller<'_>, of: Owner<'_>) -> anyhow::Result<()> {
    let (user_id, id) = (of.learner.user_id().to_string(), of.conversation.to_string());
    for route in api::resources().iter().flat_map(|(_, routes)| routes) {
        // It takes no id, and ends the session of the caller.
        if route.path == "/auth/sign-out-everywhere" {
            continue;
        }
        let own = if route.path.starts_with("/api/learners") { &user_id } else { &id };
        let path = route.path.replace("{id}", own).replace("{index}", "1").replace("{conversation}", &id);
        let what = format!("{} {path} as {}", route.method, role.name());
        if route.role() == Role::Ticket {
            let live = caller.system.stack.url().replacen("http", "ws", 1);
            let status = access::connect(&format!("{live}{path}"), "rubbish").await;
            ensure!(status == Some(401), "{what} gets {status:?}");
            continue;
        }
        let answer = caller.call(&route.method, &path, &[]).await?;
        let status = answer.status().as_u16();
        // The stream of all results does not end.
        let is_stream =
            answer.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == "text/event-stream");
        let body = if is_stream { String::new() } else { answer.text().await? };
        ensure!(is_due(route, role, path.contains(&id), status), "{what} gets {status}: {body}");
        if role != Role::Analyst {
            ensure!(!body.contains(&id) && !body.contains(&user_id), "{what} reveals the learner: {body}");
        }
        ensure!(!body.contains(of.email), "{what} reveals the e-mail address: {body}");
        ensure!(!body.contains("wears hat number"), "{what} reveals the words: {body}");
    }
    Ok(())
}

/// Whether `status` is right for a request without a body, with ids that are no picture's, by a caller with the role `caller`. `of_conversation` states whether
/// the request has the id of another learner's conversation.
fn is_due(route: &Route, caller: Role, of_conversation: bool, status: u16) -> bool {
    let needed = route.role();
    match needed {
        // Without a body, or without the cookie and its header, most of them have no effect.
        Role::Public if route.path.starts_with("/api/pictures/") => status == 404,
        Role::Public => status == 200 || matches!(status, 403 | 415),
        Role::Ticket => status == 401,
        Role::Learner | Role::Analyst | Role::Operator if caller == Role::Public => status == 401,
        Role::Analyst | Role::Operator if needed != caller => status == 403,
        Role::Analyst | Role::Operator => status == 200,
        Role::Learner if of_conversation => status == 404,
        // Resources of the caller.
        Role::Learner if route.method == Method::GET => status == 200,
        Role::Learner
            if matches!(route.path, "/auth/totp" | "/auth/recovery-codes" | "/auth/aws-credentials") =>
        {
            status == 200
        }
        Role::Learner => status == 204 || (400..500).contains(&status),
    }
}

async fn check_own(owner: &Caller<'_>, id: ConversationId) -> anyhow::Result<()> {
    let path = format!("/api/conversations/{id}");
    let listed = owner.json("/api/conversations").await?;
    ensure!(listed["items"][0]["conversationId"] == id.to_string(), "{listed}");
    let transcript = owner.json(&format!("{path}/transcript")).await?;
    ensure!(transcript.to_string().contains("wears hat number"), "{transcript}");
    let text = owner.call(&Method::GET, &format!("{path}/transcript"), &[("accept", "text/plain")]).await?;
    ensure!(text.text().await?.contains("Learner: I see"), "no text");
    let assessment = owner.json(&format!("{path}/assessment")).await?;
    ensure!(assessment["assessment"]["overall"].is_u64(), "{assessment}");
    let progress = owner.json("/api/progress").await?;
    ensure!(progress["total"]["conversations"] == 1 && progress["total"]["scored"] == 1, "{progress}");
    let spoken = transcript["turns"][1]["audio"].as_str().context("the learner's turn has no recording")?;
    let audio = owner.json(spoken).await?;
    let wav = infra::local::http_client()?.get(audio["url"].as_str().context("no URL")?).send().await?;
    ensure!(wav.status() == StatusCode::OK, "the recording gets {}", wav.status());
    ensure!(wav.bytes().await?.starts_with(b"RIFF"), "the recording is no WAV file");
    let pictures = owner.json("/api/pictures").await?;
    ensure!(pictures["items"].as_array().is_some_and(|items| items.len() == 25), "{pictures}");
    Ok(())
}

async fn check_analyst(analyst: &Caller<'_>, learner: &Learner, id: ConversationId) -> anyhow::Result<()> {
    let learner = learner.user_id();
    let found = analyst.json("/api/learners?name=mina&activeSince=2020-01-01T00:00:00Z").await?;
    ensure!(found["items"][0]["userId"] == learner.as_str(), "{found}");
    let scores = analyst.json(&format!("/api/learners/{learner}/conversations/{id}/assessment")).await?;
    ensure!(scores["overall"].is_u64() && scores["assessment"].is_null(), "{scores}");
    let table = analyst.call(&Method::GET, "/api/learners.csv", &[]).await?.text().await?;
    ensure!(table.contains(&format!("\"{learner}\",\"Mina Kim\",")), "{table}");
    // A stream with a last event id sends at once the results since then.
    let mut feed = analyst.follow("/api/results", "2020-01-01T00:00:00Z").await?;
    let result = feed.next().await?.context("the feed ended")?;
    ensure!(result.name == "result" && result.data["userId"] == learner.as_str(), "{result:?}");
    Ok(())
}

async fn check_deletion(owner: &Caller<'_>, id: ConversationId) -> anyhow::Result<()> {
    let path = format!("/api/conversations/{id}");
    let text = id.to_string();
    await_some("the conversation is deleted", WITHIN, async || {
        let answer = owner.call(&Method::DELETE, &path, &[]).await?;
        let status = answer.status();
        Ok(if status == StatusCode::NO_CONTENT { Ok(()) } else { Err(answer.text().await?) })
    })
    .await?;
    for end in ["", "/transcript", "/assessment", "/results"] {
        let answer = owner.call(&Method::GET, &format!("{path}{end}"), &[]).await?;
        ensure!(answer.status() == StatusCode::NOT_FOUND, "{path}{end} gets {}", answer.status());
    }
    let results = &owner.system.results;
    ensure!(
        !results.transcripts().await?.keys().any(|left| left.to_string() == text),
        "a transcript is left"
    );
    ensure!(!results.analyses().await?.keys().any(|left| left.to_string() == text), "an assessment is left");
    ensure!(owner.json("/api/progress").await?["total"]["conversations"] == 1, "the sums are gone");
    Ok(())
}

impl Caller<'_> {
    pub(crate) async fn call(
        &self,
        method: &Method,
        path: &str,
        headers: &[(&str, &str)],
    ) -> anyhow::Result<Response> {
        self.send(method, path, headers, None).await
    }

    pub(crate) async fn send(
        &self,
        method: &Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> anyhow::Result<Response> {
        let url = format!("{}{path}", self.system.stack.url());
        let mut request = infra::local::http_client()?.request(method.clone(), url);
        if let Some(token) = self.token {
            request = request.bearer_auth(token);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        Ok(request.send().await?)
    }

    pub(crate) async fn json(&self, path: &str) -> anyhow::Result<Value> {
        let answer = self.call(&Method::GET, path, &[]).await?;
        let status = answer.status();
        let body = answer.text().await?;
        ensure!(status == StatusCode::OK, "{path} gets {status}: {body}");
        Ok(serde_json::from_str(&body)?)
    }

    async fn follow(&self, path: &str, last_event_id: &str) -> anyhow::Result<Stream> {
        let headers = [("last-event-id", last_event_id)];
        let headers = if last_event_id.is_empty() { &[][..] } else { &headers[..] };
        let answer = self.call(&Method::GET, path, headers).await?;
        ensure!(answer.status() == StatusCode::OK, "{path} gets {}", answer.status());
        Ok(Stream::new(answer))
    }
}
