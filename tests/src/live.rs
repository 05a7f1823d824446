//! One ingress in the process of the test: the real server on a loopback port, in front of AWS in memory
//! ([`crate::model`]) and of the Bedrock simulator over TLS and HTTP/2, with learners that have real tokens.
//!
//! The ingress, its sockets, the SDK and the connection to the simulator are real. AWS behind the HTTP client of the SDK is a
//! model, the user pool included.
//!
//! [`block_on`] runs a test in scaled time: tokio's clock stands still while anything is to be done, and otherwise
//! advances at once. So an hour takes as long as its work, and a slow machine is no slow network. A hop from one task
//! to another over a socket takes at most a millisecond of this time. Nothing in it needs real time; with an ordinary
//! runtime [`Live`] works the same way in real time.
//!
//! ```no_run
//! # use infra::client::Script;
//! # use tests::live::{Live, LiveOptions, block_on};
//! block_on(async {
//!     let live = Live::start(LiveOptions::default().with("grace-seconds", 5)).await.unwrap();
//!     let learner = live.learner("learner-1").unwrap();
//!     let conversation = learner.converse(&Script::new("street-market", ["I see a market."])).await.unwrap();
//!     live.app.sessions.ended().await;
//!     assert_eq!(live.completed(conversation.conversation_id).len(), 1);
//!     let journal = live.journal(conversation.conversation_id).await.unwrap();
//!     assert_eq!(journal.turns, conversation.turns);
//!     live.stop().await.unwrap();
//! });
//! ```

mod another_task;
mod environment;

use std::{collections::BTreeMap, net::Ipv4Addr, sync::Arc, time::Duration};

use anyhow::{Context as _, ensure};
use aws_sdk_dynamodb::types::AttributeValue;
use aws_smithy_async::time::SystemTimeSource;
use events::{
    contract::{ConversationId, UserId},
    journal::{Conversation, Journal},
};
use infra::{
    client::Learner,
    local::{Progress, publish_pictures},
    simulator::{Simulator, SimulatorOptions},
};
use ingress::{
    account::{
        auth::{Caller, Roles},
        user_pool::Tokens,
    },
    app::{AppState, bedrock_clients},
    server,
};
use jiff::Timestamp;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    deployment::{AUDIO, CONVERSATIONS, IMAGES, SESSIONS},
    model::{Cloud, FaultModel},
};
pub use another_task::AnotherTask;
use environment::{config, furnish};

/// The name of the ingress in the model of AWS.
pub const INGRESS: &str = "ingress";

/// How long the ingress may take to stop.
const STOP_LIMIT: Duration = Duration::from_secs(110);

/// What is started.
#[derive(Clone, Debug)]
pub struct LiveOptions {
    /// The seed of everything that AWS does by chance.
    pub seed: u64,
    /// How AWS behaves.
    pub fault_model: FaultModel,
    /// The simulator.
    pub simulator: SimulatorOptions,
    /// Options of the ingress by their long names without dashes, see [`LiveOptions::with`].
    pub ingress: BTreeMap<&'static str, String>,
}

/// A running ingress with what is around it.
#[derive(Debug)]
pub struct Live {
    /// AWS, behind the ingress.
    pub cloud: Cloud,
    /// Bedrock's speech model.
    pub simulator: Simulator,
    /// What the handlers of the ingress need.
    pub app: Arc<AppState>,
    url: String,
    http: reqwest::Client,
    shutdown: CancellationToken,
    server: JoinHandle<anyhow::Result<()>>,
    ingress: BTreeMap<&'static str, String>,
    _certificates: tempfile::TempDir,
}

/// Runs `test` in scaled time, on this thread alone.
///
/// # Panics
/// When there is no runtime to be had.
pub fn block_on<F: Future>(test: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    runtime.expect("the machine has a file descriptor left").block_on(async {
        // The clock advances to the next timer whenever all tasks wait, also for what is already in a socket's
        // buffer. With a timer at every millisecond such a hop takes a millisecond, and not until a time limit.
        let metronome = tokio::spawn(async {
            loop {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        });
        let output = test.await;
        metronome.abort();
        output
    })
}

impl Default for LiveOptions {
    /// No faults, and a simulator with room for many.
    fn default() -> Self {
        let mut simulator = SimulatorOptions::default();
        simulator.tuning.streams_max = 1_000;
        Self { seed: 1, fault_model: FaultModel::CALM, simulator, ingress: BTreeMap::new() }
    }
}

impl LiveOptions {
    /// Sets an option of the ingress, by its long name without dashes.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "numbers and words are written where they are used")]
    pub fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.ingress.insert(name, value.to_string());
        self
    }
}

impl Live {
    /// Starts everything. The pictures of the catalogue are published.
    ///
    /// # Errors
    /// A part does not start.
    pub async fn start(options: LiveOptions) -> anyhow::Result<Self> {
        let LiveOptions { seed, fault_model, mut simulator, ingress } = options;
        let certificates = tempfile::tempdir()?;
        simulator.ca_file = Some(certificates.path().join("ca.pem"));
        let simulator = Simulator::start(simulator).await?;
        let cloud = Cloud::new(seed);
        furnish(&cloud);
        let sdk = cloud.sdk_config(INGRESS);
        publish_pictures(&sdk, IMAGES, &Progress::silent()).await?;
        cloud.state().fault_model = fault_model;
        let config = config(&simulator, ingress.clone())?;
        // The simulator verifies signatures with the time of the machine.
        let time = SystemTimeSource::new();
        let bedrock = sdk.to_builder().endpoint_url(simulator.endpoint()).time_source(time).build();
        let bedrock = bedrock_clients(&config, &bedrock)?;
        let shutdown = CancellationToken::new();
        let app = Arc::new(AppState::new(&config, &sdk, bedrock, shutdown.clone())?);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let server = tokio::spawn(server::serve(Arc::clone(&app), listener, shutdown.clone()));
        let http = infra::local::http_client()?;
        Ok(Self { cloud, simulator, app, url, http, shutdown, server, ingress, _certificates: certificates })
    }

    /// Where the ingress answers: `http://127.0.0.1:<port>`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A client for its API, without a proxy.
    #[must_use]
    pub fn http(&self) -> &reqwest::Client {
        &self.http
    }

    /// Adds a picture to the table, with questions for every level.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn publish_picture(
        &self,
        image_id: &str,
        title: &str,
        questions: &[&str],
    ) -> anyhow::Result<()> {
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let questions = AttributeValue::L(questions.iter().copied().map(text).collect());
        let put = aws_sdk_dynamodb::Client::new(&self.cloud.sdk_config("operator")).put_item();
        put.table_name(IMAGES)
            .item("imageId", text(image_id))
            .item("title", text(title))
            .item("description", text("A picture of a test."))
            .item("questions", AttributeValue::M([("B1".to_owned(), questions)].into()))
            .send()
            .await?;
        Ok(())
    }

    /// An access token of `user_id`, in a session of its own.
    ///
    /// # Errors
    /// The id is invalid.
    pub fn token(&self, user_id: &str) -> anyhow::Result<String> {
        self.token_with(user_id, Roles::default())
    }

    /// The same with roles.
    ///
    /// # Errors
    /// The id is invalid.
    pub fn token_with(&self, user_id: &str, roles: Roles) -> anyhow::Result<String> {
        let user_id: UserId = user_id.parse().context("this is no user id")?;
        let caller = Caller { user_id, roles, session_id: Uuid::new_v4() };
        self.begin_session(&caller)?;
        Ok(self.token_at(&caller, Timestamp::now()))
    }

    /// Stores a session of `caller`, whom the user pool knows from now on.
    ///
    /// # Errors
    /// The session cannot be encrypted.
    pub fn begin_session(&self, caller: &Caller) -> anyhow::Result<()> {
        let user_id = caller.user_id.to_string();
        let refresh_token = Uuid::new_v4().to_string();
        let tokens = Tokens {
            user_id: caller.user_id.clone(),
            username: user_id.clone(),
            roles: caller.roles,
            access: String::new().into(),
            id: None,
            refresh: Some(refresh_token.clone().into()),
        };
        let session = self.app.account_sessions.item(caller.session_id, &tokens, Timestamp::now())?;
        let session_id = session.session_id.to_string();
        let number = |number: i64| json!({ "N": number.to_string() });
        let item = json!({
            "userId": { "S": user_id }, "sessionId": { "S": session_id }, "sealed": { "S": session.sealed },
            "generation": number(0), "rotatedAt": number(session.rotated_at.as_millisecond()),
            "steppedUpAt": number(session.rotated_at.as_millisecond()),
            "expiresAt": number(session.expires_at),
        });
        let item = item.as_object().cloned().unwrap_or_default();
        let mut state = self.cloud.state();
        state.cognito.begin_session(&user_id, refresh_token);
        let sessions = state.dynamodb.tables.get_mut(SESSIONS).context("there is no table of sessions")?;
        sessions.items.insert((user_id, session_id), item);
        Ok(())
    }

    /// An access token of `caller` as the ingress issues it at `at`.
    #[must_use]
    pub fn token_at(&self, caller: &Caller, at: Timestamp) -> String {
        self.app.account_sessions.tokens().issue(caller, at).expose_secret().to_owned()
    }

    /// A learner who is signed in as `user_id`.
    ///
    /// # Errors
    /// When the id is none.
    pub fn learner(&self, user_id: &str) -> anyhow::Result<Learner> {
        Learner::signed_in(&self.url, &self.token(user_id)?, self.http.clone())
    }

    /// Asks for a conversation about a picture, as a page does: `{"conversationId", "ticket", "live", …}`.
    ///
    /// # Errors
    /// With status and body of the refusal.
    pub async fn ask(&self, token: &str, image_id: &str) -> anyhow::Result<Value> {
        self.ask_with(token, &json!({ "imageId": image_id })).await
    }

    /// The same with a request of one's own.
    ///
    /// # Errors
    /// With status and body of the refusal.
    pub async fn ask_with(&self, token: &str, request: &Value) -> anyhow::Result<Value> {
        self.post(token, "/api/conversations", request).await
    }

    /// Asks for a ticket to come back with: `{"ticket", "live", …}`.
    ///
    /// # Errors
    /// With status and body of the refusal.
    pub async fn ask_again(&self, token: &str, id: ConversationId) -> anyhow::Result<Value> {
        self.post(token, &format!("/api/conversations/{id}/ticket"), &Value::Null).await
    }

    /// The `conversation.completed` events of a conversation that were put on the bus: the details.
    #[must_use]
    pub fn completed(&self, id: ConversationId) -> Vec<Value> {
        let id = id.to_string();
        let is = |detail: &&Value| {
            detail["schema"] == "conversation.completed" && detail["data"]["conversationId"] == *id
        };
        let state = self.cloud.state();
        state.eventbridge.events.iter().map(|(_, detail)| detail).filter(is).cloned().collect()
    }

    /// What stands in the journal.
    ///
    /// # Errors
    /// When the conversation is not in the journal.
    pub async fn journal(&self, id: ConversationId) -> anyhow::Result<Conversation> {
        let sdk = self.cloud.sdk_config("reader");
        let journal = Journal::reader(aws_sdk_dynamodb::Client::new(&sdk), CONVERSATIONS);
        journal.load(id).await?.with_context(|| format!("{id} is not in the journal"))
    }

    /// The recordings of a conversation: file names and bytes.
    #[must_use]
    pub fn recordings(&self, id: ConversationId) -> BTreeMap<String, Vec<u8>> {
        let part = format!("/{id}/");
        let state = self.cloud.state();
        let objects =
            state.s3.objects.iter().filter(|((bucket, key), _)| bucket == AUDIO && key.contains(&part));
        let name = |key: &str| key.rsplit('/').next().unwrap_or_default().to_owned();
        objects.map(|((_, key), object)| (name(key), object.body.clone())).collect()
    }

    /// Asks the ingress to stop, as SIGTERM does. [`Live::stop`] waits for it.
    pub fn begin_to_stop(&self) {
        self.shutdown.cancel();
    }

    /// Stops the ingress in good order.
    ///
    /// # Errors
    /// When it does not stop in time, or AWS was asked for something that the model does not know.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        self.shutdown.cancel();
        tokio::time::timeout(STOP_LIMIT, &mut self.server)
            .await
            .context("the ingress does not stop")???;
        self.simulator.stop().await;
        let violations = std::mem::take(&mut self.cloud.state().violations);
        ensure!(violations.is_empty(), "{violations:#?}");
        Ok(())
    }

    async fn post(&self, token: &str, path: &str, body: &Value) -> anyhow::Result<Value> {
        let post = self.http.post(format!("{}{path}", self.url)).bearer_auth(token);
        let answer = post.json(body).send().await.with_context(|| format!("{path} is not answered"))?;
        let status = answer.status();
        let body = answer.text().await?;
        ensure!(status.is_success(), "{path} is refused: {status} {body}");
        serde_json::from_str(&body).with_context(|| format!("{path} is not answered with JSON: {body}"))
    }
}
