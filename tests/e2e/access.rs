//! Access to conversations: only a token that the user pool signed starts one, and only its ticket opens the WebSocket.

use anyhow::{Context as _, ensure};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use events::contract::live::offered_protocols;
use infra::client::Learner;
use serde_json::{Value, json};
use tests::system::System;

/// Only a genuine token of `learner` starts a conversation.
pub(crate) async fn check_refusals(system: &System, learner: &Learner) -> anyhow::Result<()> {
    let genuine = learner.access_token().await?;
    let genuine = genuine.as_str();
    let [header, claims, signature] = parts(genuine)?;
    let other_signature = signature.chars().rev().collect::<String>();
    let unsigned = encode(&json!({"alg": "none", "typ": "JWT"}));
    let unknown_key = encode(&json!({"alg": "RS256", "kid": "of-another-pool"}));
    let as_somebody_else = with_claim(claims, "sub", "somebody-else")?;
    for (what, token) in [
        ("no token", None),
        ("rubbish", Some("rubbish".to_owned())),
        ("a wrong signature", Some(format!("{header}.{claims}.{other_signature}"))),
        ("no signature", Some(format!("{unsigned}.{claims}."))),
        ("an unknown key", Some(format!("{unknown_key}.{claims}.{signature}"))),
        ("a changed subject", Some(format!("{header}.{as_somebody_else}.{signature}"))),
    ] {
        let (status, problem) = start(system, token.as_deref()).await?;
        ensure!(status == 401, "{what} gets {status}: {problem}");
        ensure!(problem["code"].is_string(), "{what} is refused without a code: {problem}");
    }
    let (status, started) = start(system, Some(genuine)).await?;
    ensure!(status == 201, "the genuine token gets {status}: {started}");
    check_ticket(system, &started).await
}

/// A ticket opens its own conversation, once. Other values open none.
async fn check_ticket(system: &System, started: &Value) -> anyhow::Result<()> {
    let live = started["live"].as_str().context("no live URL")?;
    let ticket = started["ticket"].as_str().context("no ticket")?;
    let url = system.stack.url().replacen("http", "ws", 1);
    let other = live.replacen(started["conversationId"].as_str().context("no id")?, OTHER_CONVERSATION, 1);
    ensure!(connect(&format!("{url}{live}"), "rubbish").await == Some(401), "rubbish opens a conversation");
    let elsewhere = connect(&format!("{url}{other}"), ticket).await;
    ensure!(elsewhere == Some(401), "a ticket opens another conversation: {elsewhere:?}");
    Ok(())
}

/// The id of a conversation that does not exist.
const OTHER_CONVERSATION: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

/// The status with which the live connection is refused; `None` if it is accepted.
pub(crate) async fn connect(url: &str, ticket: &str) -> Option<u16> {
    use tokio_tungstenite::tungstenite::{Error, client::IntoClientRequest as _, http::HeaderValue};
    let mut request = url.into_client_request().ok()?;
    request
        .headers_mut()
        .insert("sec-websocket-protocol", HeaderValue::from_str(&offered_protocols(ticket)).ok()?);
    match tokio_tungstenite::connect_async(request).await {
        Err(Error::Http(answer)) => Some(answer.status().as_u16()),
        _ => None,
    }
}

async fn start(system: &System, token: Option<&str>) -> anyhow::Result<(u16, Value)> {
    let mut post = infra::local::http_client()?.post(format!("{}/api/conversations", system.stack.url()));
    if let Some(token) = token {
        post = post.bearer_auth(token);
    }
    let answer = post.json(&json!({"imageId": "street-market"})).send().await?;
    Ok((answer.status().as_u16(), answer.json().await?))
}

fn parts(token: &str) -> anyhow::Result<[&str; 3]> {
    let parts: Vec<&str> = token.split('.').collect();
    parts.try_into().ok().context("a token has three parts")
}

fn encode(header: &Value) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(header.to_string())
}

fn with_claim(claims: &str, name: &str, value: &str) -> anyhow::Result<String> {
    let mut claims: Value = serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(claims)?)?;
    claims[name] = json!(value);
    Ok(encode(&claims))
}
