//! The commands that change an account: roles, and disabling it.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use events::contract::live::offered_protocols;
use futures_util::StreamExt as _;
use infra::client::Accounts;
use serde_json::{Value, json};
use tests::system::{System, await_some};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Message, client::IntoClientRequest as _, http::HeaderValue},
};

use super::Ops;

/// How long the end of a session may take to reach its access tokens and sockets.
const SESSION_END_WITHIN: Duration = Duration::from_secs(5);

/// The close code of a socket whose session has ended.
const SIGNED_OUT: u16 = 4002;

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// A role reaches its owner at the next sign-in. Every change of it, and the end of the account, ends earlier access tokens and live
/// sockets.
pub(super) async fn check(system: &System, ops: &Ops) -> anyhow::Result<()> {
    const EMAIL: &str = "analyst@nova.example";
    const MISUSED: &str = "misused@nova.example";
    let http = infra::local::http_client()?;
    let learners = async |token: &str| {
        let get = http.get(format!("{}/api/learners", system.stack.url())).bearer_auth(token);
        anyhow::Ok(get.send().await?.status().as_u16())
    };
    let await_end = async |token: &str| {
        await_some("the earlier token ends", SESSION_END_WITHIN, async || {
            let status = learners(token).await?;
            Ok(if status == 401 { Ok(()) } else { Err(status.to_string()) })
        })
        .await
    };
    let learner = Accounts::new(system.stack.url())?.sign_up(EMAIL).await?;
    let before = learner.access_token().await?;
    ensure!(learners(&before).await? == 403, "a learner lists learners");
    let granted = ops.json(&["role", EMAIL, "analysts"]).await?;
    ensure!(granted["granted"] == true && granted["endedSessions"] == 1, "{granted}");
    await_end(&before).await?;
    let analyst = Accounts::new(system.stack.url())?.sign_in(EMAIL).await?.access_token().await?;
    ensure!(learners(&analyst).await? == 200, "the role is not there");
    let removed = ops.json(&["role", EMAIL, "analysts", "--remove"]).await?;
    ensure!(removed["granted"] == false && removed["endedSessions"] == 1, "{removed}");
    await_end(&analyst).await?;
    let after = Accounts::new(system.stack.url())?.sign_in(EMAIL).await?.access_token().await?;
    ensure!(learners(&after).await? == 403, "the role is still there");
    ops.run(&["role", "nobody@nova.example", "ops"], false).await?;

    // Each of the commands also closes the live sockets of the account.
    let socket = live_socket(system, &http, &after).await?;
    ops.json(&["role", EMAIL, "analysts"]).await?;
    await_close(socket).await?;

    let accounts = Accounts::new(system.stack.url())?;
    let token = accounts.sign_up(MISUSED).await?.access_token().await?;
    let socket = live_socket(system, &http, &token).await?;
    let disabled = ops.json(&["disable", MISUSED]).await?;
    ensure!(disabled["enabled"] == false && disabled["endedSessions"] == 1, "{disabled}");
    await_close(socket).await?;
    await_end(&token).await?;
    ensure!(accounts.sign_in(MISUSED).await.is_err(), "a disabled account signs in");
    let user_id = disabled["userId"].as_str().context("no user id")?;
    let enabled = ops.json(&["disable", user_id, "--enable"]).await?;
    ensure!(enabled["enabled"] == true && enabled["endedSessions"] == 0, "{enabled}");
    ensure!(learners(&token).await? == 401, "the token of an ended session is accepted again");
    accounts.sign_in(MISUSED).await?;
    Ok(())
}

/// An open socket of a conversation that the owner of the token begins.
async fn live_socket(system: &System, http: &reqwest::Client, token: &str) -> anyhow::Result<Socket> {
    let begin = http.post(format!("{}/api/conversations", system.stack.url())).bearer_auth(token);
    let offer = begin.json(&json!({ "imageId": "street-market" })).send().await?;
    let offer: Value = offer.error_for_status()?.json().await?;
    let (path, ticket) = (offer["live"].as_str(), offer["ticket"].as_str());
    let (path, ticket) = path.zip(ticket).with_context(|| format!("no ticket: {offer}"))?;
    let url = format!("{}{path}", system.stack.url().replacen("http", "ws", 1));
    let mut request = url.into_client_request()?;
    request
        .headers_mut()
        .insert("sec-websocket-protocol", HeaderValue::from_str(&offered_protocols(ticket))?);
    Ok(connect_async(request).await?.0)
}

/// Waits until the service closes the socket because its session has ended.
async fn await_close(mut socket: Socket) -> anyhow::Result<()> {
    let closed = tokio::time::timeout(SESSION_END_WITHIN, async {
        while let Some(message) = socket.next().await {
            if let Message::Close(frame) = message? {
                return anyhow::Ok(frame.map(|frame| u16::from(frame.code)));
            }
        }
        Ok(None)
    });
    let code = closed.await.context("the socket is still open")??;
    ensure!(code == Some(SIGNED_OUT), "the socket closes with {code:?}");
    Ok(())
}
