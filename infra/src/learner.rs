//! A learner who is a program: signs up in the local user pool and talks with the tutor through the live
//! protocol, with real audio that carries its own words ([`crate::simulator::audible`]).
//!
//! The demo, the end-to-end tests and the load tests all use it. It is a client like the web page and knows
//! nothing of the service but its public API.

mod comeback;
pub(crate) mod connection;
pub(crate) mod live;
pub(crate) mod playback;
mod pool;
mod wav;

use std::time::Duration;

use anyhow::{Context as _, bail};
use events::contract::{
    ConversationId, EndReason, FeedbackLanguage, Level, Speaker, Turn, UserId, live::CaptionStage,
};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::simulator::audible::Heard;

pub use pool::UserPool;
pub use wav::read_wav;

/// How long an API call may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(20);

/// How long to wait before a call or an address is tried again.
const RETRY_INTERVAL: Duration = Duration::from_millis(250);

/// A signed-in learner.
#[derive(Clone, Debug)]
pub struct Learner {
    user_id: UserId,
    access_token: String,
    /// Where the ingress answers: the first is tried first.
    addresses: Vec<String>,
    http: reqwest::Client,
}

/// What a learner says, and how.
#[derive(Clone, Debug)]
pub struct Script {
    /// The picture.
    pub image_id: String,
    /// The learner's level; that of the profile without it.
    pub level: Option<Level>,
    /// The learner's IANA time zone; that of the profile without it.
    pub time_zone: Option<String>,
    /// The language of the assessment.
    pub feedback_language: FeedbackLanguage,
    /// What is said, one entry a turn; the tutor answers each.
    pub lines: Vec<Line>,
    /// How many times faster than real time it is spoken and listened to; 1 is a person.
    pub pace: f64,
    /// How long the tutor's answer to a turn may take, from the end of the turn to the end of the answer.
    pub answer_timeout: Duration,
}

/// One turn of the learner.
#[derive(Clone, Debug, PartialEq)]
pub enum Line {
    /// Audible text.
    Text(String),
    /// A recording, 16 kHz mono.
    Recording(Vec<i16>),
}

/// What happens in a conversation, as it happens.
#[derive(Clone, Debug, PartialEq)]
pub enum Moment {
    /// The tutor listens.
    Ready {
        /// The conversation.
        conversation_id: ConversationId,
    },
    /// The model has answered for the first time.
    Model {
        /// Whether it is simulated.
        simulated: bool,
    },
    /// The learner begins to say the line with this index.
    Speaking(usize),
    /// A caption.
    Caption {
        /// Who speaks.
        speaker: Speaker,
        /// Whether the words can still change.
        stage: CaptionStage,
        /// The words.
        text: String,
    },
    /// A turn is in the journal.
    Turn(Turn),
    /// The tutor was interrupted: audio that was not played yet is dropped.
    Flush,
    /// The service lost the model for a moment.
    Reconnecting,
    /// It has it back.
    Resumed,
    /// The connection was lost, or the conversation goes on at another task.
    Moving,
    /// The learner has come back.
    Back,
}

/// What came of a conversation.
#[derive(Clone, Debug)]
pub struct Conversation {
    /// Its id.
    pub conversation_id: ConversationId,
    /// Whether the tutor is simulated.
    pub simulated: bool,
    /// The journalled turns, in the order they were announced.
    pub turns: Vec<Turn>,
    /// The tutor's audio, decoded.
    pub heard: Vec<Heard>,
    /// From the end of each of the learner's turns to the first audio of its answer.
    pub answer_latencies: Vec<Duration>,
    /// Why it ended.
    pub reason: EndReason,
    /// How many turns the service says it had.
    pub turn_count: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StartRequest<'a> {
    image_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    level: Option<Level>,
    #[serde(skip_serializing_if = "Option::is_none")]
    time_zone: Option<&'a str>,
    feedback_language: FeedbackLanguage,
}

/// A conversation that may be held.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Started {
    pub(crate) conversation_id: ConversationId,
    ticket: String,
    live: String,
}

impl Script {
    /// A script of spoken sentences about a picture, in real time. Level and time zone are those of the learner's profile.
    #[must_use]
    pub fn new(image_id: impl Into<String>, lines: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            image_id: image_id.into(),
            level: None,
            time_zone: None,
            feedback_language: FeedbackLanguage::default(),
            lines: lines.into_iter().map(|line| Line::Text(line.into())).collect(),
            pace: 1.0,
            answer_timeout: Duration::from_secs(60),
        }
    }

    /// The same, `pace` times faster than real time.
    #[must_use]
    pub fn at_pace(self, pace: f64) -> Self {
        Self { pace, ..self }
    }
}

impl Learner {
    /// A learner who has signed in elsewhere. `api` is as for [`Learner::sign_up`].
    ///
    /// # Errors
    /// When the token names nobody.
    pub fn signed_in(api: &str, access_token: &str, http: reqwest::Client) -> anyhow::Result<Self> {
        Ok(Self {
            user_id: pool::subject(access_token)?,
            access_token: access_token.to_owned(),
            addresses: vec![api.to_owned()],
            http,
        })
    }

    /// Signs `email` up in the user pool of the local cloud at `cloud_endpoint`, confirms it and signs in. `api` is
    /// where the ingress answers, for example `http://127.0.0.1:3000`.
    ///
    /// # Errors
    /// When the pool refuses, for example because the e-mail is taken.
    pub async fn sign_up(
        cloud_endpoint: &str,
        client_id: &str,
        api: &str,
        email: &str,
    ) -> anyhow::Result<Self> {
        UserPool::new(cloud_endpoint, client_id, api)?.sign_up(email).await
    }

    /// Signs in a learner that has signed up by [`Learner::sign_up`].
    ///
    /// # Errors
    /// When the pool refuses.
    pub async fn sign_in(
        cloud_endpoint: &str,
        client_id: &str,
        api: &str,
        email: &str,
    ) -> anyhow::Result<Self> {
        UserPool::new(cloud_endpoint, client_id, api)?.sign_in(email).await
    }

    /// Who this is for the service: the `sub` of the access token.
    #[must_use]
    pub fn user_id(&self) -> &UserId {
        &self.user_id
    }

    /// The access token, for calls of the API.
    #[must_use]
    pub fn access_token(&self) -> &str {
        &self.access_token
    }

    /// Holds one conversation: says every line of the script, hears every answer out, and ends it.
    ///
    /// # Errors
    /// What went wrong, in one sentence: the service refuses, the tutor does not answer in time, or the connection
    /// is lost.
    pub async fn converse(&self, script: &Script) -> anyhow::Result<Conversation> {
        self.converse_observed(script, |_| {}).await
    }

    /// The same, telling `observer` what happens as it happens.
    ///
    /// # Errors
    /// As [`Learner::converse`].
    pub async fn converse_observed(
        &self,
        script: &Script,
        observer: impl FnMut(&Moment) + Send,
    ) -> anyhow::Result<Conversation> {
        let started = self.start(script).await?;
        let conversation = live::hold(self, &started, script, observer).await;
        conversation.with_context(|| format!("conversation {}", started.conversation_id))
    }

    /// The same learner, who knows one more address of the ingress and goes there when the one before is lost. A load
    /// balancer would do that behind one address.
    #[must_use]
    pub fn also_at(mut self, api: &str) -> Self {
        self.addresses.push(api.to_owned());
        self
    }

    /// The same learner, who knows these addresses of the ingress only.
    #[must_use]
    pub fn at(&self, addresses: &[&str]) -> Self {
        Self { addresses: addresses.iter().map(|&address| address.to_owned()).collect(), ..self.clone() }
    }

    /// Where a started conversation is held, at one of the addresses, with its ticket.
    pub(crate) fn live_url(&self, address: usize, started: &Started) -> String {
        format!("{}{}?ticket={}", self.addresses[address], started.live, started.ticket)
    }

    pub(crate) async fn start(&self, script: &Script) -> anyhow::Result<Started> {
        let request = StartRequest {
            image_id: &script.image_id,
            level: script.level,
            time_zone: script.time_zone.as_deref(),
            feedback_language: script.feedback_language,
        };
        let api = &self.addresses[0];
        let deadline = Instant::now() + CALL_TIMEOUT;
        let answer = loop {
            let post = self.http.post(format!("{api}/api/conversations")).timeout(CALL_TIMEOUT);
            let answer = post.bearer_auth(&self.access_token).json(&request).send().await;
            match answer {
                // Nothing was sent: an ingress that is being restarted does not listen yet.
                Err(error) if error.is_connect() && Instant::now() < deadline => {
                    tokio::time::sleep(RETRY_INTERVAL).await;
                }
                answer => break answer,
            }
        };
        let answer = answer.with_context(|| format!("the ingress at {api} does not answer"))?;
        let status = answer.status();
        let body = answer.text().await.context("the ingress broke off its answer")?;
        if !status.is_success() {
            bail!("the ingress refuses the conversation: {status} {body}");
        }
        serde_json::from_str(&body).context("the ingress answered something else than a conversation")
    }
}
