//! The `sign_up` function: what the user pool calls before a sign-up and after its confirmation. See
//! [`ingress::account::sign_up`] for what is decided; here it is done.
//!
//! Cognito waits at most 5 s for a trigger. A record that cannot be made in time does not fail the confirmation, which
//! has happened: the learner's next sign-in makes it.

use std::{process::ExitCode, time::Duration};

use aws_config::timeout::TimeoutConfig;
use clap::Parser;
use events::runtime::{self, Boot, aws};
use ingress::{
    account::email::RefusedDomains,
    account::sign_up::{Step, Stop, TriggerEvent, step},
    store::users::{User, Users},
};
use jiff::Timestamp;
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde::Deserialize as _;
use serde_json::Value;

/// Longest time to connect to the table.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// Longest time of one attempt at the table.
const ATTEMPT_TIMEOUT: Duration = Duration::from_millis(1_500);

/// Longest time of a call with all its attempts: with a consistent read after it, below the 5 s that Cognito waits.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(2);

/// The triggers of the user pool of Nova English Learning.
#[derive(Clone, Debug, Parser)]
#[command(name = "sign_up", version)]
struct Config {
    /// Users table
    #[arg(long, env = "NOVA_USERS_TABLE")]
    users_table: String,
    /// E-mail domains that cannot sign up, beside the built-in ones, separated by commas; with a minus sign in front one is
    /// taken out
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

/// The event itself is the answer: the pool goes on with what it was about to do.
async fn answer(event: Value, users: &Users, refused: &RefusedDomains) -> Result<Value, Refusal> {
    let read = TriggerEvent::deserialize(&event).map_err(|_| Refusal::Unreadable)?;
    match step(read, refused)? {
        Step::GoOn => {}
        Step::Record(user_id, profile) => {
            let user = User::new(user_id, profile, Timestamp::now());
            let user_id = user.user_id.clone();
            match users.create_if_missing(user).await {
                Ok(_) => tracing::info!(user.id = %user_id, "the learner has a record"),
                Err(error) => {
                    let error = format!("{error:#}");
                    tracing::error!(user.id = %user_id, error, "the learner has no record yet");
                }
            }
        }
    }
    Ok(event)
}

/// Why the pool is not to go on. Its text is what the pool hands to the caller; neither of its forms quotes the event.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error(transparent)]
    Stop(#[from] Stop),
    #[error("the event is not one of a user pool")]
    Unreadable,
}

impl From<Refusal> for Diagnostic {
    fn from(refusal: Refusal) -> Self {
        let error_type = match refusal {
            Refusal::Stop(Stop::Refused(_)) => "EmailRefused",
            Refusal::Stop(Stop::UnknownTrigger(_) | Stop::NoSubject) | Refusal::Unreadable => "WrongEvent",
        };
        Self { error_type: error_type.to_owned(), error_message: refusal.to_string() }
    }
}
