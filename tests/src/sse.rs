//! A reader of streams of server-sent events (WHATWG HTML, "Server-sent events") as the service sends them: one line of data in
//! an event, and comments.

use std::time::Duration;

use anyhow::{Context as _, bail};
use reqwest::Response;
use serde_json::Value;

/// The longest time until the next chunk; comments are more frequent.
const PATIENCE: Duration = Duration::from_secs(300);

/// A stream of events.
#[derive(Debug)]
pub struct Stream {
    response: Response,
    read: String,
}

/// An event.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Event {
    /// Name.
    pub name: String,
    /// Id.
    pub id: String,
    /// Data, which is JSON.
    pub data: Value,
}

impl Stream {
    /// The stream of `response`.
    #[must_use]
    pub fn new(response: Response) -> Self {
        Self { response, read: String::new() }
    }

    /// The next event; `None` when the stream has ended.
    ///
    /// # Errors
    /// No chunk arrives in time, or the stream has another format.
    pub async fn next(&mut self) -> anyhow::Result<Option<Event>> {
        loop {
            while let Some((block, rest)) = self.read.split_once("\n\n") {
                let event = parse(block)?;
                self.read = rest.to_owned();
                if event.is_some() {
                    return Ok(event);
                }
            }
            let chunk = tokio::time::timeout(PATIENCE, self.response.chunk()).await;
            let Some(chunk) = chunk.context("no chunk arrived in time")?? else { return Ok(None) };
            self.read.push_str(std::str::from_utf8(&chunk)?);
        }
    }

    /// All events until the stream ends.
    ///
    /// # Errors
    /// As [`Stream::next`].
    pub async fn rest(mut self) -> anyhow::Result<Vec<Event>> {
        let mut all = Vec::new();
        while let Some(event) = self.next().await? {
            all.push(event);
        }
        Ok(all)
    }
}

/// `None` for a comment.
fn parse(block: &str) -> anyhow::Result<Option<Event>> {
    let mut event = Event::default();
    for line in block.lines() {
        let (field, value) = line.split_once(':').with_context(|| format!("{line:?} has no field"))?;
        let value = value.trim_start();
        match field {
            "" => {}
            "event" => value.clone_into(&mut event.name),
            "id" => value.clone_into(&mut event.id),
            "data" => event.data = serde_json::from_str(value)?,
            other => bail!("the service sends no field {other:?}"),
        }
    }
    Ok((!event.name.is_empty()).then_some(event))
}
