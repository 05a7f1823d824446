//! The `sign_up` Lambda function, which the user pool calls before a sign-up and after its confirmation. It carries out the
//! decisions of [`ingress::account::sign_up`].
//!
//! Cognito waits at most 5 s for a trigger. A failure to create the record does not fail the confirmation, which has already
//! happened: the learner's next sign-in creates it.

use std::{process::ExitCode, time::Duration};

use aws_config::timeout::TimeoutConfig;
use clap::Parser;
use events::runtime::{self, Boot, aws};
use ingress::{
    account::email::RefusedDomains,
    account::sign_up::{TriggerAction, TriggerError, TriggerEvent, decide},
    store::users::{User, Users},
};
use jiff::Timestamp;
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde::Deserialize as _;
use serde_json::Value;

/// Timeout of a connection to DynamoDB.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

const ATTEMPT_TIMEOUT: Duration = Duration::from_millis(1_500);

/// Timeout of a call with all its attempts: two calls stay below the 5 s that Cognito waits.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(2);

/// The triggers of the user pool of Nova English Learning.
#[derive(Clone, Debug, Parser)]
#[command(name = "sign_up", version)]
struct Config {
    /// Users table
    #[arg(long, env = "NOVA_USERS_TABLE")]
    users_table: String,
    /// E-mail domains that cannot sign up, besides the built-in ones, separated by commas; a leading minus sign removes one
    /// from the built-in list
    #[arg(long, env = "NOVA_REFUSED_EMAIL_DOMAINS", default_value = "")]
    refused_email_domains: RefusedDomains,
}

fn main() -> ExitCode {
    runtime::main("sign_up", run)
}

async fn run(boot: Boot<Config>) -> anyhow::Result<()> {
    let Config { users_table, refused_email_domains } = boot.config;
    let sdk = aws::sdk_config().await?;
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .operation_timeout(OPERATION_TIMEOUT)
        .build();
    let dynamodb = aws_sdk_dynamodb::config::Builder::from(&sdk).timeout_config(timeouts).build();
    let users = Users::new(aws_sdk_dynamodb::Client::from_conf(dynamodb), users_table);
    let (users, refused) = (&users, &refused_email_domains);
    let serving =
        lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| answer(event.payload, users, refused)));
    tokio::select! {
        served = serving => served.map_err(|error| anyhow::anyhow!("the runtime failed: {error}")),
        () = boot.shutdown.cancelled() => Ok(()),
    }
}

/// Returns the event itself, which lets the pool continue.
async fn answer(event: Value, users: &Users, refused: &RefusedDomains) -> Result<Value, FunctionError> {
    let read = TriggerEvent::deserialize(&event).map_err(|_| FunctionError::Unreadable)?;
    match decide(read, refused)? {
        TriggerAction::Continue => {}
        TriggerAction::CreateRecord(user_id, profile) => {
            let user = User::new(user_id, profile, Timestamp::now());
            let user_id = user.user_id.clone();
            match users.create_if_missing(user).await {
                Ok(_) => tracing::info!(user.id = %user_id, "created the learner's record"),
                Err(error) => {
                    let error = format!("{error:#}");
                    tracing::error!(user.id = %user_id, error, "failed to create the learner's record; the next sign-in creates it");
                }
            }
        }
    }
    Ok(event)
}

/// Why the function fails. The pool passes the text on to its caller, so it does not quote the event.
#[derive(Debug, thiserror::Error)]
enum FunctionError {
    #[error(transparent)]
    Trigger(#[from] TriggerError),
    #[error("the event is not a trigger event of a user pool")]
    Unreadable,
}

impl From<FunctionError> for Diagnostic {
    fn from(error: FunctionError) -> Self {
        let error_type = match error {
            FunctionError::Trigger(TriggerError::Email(_)) => "EmailRefused",
            FunctionError::Trigger(TriggerError::UnknownTrigger(_) | TriggerError::NoSubject)
            | FunctionError::Unreadable => "WrongEvent",
        };
        Self { error_type: error_type.to_owned(), error_message: error.to_string() }
    }
}
