//! The local cloud and everything that runs on it: for `cargo run`, for the demo and for the tests.
//!
//! [`Stack::start`] is the whole system; [`Cloud`], [`deploy()`] and [`CredentialServer`] are its parts, for tests
//! that need less. Nothing in here is reachable from the service's own binaries: they are started as separate
//! processes that know only the environment variables of their `--help`.
//!
//! ```no_run
//! # async fn example() -> anyhow::Result<()> {
//! use events::workers::Worker;
//! use infra::{
//!     client::{Script, Accounts},
//!     local::{Instance, Progress, Service, Stack, StackOptions, build},
//! };
//!
//! let binaries = build(&Progress::silent()).await?;
//! let stack = Stack::start(StackOptions::new("/tmp/nova-test".into(), binaries)).await?;
//! let outputs = stack.outputs();
//! let learner = Accounts::new(stack.url())?.sign_up("one@nova.example").await?;
//! let conversation = learner.converse(&Script::new("street-market", ["I can see a stall."]).at_pace(8.0)).await?;
//! stack.kill(Instance { service: Worker::Progress.into(), copy: 0 }).await?;
//! stack.restart(Instance { service: Worker::Progress.into(), copy: 0 }).await?;
//! let transcript = stack.cloud().s3().get_object().bucket(&outputs.logs_bucket);
//! # drop((conversation, transcript));
//! # Ok(())
//! # }
//! ```
//!
//! Everything started in here lives in one process group ([`ProcessGroup`]) and dies with the process that
//! started it, however that process ends.

mod alarms;
mod apply_properties;
mod bedrock;
mod binaries;
mod bom;
mod cloud;
mod credentials;
mod debian;
mod deploy;
mod function;
mod group;
mod image;
mod net;
mod outputs;
mod page;
mod process;
mod python;
mod redis;
mod run_file;
mod sdk;
mod service;
mod speech_model;
mod stack;
mod tool;
mod unsupported_properties;

pub use crate::{
    pictures::{Picture, catalogue, publish_pictures},
    progress::{Progress, Step},
};
pub use bedrock::{AccessError, AwsBedrock, CALLERS as BEDROCK_CALLERS};
pub use binaries::{Binaries, build, cargo, workspace};
pub use cloud::{Cloud, CloudOptions};
pub use credentials::CredentialServer;
pub use debian::install_chromium;
pub use deploy::deploy;
pub use function::sign_up_function;
pub use group::ProcessGroup;
pub use image::container_image;
pub(crate) use net::await_listening;
pub use net::{free_port, http_client, is_free};
pub use outputs::{Outputs, Queue};
pub use page::{build_page, install_packages, npm};
pub use process::{Process, ProcessExitError};
pub use redis::RedisServer;
pub use run_file::{CredentialSource, RunFile, SimulatorAccess};
pub use sdk::{ACCOUNT, REGION, root_s3_client, root_sdk_config};
pub(crate) use service::CONFIRMATION_CODE;
pub use service::Service;
pub use speech_model::{SpeechModelName, SpeechModelOptions};
pub use stack::{Change, Instance, Part, Stack, StackOptions, SupervisionError};
pub use tool::{PythonTool, api_tester, cfn_lint, ministack, second_voice, speech};
