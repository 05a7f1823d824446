//! Whether an account can call both models: one real call of each, the smallest that there is. Sonic gets a session without audio
//! and Claude a request for one token. The control plane's `GetFoundationModelAvailability` would need another permission and would
//! not show whether the credentials may call a model.

use std::{fmt, time::Duration};

use aws_config::{BehaviorVersion, Region, retry::RetryConfig, timeout::TimeoutConfig};
use aws_credential_types::provider::ProvideCredentials as _;
use aws_sdk_bedrockruntime::{
    Client, Config,
    error::{ProvideErrorMetadata, SdkError},
    types::{
        BidirectionalInputPayloadPart, ContentBlock, ConversationRole, InferenceConfiguration,
        InvokeModelWithBidirectionalStreamInput as Input, Message, TokenUsage,
    },
};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_types::Blob;
use events::runtime::{
    aws::{CONNECT_TIMEOUT, http_client},
    failure::describe,
};
use serde_json::{Value, json};

use super::{AwsBedrock, SONIC_REGIONS};

/// The longest time of a call.
const CALL_TIMEOUT: Duration = Duration::from_secs(20);

/// How long an opened session of Sonic may take to end.
const END_TIMEOUT: Duration = Duration::from_secs(5);

/// Why the models cannot be used, with the ways out.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    #[error("{source_of} has no usable AWS credentials: {reason}{way_out}")]
    NoCredentials { source_of: String, reason: String, way_out: String },
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Refused(Vec<ModelRefusal>),
    #[error(transparent)]
    Setup(#[from] anyhow::Error),
}

/// Why one model cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelRefusal {
    model: Model,
    model_id: String,
    region: String,
    class: Class,
    /// What the service or the connection says.
    reason: String,
    sign_in: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Model {
    Sonic,
    Claude,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    /// The key, its signature or its session.
    Credentials,
    /// The account or the policy does not allow the model.
    Access,
    /// The region does not have the model, or not by this id.
    Model,
    Quota,
    /// Bedrock cannot be reached.
    Connection,
    Service,
}

impl AwsBedrock {
    /// Calls each model once. Returns the cost in millionths of a US dollar.
    ///
    /// # Errors
    /// There are no credentials, or a model cannot be used: what is to be enabled, where, and in which region.
    pub async fn check_access(&self) -> Result<u64, AccessError> {
        if let Err(error) = self.credentials.provide_credentials().await {
            let source_of = self.profile.as_ref().map(|name| format!("the profile {name:?}"));
            let way_out = match &self.sign_in {
                Some(command) => format!("; sign in with `{command}`"),
                None => {
                    "; name a profile with --profile, or make one with `aws configure sso` or `aws login`"
                        .to_owned()
                }
            };
            return Err(AccessError::NoCredentials {
                source_of: source_of.unwrap_or_else(|| "the default chain of the AWS SDK".to_owned()),
                reason: format!("{:#}", anyhow::Error::new(error)),
                way_out,
            });
        }
        let client = self.client()?;
        let (sonic, claude) = tokio::join!(self.call_sonic(&client), self.call_claude(&client));
        match (sonic, claude) {
            (Ok(()), Ok(cost)) => Ok(cost),
            (sonic, claude) => {
                let mut refusals: Vec<ModelRefusal> =
                    [sonic.err(), claude.err()].into_iter().flatten().collect();
                // The same credentials are refused twice for one reason, and so is a connection.
                refusals.dedup_by(|one, other| !one.class.is_of_the_model() && other.class == one.class);
                Err(AccessError::Refused(refusals))
            }
        }
    }

    fn client(&self) -> anyhow::Result<Client> {
        let timeouts =
            TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).operation_timeout(CALL_TIMEOUT).build();
        let config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(self.region.clone()))
            .endpoint_url(&self.endpoint)
            .credentials_provider(self.credentials.clone())
            .http_client(http_client(self.ca_bundle.as_deref())?)
            .timeout_config(timeouts)
            .retry_config(RetryConfig::standard());
        Ok(Client::from_conf(config.build()))
    }

    /// Opens a session and ends it. The response begins only if the caller may use the model.
    async fn call_sonic(&self, client: &Client) -> Result<(), ModelRefusal> {
        let (input, events) = tokio::sync::mpsc::channel(8);
        for event in opening().iter().chain(&closing()) {
            let part = BidirectionalInputPayloadPart::builder().bytes(Blob::new(event.to_string())).build();
            // The channel has room for all of them.
            let _ = input.try_send(Ok(Input::Chunk(part)));
        }
        drop(input);
        let call = client
            .invoke_model_with_bidirectional_stream()
            .model_id(&self.sonic_model_id)
            .body(tokio_stream::wrappers::ReceiverStream::new(events).into());
        let opened = call.send().await;
        let mut output = opened.map_err(|error| self.refusal(Model::Sonic, &error))?.body;
        // Only that the session could be opened counts.
        let end = async { while let Ok(Some(_)) = output.recv().await {} };
        let _ = tokio::time::timeout(END_TIMEOUT, end).await;
        Ok(())
    }

    async fn call_claude(&self, client: &Client) -> Result<u64, ModelRefusal> {
        let message = Message::builder()
            .role(ConversationRole::User)
            .content(ContentBlock::Text("Hi".to_owned()))
            .build()
            .expect("a message with a role and a content is complete");
        let call = client
            .converse()
            .model_id(&self.analysis_model_id)
            .messages(message)
            .inference_config(InferenceConfiguration::builder().max_tokens(1).build());
        let response = call.send().await.map_err(|error| self.refusal(Model::Claude, &error))?;
        let tokens = |count: fn(&TokenUsage) -> i32| {
            response.usage().map_or(0, |usage| u64::try_from(count(usage)).unwrap_or(0))
        };
        let prices = Self::assessment_prices();
        Ok(prices.cost(tokens(TokenUsage::input_tokens), tokens(TokenUsage::output_tokens)).usd_micros)
    }

    fn refusal<E>(&self, model: Model, error: &SdkError<E, HttpResponse>) -> ModelRefusal
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let class = match error {
            SdkError::ServiceError(error) => class_of(error.err().code().unwrap_or_default()),
            SdkError::DispatchFailure(_) | SdkError::TimeoutError(_) => Class::Connection,
            SdkError::ConstructionFailure(_) => Class::Credentials,
            SdkError::ResponseError(_) | _ => Class::Service,
        };
        ModelRefusal {
            model,
            model_id: match model {
                Model::Sonic => self.sonic_model_id.clone(),
                Model::Claude => self.analysis_model_id.clone(),
            },
            region: self.region.clone(),
            class,
            reason: describe(error).to_string(),
            sign_in: self.sign_in.clone(),
        }
    }
}

impl Class {
    /// Whether the other model may be usable.
    fn is_of_the_model(self) -> bool {
        !matches!(self, Self::Credentials | Self::Connection)
    }
}

/// Sources: Bedrock API reference, `InvokeModelWithBidirectionalStream` and `Converse`; common errors of AWS.
fn class_of(code: &str) -> Class {
    match code {
        "AccessDeniedException" => Class::Access,
        "UnrecognizedClientException"
        | "InvalidSignatureException"
        | "ExpiredTokenException"
        | "InvalidClientTokenId"
        | "IncompleteSignature"
        | "IncompleteSignatureException"
        | "MissingAuthenticationToken"
        | "MissingAuthenticationTokenException" => Class::Credentials,
        "ResourceNotFoundException" | "ValidationException" => Class::Model,
        "ThrottlingException" | "ServiceQuotaExceededException" => Class::Quota,
        _ => Class::Service,
    }
}

impl fmt::Display for ModelRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { model, model_id, region, class, reason, sign_in } = self;
        let name = match model {
            Model::Sonic => "Sonic",
            Model::Claude => "Claude",
        };
        if *class == Class::Credentials {
            write!(f, "Amazon Bedrock in {region} refuses the credentials ({reason}). ")?;
            return match sign_in {
                Some(command) => write!(f, "Sign in again with `{command}`."),
                None => f.write_str("Check the keys of the profile; expired ones must be renewed."),
            };
        }
        if *class == Class::Connection {
            let regions = SONIC_REGIONS.join(", ");
            return write!(
                f,
                "Amazon Bedrock in {region} cannot be reached ({reason}). Check the connection and the name of the region. Sonic is \
                 in {regions}."
            );
        }
        write!(f, "{name} ({model_id}) cannot be used in {region} ({reason}). ")?;
        match class {
            Class::Access => f.write_str(access_advice(*model)),
            Class::Model => write!(f, "{}", model_advice(*model, region)),
            Class::Quota => f.write_str(
                "The account has no quota left for it, or none yet: see Service Quotas, Amazon Bedrock, in this region.",
            ),
            Class::Service | Class::Credentials | Class::Connection => f.write_str("Try again later."),
        }
    }
}

/// What is to be enabled. Source: Amazon Bedrock user guide, "Access Amazon Bedrock foundation models".
fn access_advice(model: Model) -> &'static str {
    match model {
        Model::Sonic => {
            "Allow bedrock:InvokeModel and bedrock:InvokeModelWithBidirectionalStream for this model in the IAM policy of the \
             profile, and look for a service control policy of the organization that denies it in this region."
        }
        Model::Claude => {
            "Allow bedrock:InvokeModel for the inference profile and its model in the IAM policy of the profile. The first use \
             in an account also needs aws-marketplace:Subscribe and aws-marketplace:ViewSubscriptions, and the use case \
             details of Anthropic: Amazon Bedrock console, Model catalog, a Claude model, Submit use case details. It takes up \
             to 15 minutes."
        }
    }
}

fn model_advice(model: Model, region: &str) -> String {
    match model {
        Model::Sonic if SONIC_REGIONS.contains(&region) => {
            "The region should have it: see Amazon Bedrock console, Model catalog, in this region.".to_owned()
        }
        Model::Sonic => format!(
            "The region does not have Sonic. As of November 2026 it is in {}: choose one with --region.",
            SONIC_REGIONS.join(", ")
        ),
        Model::Claude => {
            "Submit the use case details of Anthropic once (Amazon Bedrock console, Model catalog, a Claude model), and see there \
             whether the region has the inference profile."
                .to_owned()
        }
    }
}

const PROMPT: &str = "access";

fn opening() -> [Value; 2] {
    [
        json!({ "event": { "sessionStart": {
            "inferenceConfiguration": { "maxTokens": 16, "topP": 0.9, "temperature": 0.7 },
        } } }),
        json!({ "event": { "promptStart": {
            "promptName": PROMPT,
            "textOutputConfiguration": { "mediaType": "text/plain" },
            "audioOutputConfiguration": {
                "mediaType": "audio/lpcm", "sampleRateHertz": 16_000, "sampleSizeBits": 16, "channelCount": 1,
                "voiceId": "tiffany", "encoding": "base64", "audioType": "SPEECH",
            },
        } } }),
    ]
}

fn closing() -> [Value; 2] {
    [json!({ "event": { "promptEnd": { "promptName": PROMPT } } }), json!({ "event": { "sessionEnd": {} } })]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(model: Model, code: &str, region: &str, sign_in: Option<&str>) -> String {
        let refusal = ModelRefusal {
            model,
            model_id: "a-model".to_owned(),
            region: region.to_owned(),
            class: class_of(code),
            reason: format!("{code}: no"),
            sign_in: sign_in.map(str::to_owned),
        };
        refusal.to_string()
    }

    #[test]
    fn refusal_says_what_to_enable_where_and_in_which_region() {
        let sonic = shown(Model::Sonic, "AccessDeniedException", "us-east-1", None);
        for part in ["Sonic (a-model)", "us-east-1", "bedrock:InvokeModelWithBidirectionalStream"] {
            assert!(sonic.contains(part), "{sonic}");
        }
        let claude = shown(Model::Claude, "AccessDeniedException", "us-east-1", None);
        for part in ["aws-marketplace:Subscribe", "Model catalog", "use case details"] {
            assert!(claude.contains(part), "{claude}");
        }
        let elsewhere = shown(Model::Sonic, "ValidationException", "eu-central-1", None);
        for region in SONIC_REGIONS {
            assert!(elsewhere.contains(region), "{elsewhere}");
        }
        assert!(!shown(Model::Sonic, "ValidationException", "us-east-1", None).contains("eu-north-1"));
        assert!(shown(Model::Claude, "ThrottlingException", "us-east-1", None).contains("Service Quotas"));
    }

    #[test]
    fn refused_credentials_are_renewed_by_the_command_of_their_profile() {
        let command = "aws sso login --profile work";
        let error = shown(Model::Sonic, "ExpiredTokenException", "us-east-1", Some(command));
        assert!(error.contains(command) && error.contains("refuses the credentials"), "{error}");
        let error = shown(Model::Claude, "InvalidSignatureException", "us-east-1", None);
        assert!(error.contains("Check the keys"), "{error}");
    }
}
