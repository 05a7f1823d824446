//! Deploys the service through CloudFormation: the stacks in their order, the image, the function, the page and the pictures. What
//! `nova deploy` does on AWS is what the local runner and the tests do on the local cloud.
//!
//! It is not the local runner: that also applies what its cloud ignores, and starts processes.

mod change_set;
mod environment;
mod glibc;
mod page;
mod plan;

#[cfg(test)]
mod access_tests;
#[cfg(test)]
mod template_tests;
#[cfg(test)]
mod test_policy;
#[cfg(test)]
mod test_resolved;

use std::{
    collections::BTreeMap,
    io::{Cursor, Read as _},
    path::Path,
};

use anyhow::{Context as _, ensure};
use aws_config::SdkConfig;
use aws_sdk_cloudformation::Client;
use events::page::HEADERS;
use zip::ZipArchive;

use crate::{
    image::{ContainerImage, ecr_login, push},
    pictures::{Gallery, catalogue, publish},
    progress::Progress,
};

pub use crate::template::{ParameterSpec, Template};
pub use change_set::{DeployOptions, StackOutcome, apply, parameters, set_parameters};
pub use environment::Environment;
pub use glibc::{GLIBC_OF_LAMBDA, GlibcVersion, needed_glibc};
pub use plan::{PlannedStack, StackKind, plan};

/// What the program of a function is called in its archive: where the runtime `provided.al2023` looks for it.
pub const FUNCTION_PROGRAM: &str = "bootstrap";

/// What is deployed, beside the templates.
#[derive(Clone, Debug)]
pub struct Artifacts<'a> {
    /// The image of the binaries.
    pub image: ImageArtifact,
    /// Archive of the function that the user pool calls.
    pub function: Function,
    /// A build of the page.
    pub page: &'a Path,
}

/// Where the image is.
#[derive(Clone, Debug)]
pub enum ImageArtifact {
    /// In a registry: its URI by digest.
    Pushed(String),
    /// On this machine. It is pushed to the repository of the environment before a task needs it.
    Local(ContainerImage),
}

/// The function of the user pool's triggers.
#[derive(Clone, Debug)]
pub struct Function {
    /// A zip file with the program as `bootstrap`.
    pub archive: Vec<u8>,
    /// Key in the bucket of artifacts; other code has another key.
    pub key: String,
    /// As Lambda names it: `x86_64` or `arm64`.
    pub architecture: &'static str,
}

impl Function {
    /// The C library that the program needs; `None` for a static program.
    ///
    /// # Errors
    /// The archive has no program.
    pub fn needed_glibc(&self) -> anyhow::Result<Option<GlibcVersion>> {
        let mut archive =
            ZipArchive::new(Cursor::new(&self.archive)).context("the function is no archive")?;
        let file = archive.by_name(FUNCTION_PROGRAM);
        let mut file =
            file.with_context(|| format!("the archive of the function has no {FUNCTION_PROGRAM}"))?;
        let mut program = Vec::new();
        file.read_to_end(&mut program).context("the archive of the function is damaged")?;
        needed_glibc(&program)
    }

    /// # Errors
    /// The bucket does not take it.
    pub async fn upload(&self, s3: &aws_sdk_s3::Client, bucket: &str) -> anyhow::Result<()> {
        let put = s3.put_object().bucket(bucket).key(&self.key).content_type("application/zip");
        let put = put.body(self.archive.clone().into()).send().await;
        put.with_context(|| format!("cannot put the function into the bucket {bucket}")).map(drop)
    }
}

/// Where the stacks are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeploymentTarget {
    Aws,
    /// The local cloud, without what it refuses.
    Local,
}

/// A deployment to one environment.
#[derive(Debug)]
pub struct Deployment<'a> {
    pub environment: &'a Environment,
    pub options: DeployOptions,
    pub target: DeploymentTarget,
    pub artifacts: Artifacts<'a>,
}

impl Deployment<'_> {
    /// All stacks with their parameters.
    ///
    /// # Errors
    /// A parameter is missing or wrong; the error names all of them.
    pub fn plan(&self) -> anyhow::Result<Vec<PlannedStack>> {
        let needed = match self.target {
            DeploymentTarget::Aws => self.artifacts.function.needed_glibc()?,
            // It runs on this machine there.
            DeploymentTarget::Local => None,
        };
        ensure!(
            needed <= Some(GLIBC_OF_LAMBDA),
            "the function needs {}, and Lambda has {GLIBC_OF_LAMBDA}: build on Amazon Linux 2023, Debian 12 or Ubuntu 22.04",
            needed.map(|version| version.to_string()).unwrap_or_default()
        );
        let provided = self.provided();
        plan(self.environment, self.kinds(), &provided)
    }

    fn kinds(&self) -> impl Iterator<Item = StackKind> {
        let edge = self.environment.edge;
        StackKind::all().filter(move |kind| edge || *kind != StackKind::Edge)
    }

    /// Checks everything that can be wrong, then changes stack after stack, publishes page and pictures, and returns
    /// the outputs of all stacks. `report` gets each stack with its changes.
    ///
    /// # Errors
    /// The credentials are those of another account, a parameter is missing or wrong (nothing was changed), or a stack
    /// failed: CloudFormation has rolled this one back, and the ones before it stay. Another deployment goes on.
    pub async fn run(
        &self,
        sdk: &SdkConfig,
        s3: &aws_sdk_s3::Client,
        progress: &Progress,
        mut report: impl FnMut(&PlannedStack, &StackOutcome),
    ) -> anyhow::Result<BTreeMap<String, String>> {
        self.check_account(sdk).await?;
        self.plan()?;
        let mut provided = self.provided();
        let cloudformation = Client::new(sdk);
        let mut outputs = BTreeMap::new();
        for kind in self.kinds() {
            for stack in plan(self.environment, [kind], &provided)? {
                let outcome = apply(&cloudformation, &stack, self.options, progress).await?;
                report(&stack, &outcome);
                let named = outcome.outputs.into_iter().map(|(key, value)| (kind.output_name(&key), value));
                outputs.extend(named);
            }
            if kind == StackKind::Data
                && let Some(bucket) = outputs.get("ArtifactsBucket")
            {
                provided.insert("CodeBucket".to_owned(), bucket.clone());
                if !self.options.dry_run {
                    self.artifacts.function.upload(s3, bucket).await?;
                }
            }
            if kind == StackKind::Compute
                && !self.options.dry_run
                && let Some(repository) = outputs.get("RepositoryUri")
                && let ImageArtifact::Local(image) = &self.artifacts.image
            {
                progress.begin("Pushing the image");
                let uri = push(image, repository, &ecr_login(sdk).await?, progress).await?;
                progress.end(&uri);
                provided.insert("Image".to_owned(), uri);
            }
        }
        if !self.options.dry_run {
            self.publish(sdk, s3, &outputs, progress).await?;
        }
        Ok(outputs)
    }

    async fn check_account(&self, sdk: &SdkConfig) -> anyhow::Result<()> {
        let caller = aws_sdk_sts::Client::new(sdk).get_caller_identity().send().await;
        let caller = caller.context("cannot find out whose credentials these are")?;
        let (account, wanted) = (caller.account().unwrap_or_default(), &self.environment.account);
        ensure!(
            account == wanted,
            "the credentials are those of the account {account}, the environment is {wanted}"
        );
        Ok(())
    }

    fn provided(&self) -> BTreeMap<String, String> {
        let function = &self.artifacts.function;
        let env = match self.target {
            DeploymentTarget::Aws => "production",
            DeploymentTarget::Local => "local",
        };
        let pairs = [
            ("Env", env.to_owned()),
            ("Image", self.image_uri()),
            // Known only after the first stack; before it any name will do.
            ("CodeBucket", "artifacts".to_owned()),
            ("CodeKey", function.key.clone()),
            ("FunctionArchitecture", function.architecture.to_owned()),
        ];
        pairs.map(|(name, value)| (name.to_owned(), value)).into_iter().chain(page_parameters()).collect()
    }

    /// What the tasks are started from, or will be.
    fn image_uri(&self) -> String {
        let Environment { account, region, .. } = self.environment;
        match &self.artifacts.image {
            ImageArtifact::Pushed(uri) => uri.clone(),
            ImageArtifact::Local(image) => {
                let name = format!("{}-api", self.environment.prefix());
                format!("{account}.dkr.ecr.{region}.amazonaws.com/{name}@{}", image.digest)
            }
        }
    }

    async fn publish(
        &self,
        sdk: &SdkConfig,
        s3: &aws_sdk_s3::Client,
        outputs: &BTreeMap<String, String>,
        progress: &Progress,
    ) -> anyhow::Result<()> {
        let get = |key: &str| outputs.get(key).with_context(|| format!("no template has the output {key}"));
        if self.environment.edge {
            progress.begin("Publishing the page");
            let files = page::publish(s3, get("PageBucket")?, self.artifacts.page, progress).await?;
            progress.end(&format!("{files} files"));
        }
        if self.environment.value("data", "PrimaryRegion").is_some_and(|region| !region.is_empty()) {
            // Pictures and their table come from the primary.
            return Ok(());
        }
        progress.begin("Publishing the pictures");
        let path_style = self.target == DeploymentTarget::Local;
        let gallery = Gallery::new(sdk, get("ImagesTable")?, get("ImagesBucket")?, path_style);
        let published = publish(&gallery, catalogue()?, false, progress).await?;
        progress.end(&format!("{} pictures", published.pictures));
        Ok(())
    }
}

/// The parameters with the headers of the page.
fn page_parameters() -> impl Iterator<Item = (String, String)> {
    HEADERS.iter().map(|(name, value)| (header_parameter(name), value.clone()))
}

/// The parameter with the value of a header of the page: `PagePermissionsPolicy` of `permissions-policy`.
fn header_parameter(name: &str) -> String {
    let word = |word: &str| word[..1].to_ascii_uppercase() + &word[1..];
    format!("Page{}", name.split('-').map(word).collect::<String>())
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::image::{USER, programs};

    #[test]
    fn tasks_run_a_program_of_the_image_as_its_user() {
        for kind in StackKind::all() {
            let template = kind.template().unwrap();
            let Some(task) = template.resources.get("TaskDefinition") else { continue };
            let container = &task["Properties"]["ContainerDefinitions"][0];
            assert_eq!(container["User"], USER.to_string(), "{kind}");
            assert_eq!(container["ReadonlyRootFilesystem"], true, "{kind}");
            let program = match kind.own_parameters("nova").get("Worker") {
                Some(worker) => worker.clone(),
                None => container["Command"][0].as_str().unwrap().trim_start_matches('/').to_owned(),
            };
            assert!(programs().any(|one| one == program), "{kind}: {program}");
        }
    }

    #[test]
    fn headers_of_the_page_are_those_of_cloudfront() {
        let edge = StackKind::Edge.template().unwrap();
        let policy = &edge.resources["SecurityHeaders"]["Properties"]["ResponseHeadersPolicyConfig"];
        let custom = policy["CustomHeadersConfig"]["Items"].as_array().unwrap();
        for name in HEADERS.keys() {
            let parameter = header_parameter(name);
            assert!(edge.parameters.contains_key(&parameter), "edge.yaml has no parameter {parameter}");
            let value = if name == "content-security-policy" {
                &policy["SecurityHeadersConfig"]["ContentSecurityPolicy"]["ContentSecurityPolicy"]
            } else {
                let header = |item: &&Value| {
                    item["Header"].as_str().is_some_and(|header| header.eq_ignore_ascii_case(name))
                };
                &custom.iter().find(header).unwrap_or(&Value::Null)["Value"]
            };
            assert_eq!(value["Fn::Ref"], parameter.as_str(), "{name}");
        }
        assert_eq!(custom.len(), HEADERS.len() - 1);
    }
}
