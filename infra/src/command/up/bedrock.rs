//! `--bedrock aws`: Sonic and Claude from an AWS account, everything else on this machine. Shows the price, asks, checks the access,
//! and says when the limit of the run is reached.

use std::{process::ExitCode, time::Duration};

use anyhow::Context as _;
use clap::ValueEnum;
use events::{
    price::{exact_usd, parse_limit, speech_cost},
    spending::ReachedLimit,
    workers::Worker,
};
use infra::{
    cost::Consumption,
    local::{AwsBedrock, Stack},
};
use jiff::Timestamp;

use crate::console::Console;

/// The exit code for a price that no one can agree to, that of wrong arguments.
const EXIT_NOT_AGREED: u8 = 2;

/// How often the spending is looked at.
const LOOK_INTERVAL: Duration = Duration::from_secs(5);

/// The limit of a run that was agreed to at the terminal, in millionths of a US dollar.
const LIMIT_USD_MICROS_DEFAULT: u64 = 1_000_000;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Source {
    /// The simulator, without an account and without cost.
    #[default]
    Simulator,
    /// Amazon Bedrock of an AWS account.
    Aws,
}

#[derive(Debug, clap::Args)]
pub(super) struct BedrockArguments {
    /// Where the models come from. With `aws`, Sonic and Claude are those of Amazon Bedrock in an AWS account, which costs money;
    /// everything else stays on this machine. The price is shown first, and agreed to. See infra/BEDROCK.md.
    #[arg(long, value_enum, default_value_t)]
    bedrock: Source,
    /// With `--bedrock aws`: the AWS profile; without it the default chain of credentials of the AWS SDK applies. The
    /// credentials stay in this process, which serves them to the ingress and to the analysis worker only.
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// With `--bedrock aws`: the AWS region; without it that of the environment or of the profile.
    #[arg(long, value_name = "REGION")]
    region: Option<String>,
    /// With `--bedrock aws`: what the models may cost in this run, in US dollars; 1 without it. Then conversations end, new ones
    /// are refused, and assessments wait until `nova ops limit --set-run USD --apply` raises the limit.
    #[arg(long, value_name = "USD", value_parser = run_limit)]
    limit_usd: Option<u64>,
    /// With `--bedrock aws --limit-usd USD`: agree to the price without being asked, which needs a terminal.
    #[arg(long, requires = "limit_usd")]
    yes: bool,
}

/// What starts.
pub(super) enum Chosen {
    Simulator,
    /// Amazon Bedrock, and what the check of the access has cost in millionths of a US dollar.
    Aws(Box<AwsBedrock>, u64),
    /// Nothing starts; the reason was shown.
    Nothing(ExitCode),
}

impl BedrockArguments {
    /// Asks for what is chosen to be agreed to, and checks that it can be used.
    ///
    /// # Errors
    /// The configuration of AWS cannot be used, or the models cannot.
    pub(super) async fn choose(&self, console: &Console) -> anyhow::Result<Chosen> {
        if self.bedrock == Source::Simulator {
            let given = [
                ("--profile", self.profile.is_some()),
                ("--region", self.region.is_some()),
                ("--limit-usd", self.limit_usd.is_some()),
            ];
            if let Some((option, _)) = given.into_iter().find(|(_, given)| *given) {
                console.error(&format!("{option} is for `--bedrock aws`: the simulator needs no account"));
                return Ok(Chosen::Nothing(ExitCode::from(EXIT_NOT_AGREED)));
            }
            return Ok(Chosen::Simulator);
        }
        let limit = self.limit_usd.unwrap_or(LIMIT_USD_MICROS_DEFAULT);
        let aws = AwsBedrock::read(self.profile.as_deref(), self.region.as_deref(), limit).await?;
        for line in price(&aws)? {
            console.line(&line);
        }
        if !self.yes {
            if !console.can_ask() {
                console.error(
                    "there is no terminal to agree to the price; nothing was called. Without a terminal give `--yes --limit-usd USD`",
                );
                return Ok(Chosen::Nothing(ExitCode::from(EXIT_NOT_AGREED)));
            }
            if !console.agrees()? {
                console.line("Nothing was called.");
                return Ok(Chosen::Nothing(ExitCode::SUCCESS));
            }
        }
        let progress = console.progress();
        progress.begin("Checking the access to the models");
        let cost = aws.check_access().await?;
        progress.end(&format!("Sonic and Claude respond in {}", aws.region));
        Ok(Chosen::Aws(Box::new(aws), cost))
    }
}

/// What the models cost, from which account, and until when.
fn price(aws: &AwsBedrock) -> anyhow::Result<[String; 6]> {
    let profile = match &aws.profile {
        Some(name) => format!("the profile {name}"),
        None => "the default chain of the AWS SDK".to_owned(),
    };
    let measured = Consumption::checked_in().context("the record of a conversation is unreadable")?;
    let minute = speech_cost(&aws.sonic_model_id, &measured.speech) * 60 / measured.seconds.max(1);
    let (input, output) = (measured.analysis_input_tokens, measured.analysis_output_tokens);
    let assessment = AwsBedrock::assessment_prices().cost(input, output).usd_micros;
    // Estimates, to a hundredth of a cent.
    let [minute, assessment] = [minute, assessment].map(|cost| exact_usd(cost.div_ceil(100) * 100));
    let lines = [
        "The models are those of Amazon Bedrock and cost money. Everything else stays on this machine.".to_owned(),
        format!("  account     {profile}, region {}, {}", aws.region, aws.endpoint),
        format!("  Sonic       about {minute} for a minute of conversation ({})", aws.sonic_model_id),
        format!("  Claude      about {assessment} for an assessment ({})", aws.analysis_model_id),
        format!("  this run    at most {}: then conversations end and assessments wait", exact_usd(aws.limit_usd_micros)),
        "The prices are those of us-east-1 as this build knows them. The limit counts tokens every 30 s and is no bill; a budget \
         alarm of the account is a second guard."
            .to_owned(),
    ];
    Ok(lines)
}

fn run_limit(text: &str) -> Result<u64, String> {
    let limit = parse_limit(text)?;
    if limit == 0 { Err("with a limit of 0 nothing can be called".to_owned()) } else { Ok(limit) }
}

/// Says when the limit of the run is reached, and when it is no longer.
pub(super) async fn follow_spending(stack: &Stack, console: &Console) {
    let mut was_reached = false;
    loop {
        tokio::time::sleep(LOOK_INTERVAL).await;
        // The cloud may be about to stop; the next look is soon.
        let Ok(reached) = stack.spending().reached(Timestamp::now()).await else { continue };
        let is_reached = reached == Some(ReachedLimit::Run);
        if is_reached && !was_reached {
            console.line(
                "! The limit of this run is reached: conversations end, new ones are refused, and assessments wait. To go on: \
                 cargo run -- ops limit --set-run USD --apply",
            );
        } else if was_reached && !is_reached {
            console.line("✓ The limit of this run is raised: conversations and assessments go on");
        }
        was_reached = is_reached;
    }
}

/// What the run has cost, and what waits for a higher limit.
///
/// # Errors
/// The local cloud does not respond.
pub(super) async fn balance(stack: &Stack) -> anyhow::Result<Vec<String>> {
    let (spending, now) = (stack.spending(), Timestamp::now());
    let Some(run) = spending.limits().await?.run else { return Ok(Vec::new()) };
    let spent = spending.since(run.since, now).await?;
    let mut lines =
        vec![format!("The models have cost {} of {}.", exact_usd(spent), exact_usd(run.usd_micros))];
    if spent >= run.usd_micros {
        let queue = stack.outputs().queue(Worker::Analysis)?;
        let waiting =
            stack.cloud().queue_depth(&queue.url).await.context("the queue of the analysis worker")?;
        if waiting > 0 {
            lines.push(format!(
                "Not assessed, because the limit was reached: {waiting} messages in the queue of the analysis worker."
            ));
        }
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};

    use super::*;

    #[test]
    fn price_names_account_region_models_and_limit() {
        let key = Credentials::new("AKIDSHOWN", "secret", None, None, "test");
        let aws = AwsBedrock {
            profile: Some("work".to_owned()),
            region: "eu-north-1".to_owned(),
            endpoint: "https://bedrock.example".to_owned(),
            ca_bundle: None,
            credentials: SharedCredentialsProvider::new(key),
            sign_in: None,
            sonic_model_id: "amazon.nova-2-sonic-v1:0".to_owned(),
            analysis_model_id: "eu.anthropic.claude".to_owned(),
            limit_usd_micros: 5_000_000,
        };
        let shown = price(&aws).unwrap().join("\n");
        for part in ["work", "eu-north-1", "about $0.0", "at most $5.00", "eu.anthropic.claude"] {
            assert!(shown.contains(part), "{shown}");
        }
        assert!(!shown.contains("AKIDSHOWN"));
    }

    #[test]
    fn limit_of_a_run_is_more_than_nothing() {
        assert_eq!(run_limit("2.50"), Ok(2_500_000));
        for text in ["0", "0.00", "-1", "much"] {
            assert!(run_limit(text).is_err(), "{text}");
        }
    }
}
