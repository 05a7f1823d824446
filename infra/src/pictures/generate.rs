//! Photographs, made by a model of Amazon Bedrock, in place of illustrations.
//!
//! One picture after another: what was made is published at once, so a run that was stopped goes on where it was.

use std::time::Duration;

use anyhow::anyhow;
use aws_config::SdkConfig;
use aws_sdk_bedrockruntime::{
    Client, config::retry::RetryConfig, config::timeout::TimeoutConfig, error::ProvideErrorMetadata as _,
    operation::invoke_model::InvokeModelError, primitives::Blob,
};
use events::runtime::{
    failure::{Failure, FailureKind, describe},
    retry::{Retry, RetryPolicy, retry},
};
use tokio::time::Instant;

use super::{
    Picture,
    gallery::{Gallery, Image, Source, text},
    photograph::{ImageModel, Made, NotMade, Quality, is_filtered},
};

/// How long a model may take for one photograph.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(120);

/// Calls that failed for a passing reason are made again by this policy; the SDK makes none again.
const POLICY: RetryPolicy =
    RetryPolicy { base: Duration::from_secs(2), cap: Duration::from_secs(30), attempts_max: 8 };

/// No attempt for a photograph begins later than this after the first.
const RETRY_LIMIT: Duration = Duration::from_secs(240);

/// What the service says of a model that nobody can use, whatever the picture: parts of the messages of
/// `ResourceNotFoundException` and `ValidationException`.
const MODEL_GONE: [&str; 4] =
    ["end of its life", "model identifier", "on-demand throughput", "is not supported"];

/// A model and the way to it.
#[derive(Clone, Debug)]
pub struct Photographer {
    bedrock: Client,
    model: ImageModel,
    quality: Quality,
    policy: RetryPolicy,
}

/// What came of one picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// The photograph is published.
    Published {
        /// Its length in bytes.
        bytes: usize,
        /// Whether it is a simulated one.
        simulated: bool,
    },
    /// There is none, and why; others may succeed.
    NotMade(NotMade),
}

impl Photographer {
    /// Asks `model` through Bedrock as `sdk` reaches it.
    #[must_use]
    pub fn new(sdk: &SdkConfig, model: ImageModel, quality: Quality) -> Self {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(events::runtime::aws::CONNECT_TIMEOUT)
            .operation_attempt_timeout(ATTEMPT_TIMEOUT)
            .build();
        let config = aws_sdk_bedrockruntime::config::Builder::from(sdk)
            .timeout_config(timeouts)
            .retry_config(RetryConfig::disabled())
            .build();
        Self { bedrock: Client::from_conf(config), model, quality, policy: POLICY }
    }

    /// The same with another policy of retries.
    #[must_use]
    pub fn with_policy(self, policy: RetryPolicy) -> Self {
        Self { policy, ..self }
    }

    /// The model.
    #[must_use]
    pub fn model(&self) -> &ImageModel {
        &self.model
    }

    /// Those of `pictures` that have no photograph of this model and of what their descriptions say.
    ///
    /// # Errors
    /// The gallery cannot be read.
    pub async fn missing(&self, gallery: &Gallery, pictures: Vec<Picture>) -> anyhow::Result<Vec<Picture>> {
        let mut missing = Vec::new();
        for picture in pictures {
            let item = gallery.item(&picture.image_id).await?;
            let there = match &item {
                Some(item) if text(item, "imageSource") == Some(self.model.id.as_str()) => {
                    gallery.has_photograph(&picture, item).await?
                }
                _ => false,
            };
            if !there {
                missing.push(picture);
            }
        }
        Ok(missing)
    }

    /// Has a photograph of `picture` made and publishes it.
    ///
    /// # Errors
    /// What keeps every other picture from being made or published too: the model cannot be used, the service does not
    /// answer, the gallery cannot be written.
    pub async fn take(&self, gallery: &Gallery, picture: &Picture, seed: u32) -> anyhow::Result<Taken> {
        let made = match self.ask(picture, seed).await? {
            Ok(made) => made,
            Err(not_made) => return Ok(Taken::NotMade(not_made)),
        };
        let Made { png, simulated } = made;
        let bytes = png.len();
        let source = Source::Photograph {
            model: self.model.id.clone(),
            prompt_sha256: self.model.prompt_sha256(picture),
            simulated,
        };
        let before = gallery.item(&picture.image_id).await?;
        gallery.put(picture, Some(Image { png: png.into(), source }), before.as_ref()).await?;
        Ok(Taken::Published { bytes, simulated })
    }

    async fn ask(&self, picture: &Picture, seed: u32) -> anyhow::Result<Result<Made, NotMade>> {
        let body = self.model.request(picture, self.quality, seed).to_string();
        let answer = retry(self.policy, Instant::now() + RETRY_LIMIT, || async {
            let call = self.bedrock.invoke_model().model_id(&self.model.id).body(Blob::new(body.as_bytes()));
            let call = call.content_type("application/json").accept("application/json");
            call.send().await.map_err(|error| self.judge(error))
        });
        match answer.await {
            Ok(answer) => Ok(self.model.answer(answer.body.as_ref())),
            Err(Failed::Picture(not_made)) => Ok(Err(not_made)),
            Err(Failed::All(error)) => Err(error),
        }
    }

    /// Whether another attempt, or another picture, may succeed after `error`.
    fn judge(&self, error: SdkError) -> Retry<Failed> {
        let id = &self.model.id;
        let message = error.message().unwrap_or_default();
        if is_filtered(message) {
            return Retry::Permanent(Failed::Picture(NotMade::Filtered(message.to_owned())));
        }
        let said = describe(&error);
        if MODEL_GONE.iter().any(|part| message.contains(part)) {
            let hint = format!(
                "the model {id} cannot be used any more, or not like this; choose another one with --model"
            );
            return Retry::Permanent(Failed::All(said.context(hint)));
        }
        let unusable = || anyhow!("{said:#}").context(format!("the model {id} made no photograph"));
        match Failure::aws(error).kind() {
            FailureKind::Reject { .. } => {
                Retry::Permanent(Failed::Picture(NotMade::Unusable(format!("{said:#}"))))
            }
            FailureKind::Retry { after }
            | FailureKind::Throttled { after }
            | FailureKind::Unavailable { after } => {
                Retry::Transient { error: Failed::All(unusable()), after: *after }
            }
            FailureKind::Environment | FailureKind::Park | FailureKind::Busy { .. } => {
                Retry::Permanent(Failed::All(unusable()))
            }
        }
    }
}

type SdkError = aws_sdk_bedrockruntime::error::SdkError<
    InvokeModelError,
    aws_sdk_bedrockruntime::config::http::HttpResponse,
>;

/// What failed.
#[derive(Debug)]
enum Failed {
    /// This picture.
    Picture(NotMade),
    /// Every picture.
    All(anyhow::Error),
}
