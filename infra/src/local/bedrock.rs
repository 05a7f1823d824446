//! Amazon Bedrock of an AWS account behind the local stack: the profile, the region, the models and the source of the credentials.
//!
//! The credentials are resolved in this process, with everything that the AWS SDK knows: static keys, `credential_process`, IAM
//! Identity Center (SSO), `aws login`, assumed roles, the environment, web identities and the endpoints of ECS and EC2.
//! [`super::CredentialServer`] serves them to the two processes that call Bedrock.

mod access;

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use aws_config::{
    BehaviorVersion, Region, SdkConfig,
    profile::{self, Profile, ProfileFileCredentialsProvider, ProfileSet},
    provider_config::ProviderConfig,
};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_runtime::env_config::property::PropertiesKey;
use aws_types::{
    os_shim_internal::{Env, Fs},
    service_config::ServiceConfigKey,
};
use events::{
    price::{INPUT_USD_PER_MTOK_DEFAULT, OUTPUT_USD_PER_MTOK_DEFAULT, Prices, parse_usd},
    runtime::{
        aws::{http_client, timeouts},
        model_lifecycle::{ANALYSIS_MODEL_DEFAULT, SPEECH_MODEL_DEFAULT},
    },
    workers::Worker,
};

use super::Service;
pub use access::AccessError;

/// The processes that call Amazon Bedrock.
pub const CALLERS: [Service; 2] = [Service::Ingress, Service::Worker(Worker::Analysis)];

/// The regions with Sonic, as of November 2026. AWS adds some, so a region beside them is tried.
const SONIC_REGIONS: [&str; 4] = ["us-east-1", "us-west-2", "ap-northeast-1", "eu-north-1"];

/// Prefixes of inference profiles by the beginning of the regions that they are for. Elsewhere the worldwide profile is used.
const PROFILE_PREFIXES: [(&str, &str); 4] =
    [("us-", "us"), ("eu-", "eu"), ("ap-northeast-1", "jp"), ("ap-northeast-3", "jp")];

/// Amazon Bedrock of an account.
#[derive(Clone, Debug)]
pub struct AwsBedrock {
    /// The profile that was chosen; `None` for the default chain of credentials.
    pub profile: Option<String>,
    pub region: String,
    /// The value of `AWS_ENDPOINT_URL_BEDROCK_RUNTIME`.
    pub endpoint: String,
    /// Certificates to trust besides the platform's, a PEM file.
    pub ca_bundle: Option<PathBuf>,
    pub credentials: SharedCredentialsProvider,
    /// The command that signs in again, for a profile that has one.
    pub sign_in: Option<String>,
    pub sonic_model_id: String,
    pub analysis_model_id: String,
    /// What the models may cost in this run, in millionths of a US dollar.
    pub limit_usd_micros: u64,
}

impl AwsBedrock {
    /// Reads the files and the environment of the AWS SDKs. It calls nothing, and resolves no credentials.
    ///
    /// # Errors
    /// There is no such profile, no region, or a file is unreadable.
    pub async fn read(
        profile: Option<&str>,
        region: Option<&str>,
        limit_usd_micros: u64,
    ) -> anyhow::Result<Self> {
        let wanted = profile.map(|name| name.to_owned().into());
        let files = profile::load(&Fs::real(), &Env::real(), &Default::default(), wanted).await;
        let files = files.context("the configuration of the AWS SDKs is not readable")?;
        if let Some(name) = profile.filter(|name| files.get_profile(name).is_none()) {
            bail!("there is no AWS profile {name:?}; {}", known(&files));
        }
        let region = region.map(str::to_owned).or_else(|| configured(&["AWS_REGION", "AWS_DEFAULT_REGION"]));
        let Some(region) = region.or_else(|| files.get("region").map(str::to_owned)) else {
            bail!(
                "no AWS region is configured; choose one with --region: Sonic is in {}",
                SONIC_REGIONS.join(", ")
            );
        };
        if !is_region(&region) {
            bail!("{region:?} is no AWS region; Sonic is in {}", SONIC_REGIONS.join(", "));
        }
        let ca_bundle = configured(&["AWS_CA_BUNDLE"]).or_else(|| files.get("ca_bundle").map(str::to_owned));
        let ca_bundle = ca_bundle.map(PathBuf::from);
        let http = http_client(ca_bundle.as_deref())?;
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .region(Region::new(region.clone()))
            .http_client(http.clone())
            .timeout_config(timeouts());
        if let Some(name) = profile {
            // A profile that is named goes before keys in the environment.
            let provider = ProviderConfig::without_region()
                .with_region(Some(Region::new(region.clone())))
                .with_http_client(http);
            let provider = ProfileFileCredentialsProvider::builder().configure(&provider).profile_name(name);
            loader = loader.profile_name(name).credentials_provider(provider.build());
        }
        let sdk = loader.load().await;
        let credentials = sdk.credentials_provider().context("the AWS SDK has no source of credentials")?;
        let name = files.selected_profile();
        Ok(Self {
            profile: profile.map(str::to_owned),
            endpoint: endpoint(&sdk, &files, &region),
            ca_bundle,
            credentials,
            sign_in: files.get_profile(name).and_then(|profile| sign_in(name, profile)),
            sonic_model_id: SPEECH_MODEL_DEFAULT.to_owned(),
            analysis_model_id: analysis_model(&region),
            region,
            limit_usd_micros,
        })
    }

    /// The variables that make `service` call this Bedrock, without those of its credentials; none for a service that does not
    /// call it.
    pub(super) fn environment(&self, service: Service) -> Vec<(&'static str, String)> {
        let model = match service {
            Service::Ingress => ("NOVA_SONIC_MODEL_ID", &self.sonic_model_id),
            Service::Worker(Worker::Analysis) => ("NOVA_ANALYSIS_MODEL_ID", &self.analysis_model_id),
            Service::Worker(_) => return Vec::new(),
        };
        let mut environment = vec![
            (model.0, model.1.clone()),
            ("NOVA_BEDROCK_REGION", self.region.clone()),
            ("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", self.endpoint.clone()),
        ];
        let bundle = self.ca_bundle.as_ref().map(|path| ("AWS_CA_BUNDLE", path.display().to_string()));
        environment.extend(bundle);
        environment
    }

    /// The prices of an assessment: the defaults of the analysis worker.
    #[must_use]
    pub fn assessment_prices() -> Prices {
        let price = |text| parse_usd(text).expect("the default prices are dollars");
        Prices {
            input_usd_micros: price(INPUT_USD_PER_MTOK_DEFAULT),
            output_usd_micros: price(OUTPUT_USD_PER_MTOK_DEFAULT),
        }
    }
}

/// The first variable that is set and not empty.
fn configured(variables: &[&str]) -> Option<String> {
    variables.iter().find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
}

/// Whether it can be a part of a host name. Which regions exist only AWS knows.
fn is_region(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !text.is_empty() && text.len() <= 32 && text.bytes().all(is_part)
}

/// The profiles that exist, for an error.
fn known(files: &ProfileSet) -> String {
    let mut names: Vec<&str> = files.profiles().collect();
    names.sort_unstable();
    if names.is_empty() {
        return "there are none; `aws configure sso`, `aws login` or `aws configure` makes one".to_owned();
    }
    format!("there are {}", names.join(", "))
}

/// The endpoint that the environment or the profile configures, or that of the region.
fn endpoint(sdk: &SdkConfig, files: &ProfileSet, region: &str) -> String {
    let environment = configured(&["AWS_ENDPOINT_URL_BEDROCK_RUNTIME", "AWS_ENDPOINT_URL"]);
    if let Some(url) = environment.or_else(|| endpoint_of_service(files)) {
        return url;
    }
    let key = ServiceConfigKey::builder()
        .service_id("Bedrock Runtime")
        .env("AWS_ENDPOINT_URL")
        .profile("endpoint_url")
        .build();
    let configured = key.ok().and_then(|key| sdk.service_config()?.load_config(key));
    let configured = configured.filter(|url| !url.is_empty());
    configured.unwrap_or_else(|| format!("https://bedrock-runtime.{region}.amazonaws.com"))
}

/// The endpoint in the section `services` of the profile, under the name that AWS documents. The Rust SDK looks for
/// `bedrock-runtime` only.
fn endpoint_of_service(files: &ProfileSet) -> Option<String> {
    let key = PropertiesKey::builder()
        .section_key("services")
        .section_name(files.get("services")?)
        .property_name("bedrock_runtime")
        .sub_property_name("endpoint_url");
    files.other_sections().get(&key.build().ok()?).cloned()
}

/// The command that signs in with `profile`.
fn sign_in(name: &str, profile: &Profile) -> Option<String> {
    let has = |keys: &[&str]| keys.iter().any(|key| profile.get(key).is_some());
    let command = if has(&["sso_session", "sso_start_url"]) {
        "aws sso login"
    } else if has(&["login_session"]) {
        "aws login"
    } else {
        return None;
    };
    Some(format!("{command} --profile {name}"))
}

/// The default model of assessments by an inference profile that can be called from `region`.
fn analysis_model(region: &str) -> String {
    let prefix = PROFILE_PREFIXES.iter().find(|(start, _)| region.starts_with(start));
    let model = ANALYSIS_MODEL_DEFAULT.split_once('.').map_or(ANALYSIS_MODEL_DEFAULT, |(_, model)| model);
    format!("{}.{model}", prefix.map_or("global", |(_, prefix)| prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assessments_use_an_inference_profile_of_the_region() {
        assert_eq!(analysis_model("us-east-1"), ANALYSIS_MODEL_DEFAULT);
        for (region, prefix) in
            [("eu-north-1", "eu."), ("ap-northeast-1", "jp."), ("ap-northeast-2", "global.")]
        {
            assert!(analysis_model(region).starts_with(&format!("{prefix}anthropic.claude-")), "{region}");
        }
    }

    #[test]
    fn region_is_one_part_of_a_host_name() {
        assert!(SONIC_REGIONS.into_iter().all(is_region));
        for text in ["", "us-east-1.evil.example", "us east", "US-EAST-1", "a/b"] {
            assert!(!is_region(text), "{text:?}");
        }
    }
}
