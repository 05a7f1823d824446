//! The real binaries with the models of an AWS account: a second simulator at another endpoint, which verifies signatures with its own
//! key. The key comes from a profile with a `credential_process`, expires, and is replaced in the middle of the run.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::fs::PermissionsExt as _,
    time::Duration,
};

use anyhow::{Context as _, ensure};
use aws_config::{profile::ProfileFileCredentialsProvider, provider_config::ProviderConfig};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_runtime::env_config::file::{EnvConfigFileKind, EnvConfigFiles};
use events::{contract::EndReason, runtime::aws, spending::ReachedLimit, workers::Worker};
use infra::{
    client::Script,
    local::{AwsBedrock, BEDROCK_CALLERS, Instance, Service, http_client},
    simulator::{Simulator, SimulatorOptions},
};
use jiff::Timestamp;
use tempfile::TempDir;
use tests::system::{Delivery, System, await_some};

use crate::{beside_others, conversations, ops::Ops};

/// How many times faster than people the learner speaks whose conversations are complete.
const PACE: f64 = 4.0;

/// Seconds for which a key is valid when it is handed out. The SDK renews one with less than 10 s left.
const KEY_SECONDS: u32 = 13;

/// The time after which no process uses a key that was replaced.
const RENEWED_WITHIN: Duration = Duration::from_secs(4);

/// How long an effect may take: two counts of the meter.
const WITHIN: Duration = Duration::from_secs(75);

/// The AWS variables that a process of the stack has.
const AWS_VARIABLES: [&str; 9] = [
    "AWS_CONFIG_FILE",
    "AWS_CA_BUNDLE",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_EC2_METADATA_DISABLED",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_BEDROCK_RUNTIME",
    "AWS_REGION",
    "AWS_SHARED_CREDENTIALS_FILE",
];

/// An account whose key is replaced.
struct Account {
    folder: TempDir,
    simulator: Simulator,
}

impl Account {
    async fn start() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let path = |name: &str| folder.path().join(name);
        fs::write(path("keys"), "")?;
        let script = format!(
            "#!/bin/sh\n. {key}\n\
             expires=$(date -u -d '+{KEY_SECONDS} seconds' +%Y-%m-%dT%H:%M:%SZ 2>/dev/null || date -u -v+{KEY_SECONDS}S +%Y-%m-%dT%H:%M:%SZ)\n\
             printf '{{\"Version\":1,\"AccessKeyId\":\"%s\",\"SecretAccessKey\":\"%s\",\"SessionToken\":\"s\",\"Expiration\":\"%s\"}}' \"$ID\" \"$SECRET\" \"$expires\"\n",
            key = path("key").display()
        );
        fs::write(path("process.sh"), script)?;
        fs::set_permissions(path("process.sh"), fs::Permissions::from_mode(0o700))?;
        let config = format!("[profile account]\ncredential_process = {}\n", path("process.sh").display());
        fs::write(path("config"), config)?;
        let mut options = SimulatorOptions {
            ca_file: Some(path("ca.pem")),
            verify_signatures: Some(path("keys")),
            ..SimulatorOptions::default()
        };
        options.tuning.pace = 8.0;
        let account = Self { simulator: Simulator::start(options).await?, folder };
        account.replace_key("FIRST")?;
        Ok(account)
    }

    /// From now on the account knows this key only.
    fn replace_key(&self, name: &str) -> anyhow::Result<()> {
        let path = |name: &str| self.folder.path().join(name);
        fs::write(path("key"), format!("ID=AKID{name}\nSECRET=secret-of-{name}\n"))?;
        fs::write(path("keys"), format!("AKID{name}=secret-of-{name}\n"))?;
        Ok(())
    }

    /// While the `credential_process` fails, the endpoint has no credentials, and it has them again afterwards.
    async fn check_outage(
        &self,
        environments: &BTreeMap<Service, BTreeMap<String, String>>,
    ) -> anyhow::Result<()> {
        let ingress = environments.get(&Service::Ingress).context("there is an ingress")?;
        let variable = |name: &str| ingress.get(name).cloned().with_context(|| format!("no {name}"));
        let (uri, token) =
            (variable("NOVA_BEDROCK_CREDENTIALS_URI")?, variable("NOVA_BEDROCK_CREDENTIALS_TOKEN")?);
        let http = http_client()?;
        let ask = async || -> anyhow::Result<u16> {
            Ok(http.get(&uri).header("authorization", &token).send().await?.status().as_u16())
        };
        fs::remove_file(self.folder.path().join("key"))?;
        ensure!(ask().await? == 502);
        self.replace_key("THIRD")?;
        ensure!(ask().await? == 200);
        Ok(())
    }

    fn bedrock(&self, limit_usd_micros: u64) -> anyhow::Result<AwsBedrock> {
        let file = self.folder.path().join("config");
        let files = EnvConfigFiles::builder().with_file(EnvConfigFileKind::Config, file).build();
        let provider = ProfileFileCredentialsProvider::builder()
            .configure(&ProviderConfig::without_region().with_http_client(aws::http_client(None)?))
            .profile_files(files)
            .profile_name("account");
        Ok(AwsBedrock {
            profile: Some("account".to_owned()),
            region: "eu-north-1".to_owned(),
            endpoint: self.simulator.endpoint(),
            ca_bundle: Some(self.simulator.ca_file().to_owned()),
            credentials: SharedCredentialsProvider::new(provider.build()),
            sign_in: None,
            sonic_model_id: "amazon.nova-2-sonic-v1:0".to_owned(),
            analysis_model_id: "eu.anthropic.claude-haiku-4-5-20251001-v1:0".to_owned(),
            limit_usd_micros,
        })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn models_of_an_account_serve_a_local_stack_until_the_limit_of_the_run() -> anyhow::Result<()> {
    let _place = beside_others().await;
    let account = Account::start().await?;
    let bedrock = account.bedrock(5_000_000)?;
    ensure!(bedrock.check_access().await? > 0, "the check of Claude costs a little");
    let system =
        System::start_with("bedrock", Delivery::Once, |options| options.bedrock = Some(bedrock)).await?;
    let environments = check_environments(&system).await?;
    check_endpoint(&environments).await?;

    let learners = conversations::learners(&system, 2).await?;
    let [one, other] = learners.as_slice() else { anyhow::bail!("there are two learners") };
    // It talks all the time, until the limit ends it.
    let sentences = (0..60).map(|n| format!("I see {n} people on the bridge."));
    let long = Script::new("family-kitchen", sentences);
    let endless = other.converse(&long);
    let rest = async {
        complete(&system, one, 1).await?;
        account.replace_key("SECOND")?;
        tokio::time::sleep(RENEWED_WITHIN).await;
        complete(&system, one, 2).await?;
        let (spending, now) = (system.stack.spending(), Timestamp::now());
        ensure!(spending.reached(now).await?.is_none());
        spending.set_run_limit(1, now).await?;
        anyhow::Ok(())
    };
    let (ended, rest) = tokio::join!(endless, rest);
    rest?;
    let ended = format!("{:#}", ended.err().context("the limit ends the conversation")?);
    ensure!(ended.contains("SpendingLimit"), "{ended}");
    check_limit(&system, one).await?;
    account.check_outage(&environments).await?;
    system.stop().await
}

/// A conversation gets its assessment, the `count`th of all.
async fn complete(system: &System, learner: &infra::client::Learner, count: usize) -> anyhow::Result<()> {
    let script = conversations::script_of(count, 1).at_pace(PACE);
    let conversation = learner.converse(&script).await?;
    ensure!(conversation.reason == EndReason::Learner, "{:?}", conversation.reason);
    await_assessments(system, count).await
}

async fn await_assessments(system: &System, count: usize) -> anyhow::Result<()> {
    await_some("the conversations are assessed", WITHIN, async || {
        let assessments = system.results.analyses().await?.len();
        Ok(if assessments == count { Ok(()) } else { Err(format!("{assessments} assessments")) })
    })
    .await
}

/// New conversations are refused, and the assessment of the one that was ended waits until the limit is raised.
async fn check_limit(system: &System, learner: &infra::client::Learner) -> anyhow::Result<()> {
    let (spending, now) = (system.stack.spending(), Timestamp::now());
    ensure!(spending.reached(now).await? == Some(ReachedLimit::Run));
    let refused = learner.converse(&conversations::script_of(3, 1)).await.err();
    let refused = format!("{:#}", refused.context("a conversation beyond the limit")?);
    ensure!(refused.contains("spending_limit_reached"), "{refused}");
    let analysis = Instance { service: Worker::Analysis.into(), copy: 0 };
    let log = system.stack.process(analysis).await?.log().to_owned();
    await_some("the assessment waits", WITHIN, async || {
        let waits = fs::read_to_string(&log)?.contains("the assessment waits for a higher spending limit");
        Ok(if waits { Ok(()) } else { Err("no such line in the log".to_owned()) })
    })
    .await?;
    let waiting = system.depth(&system.stack.outputs().queue(Worker::Analysis)?.url).await?;
    // At least once: the watchdog may have published the end, too.
    ensure!(system.results.analyses().await?.len() == 2 && waiting > 0, "{waiting} assessments wait");
    let ops = Ops::of(system)?;
    let before = ops.json(&["limit"]).await?;
    ensure!(before["run"]["limitUsdMicros"] == 1 && before["limitUsdMicros"].is_null(), "{before}");
    let planned = ops.json(&["limit", "--set-run", "50"]).await?;
    ensure!(planned["run"]["limitUsdMicros"] == 1, "nothing changes without --apply: {planned}");
    let applied = ops.json(&["limit", "--set-run", "50", "--apply"]).await?;
    ensure!(applied["run"]["limitUsdMicros"] == 50_000_000, "{applied}");
    await_assessments(system, 3).await?;
    system.check_no_dead_letters().await
}

/// The environment of each process: none has a key of the account, and only those that call Bedrock can ask for one.
async fn check_environments(system: &System) -> anyhow::Result<BTreeMap<Service, BTreeMap<String, String>>> {
    // What this process has must not reach them.
    let ours = "CARGO_MANIFEST_DIR";
    ensure!(std::env::var_os(ours).is_some(), "the tests run by cargo");
    let cloud = fs::read_to_string(format!("/proc/{}/environ", system.stack.cloud().process().id()))?;
    ensure!(!cloud.contains("AKID") && !cloud.contains("NOVA_BEDROCK_") && !cloud.contains(ours));
    let mut all = BTreeMap::new();
    for instance in system.stack.instances() {
        let process = system.stack.process(instance).await?;
        let environ = fs::read_to_string(format!("/proc/{}/environ", process.id()))?;
        ensure!(!environ.contains("AKID") && !environ.contains("secret-of-"), "{instance}");
        let variables: BTreeMap<String, String> = environ
            .split_terminator('\0')
            .filter_map(|pair| pair.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let is_caller = BEDROCK_CALLERS.contains(&instance.service);
        let aws: BTreeSet<&str> =
            variables.keys().map(String::as_str).filter(|name| name.starts_with("AWS_")).collect();
        ensure!(aws.is_subset(&AWS_VARIABLES.into()), "{instance}: {aws:?}");
        ensure!(aws.contains("AWS_ENDPOINT_URL_BEDROCK_RUNTIME") == is_caller, "{instance}");
        let names = variables.keys().filter(|name| name.starts_with("NOVA_BEDROCK_"));
        ensure!(names.count() == if is_caller { 3 } else { 0 }, "{instance}");
        let unwanted = ["NOVA_MODELS_SIMULATED", ours].map(|name| variables.contains_key(name));
        ensure!(unwanted == [false; 2], "{instance}");
        all.insert(instance.service, variables);
    }
    Ok(all)
}

/// The endpoint gives the account's key for the token of the process that it is for, and for no other.
async fn check_endpoint(environments: &BTreeMap<Service, BTreeMap<String, String>>) -> anyhow::Result<()> {
    let variable = |service: Service, name: &str| -> anyhow::Result<String> {
        let value = environments.get(&service).and_then(|variables| variables.get(name));
        value.cloned().with_context(|| format!("{service} has no {name}"))
    };
    let http = http_client()?;
    let ask = async |uri: &str, token: &str| -> anyhow::Result<(u16, String)> {
        let response = http.get(uri).header("authorization", token).send().await?;
        Ok((response.status().as_u16(), response.text().await?))
    };
    for caller in BEDROCK_CALLERS {
        let uri = variable(caller, "NOVA_BEDROCK_CREDENTIALS_URI")?;
        let own = variable(caller, "NOVA_BEDROCK_CREDENTIALS_TOKEN")?;
        let (status, body) = ask(&uri, &own).await?;
        ensure!(status == 200 && body.contains("AKIDFIRST"), "{status}");
        let mut others = vec![String::new(), "wrong".to_owned()];
        for service in environments.keys() {
            others.push(variable(*service, "AWS_CONTAINER_AUTHORIZATION_TOKEN")?);
        }
        for other in BEDROCK_CALLERS.into_iter().filter(|other| *other != caller) {
            others.push(variable(other, "NOVA_BEDROCK_CREDENTIALS_TOKEN")?);
        }
        for token in others {
            let (status, body) = ask(&uri, &token).await?;
            ensure!(status == 401 && body.is_empty(), "{caller}: {status}");
        }
        let elsewhere = uri.replace(caller.name(), Worker::Progress.name());
        ensure!(ask(&elsewhere, &own).await?.0 == 401);
        let local = variable(caller, "AWS_CONTAINER_CREDENTIALS_FULL_URI")?;
        ensure!(ask(&local, &own).await?.0 == 401, "the token opens nothing else");
    }
    Ok(())
}
