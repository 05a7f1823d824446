//! What came of a conversation, as its learner, another one, an analyst and nobody see it over the API of the real service.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use aws_sdk_cognitoidentityprovider::Client as UserPool;
use events::contract::ConversationId;
use infra::learner::Learner;
use ingress::{
    api::{self, route::Role},
    profile::Profile,
    store::users::{User, Users},
};
use reqwest::{Method, Response, StatusCode};
use serde_json::Value;
use tests::{
    sse::{Event, Stream},
    system::{System, await_some},
};

/// How long anything may take that the workers do at once.
const WITHIN: Duration = Duration::from_secs(60);

/// Somebody who calls the API, or nobody without a token.
struct Caller<'a> {
    system: &'a System,
    token: Option<&'a str>,
}

/// Everything that has come of a conversation, told over its stream. In the middle the stream is lost and taken up.
pub(crate) async fn follow(system: &System, learner: &Learner, id: ConversationId) -> anyhow::Result<()> {
    let owner = Caller { system, token: Some(learner.access_token()) };
    let path = format!("/api/conversations/{id}/results");
    let mut stream = owner.follow(&path, "").await?;
    let first = stream.next().await?.context("the stream ended without an event")?;
    drop(stream);
    let rest = owner.follow(&path, &first.id).await?.rest().await?;
    let mut names: Vec<&str> =
        std::iter::once(&first).chain(&rest).map(|event| event.name.as_str()).collect();
    ensure!(names.pop() == Some("complete"), "it ends with {rest:?}");
    names.sort_unstable();
    ensure!(names == ["assessment", "progress", "progress", "transcript"], "{names:?} were told");
    let again: Vec<Event> = owner.follow(&path, "").await?.rest().await?;
    ensure!(again.len() == 5, "whoever begins anew is told everything: {again:?}");
    let last = &rest.last().context("nothing more came")?.id;
    let over = owner.call(&Method::GET, &path, &[("last-event-id", last)]).await?;
    ensure!(over.status() == StatusCode::NO_CONTENT, "who was told everything gets {}", over.status());
    Ok(())
}

/// Every route is tried by everybody with the ids of `learner`, whose conversation `id` has passed the pipeline. At last
/// it is deleted.
pub(crate) async fn check(system: &System, learner: &Learner, id: ConversationId) -> anyhow::Result<()> {
    let (cloud, outputs) = (system.stack.cloud(), system.stack.outputs());
    let api = system.stack.url();
    let sign_up = |email: &'static str| Learner::sign_up(cloud.endpoint(), &outputs.client_id, api, email);
    let other = sign_up("somebody-else@nova.example").await?;
    sign_up("analyst@nova.example").await?;
    let group = UserPool::new(&cloud.root()).admin_add_user_to_group().user_pool_id(&outputs.user_pool_id);
    group.group_name("analysts").username("analyst@nova.example").send().await?;
    let analyst = Learner::sign_in(cloud.endpoint(), &outputs.client_id, api, "analyst@nova.example").await?;
    // What the trigger of the user pool does, which the local pool does not call.
    let users = Users::new(aws_sdk_dynamodb::Client::new(&cloud.root()), outputs.users_table.clone());
    let profile = Profile::new("Mina Kim".to_owned());
    users.create_if_missing(User::new(learner.user_id().clone(), profile, jiff::Timestamp::now())).await?;

    let callers = [
        (Role::Public, Caller { system, token: None }),
        (Role::Learner, Caller { system, token: Some(other.access_token()) }),
        (Role::Analyst, Caller { system, token: Some(analyst.access_token()) }),
    ];
    for (role, caller) in &callers {
        refuse_what_is_not_theirs(*role, caller, learner, id).await?;
    }
    let owner = Caller { system, token: Some(learner.access_token()) };
    check_own(&owner, id).await?;
    check_analyst(&callers[2].1, learner, id).await?;
    check_deletion(&owner, id).await
}

/// Calls every route with what is `learner`'s.
async fn refuse_what_is_not_theirs(
    role: Role,
    caller: &Caller<'_>,
    learner: &Learner,
    id: ConversationId,
) -> anyhow::Result<()> {
    for route in api::resources().iter().flat_map(|(_, routes)| routes) {
        // A stream without an end, and the end of the caller's own sessions.
        let ends = route.path == "/auth/sign-out-everywhere";
        if route.role() < Role::Learner || ends || (route.path == "/api/results" && role == Role::Analyst) {
            continue;
        }
        let of_learner = route.path.starts_with("/api/learners");
        let own = if of_learner { learner.user_id().to_string() } else { id.to_string() };
        let path = route.path.replace("{id}", &own).replace("{index}", "1");
        let path = path.replace("{conversation}", &id.to_string());
        let answer = caller.call(&route.method, &path, &[]).await?;
        let (status, what) =
            (answer.status().as_u16(), format!("{} {path} as {}", route.method, role.name()));
        let body = answer.text().await?;
        if role == Role::Public {
            ensure!(status == 401, "{what} is answered with {status}: {body}");
        } else if route.role() > Role::Learner && route.role() != role {
            ensure!(status == 403, "{what} is answered with {status}: {body}");
        } else if of_learner {
            ensure!(status == 200, "{what} is answered with {status}: {body}");
        } else if path.contains(&id.to_string()) {
            ensure!(status == 404 || status == 415, "{what} is answered with {status}: {body}");
        } else {
            // The caller's own lists, or nothing without a body.
            ensure!(
                status == 200 || (400..500).contains(&status),
                "{what} is answered with {status}: {body}"
            );
        }
        if role != Role::Analyst {
            ensure!(!body.contains(&id.to_string()), "{what} tells of the conversation: {body}");
        }
        ensure!(!body.contains("wears hat number"), "{what} tells what was said: {body}");
    }
    Ok(())
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
    let wav = infra::local::http_client()?.get(audio["url"].as_str().context("no address")?).send().await?;
    ensure!(wav.status() == StatusCode::OK, "the recording is answered with {}", wav.status());
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
    ensure!(table.contains(&format!("{learner},Mina Kim,")), "{table}");
    // A stream that is taken up tells at once what was counted since.
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
        ensure!(answer.status() == StatusCode::NOT_FOUND, "{path}{end} is answered with {}", answer.status());
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
    async fn call(&self, method: &Method, path: &str, headers: &[(&str, &str)]) -> anyhow::Result<Response> {
        let url = format!("{}{path}", self.system.stack.url());
        let mut request = infra::local::http_client()?.request(method.clone(), url);
        if let Some(token) = self.token {
            request = request.bearer_auth(token);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Ok(request.send().await?)
    }

    async fn json(&self, path: &str) -> anyhow::Result<Value> {
        let answer = self.call(&Method::GET, path, &[]).await?;
        let status = answer.status();
        let body = answer.text().await?;
        ensure!(status == StatusCode::OK, "{path} is answered with {status}: {body}");
        Ok(serde_json::from_str(&body)?)
    }

    async fn follow(&self, path: &str, last_event_id: &str) -> anyhow::Result<Stream> {
        let headers = [("last-event-id", last_event_id)];
        let headers = if last_event_id.is_empty() { &[][..] } else { &headers[..] };
        let answer = self.call(&Method::GET, path, headers).await?;
        ensure!(answer.status() == StatusCode::OK, "{path} is answered with {}", answer.status());
        Ok(Stream::new(answer))
    }
}
