//! The configuration of the analysis worker: tables, bucket, bus, model and prices.

use clap::Parser;
use events::{
    price,
    runtime::{bedrock::BedrockOptions, consumer::ConsumerConfig, model_lifecycle::ANALYSIS_MODEL_DEFAULT},
};

/// The configuration of the analysis worker.
#[derive(Clone, Debug, Parser)]
#[command(name = "analysis", about = "Has every conversation assessed by Claude")]
pub struct Config {
    /// The queue and the limits of its consumer.
    #[command(flatten)]
    pub consumer: ConsumerConfig,
    /// The Conversations table.
    #[arg(long, env = "NOVA_CONVERSATIONS_TABLE", value_name = "NOVA_CONVERSATIONS_TABLE")]
    pub conversations_table: String,
    /// The Images table.
    #[arg(long, env = "NOVA_IMAGES_TABLE", value_name = "NOVA_IMAGES_TABLE")]
    pub images_table: String,
    /// The Effects table.
    #[arg(long, env = "NOVA_EFFECTS_TABLE", value_name = "NOVA_EFFECTS_TABLE")]
    pub effects_table: String,
    /// The bucket of the stored analyses.
    #[arg(long, env = "NOVA_LOGS_BUCKET", value_name = "NOVA_LOGS_BUCKET")]
    pub logs_bucket: String,
    /// The event bus.
    #[arg(long, env = "NOVA_EVENT_BUS", value_name = "NOVA_EVENT_BUS")]
    pub event_bus: String,
    /// Amazon Bedrock of another account.
    #[command(flatten)]
    pub bedrock: BedrockOptions,
    /// The model: a model id or an inference profile of Bedrock.
    #[arg(
        long,
        env = "NOVA_ANALYSIS_MODEL_ID",
        value_name = "NOVA_ANALYSIS_MODEL_ID",
        default_value = ANALYSIS_MODEL_DEFAULT
    )]
    pub analysis_model_id: String,
    /// The maximum length of a response, in tokens.
    #[arg(
        long,
        env = "NOVA_ANALYSIS_MAX_TOKENS", value_name = "NOVA_ANALYSIS_MAX_TOKENS",
        default_value_t = 4096,
        value_parser = clap::value_parser!(i32).range(256..=64_000)
    )]
    pub analysis_max_tokens: i32,
    /// The temperature, from 0 to 1. It is sent only if it is set: newer models refuse it.
    #[arg(
        long,
        env = "NOVA_ANALYSIS_TEMPERATURE",
        value_name = "NOVA_ANALYSIS_TEMPERATURE",
        value_parser = parse_temperature
    )]
    pub analysis_temperature: Option<f32>,
    /// The price of a million input tokens of the model, in US dollars. [kept in millionths of a dollar]
    #[arg(
        long = "analysis-price-input-usd-per-mtok",
        env = "NOVA_ANALYSIS_PRICE_INPUT_USD_PER_MTOK",
        value_name = "NOVA_ANALYSIS_PRICE_INPUT_USD_PER_MTOK",
        default_value = price::INPUT_USD_PER_MTOK_DEFAULT,
        value_parser = price::parse_usd
    )]
    pub analysis_price_input_usd_micros: u64,
    /// The price of a million output tokens of the model, in US dollars. [kept in millionths of a dollar]
    #[arg(
        long = "analysis-price-output-usd-per-mtok",
        env = "NOVA_ANALYSIS_PRICE_OUTPUT_USD_PER_MTOK",
        value_name = "NOVA_ANALYSIS_PRICE_OUTPUT_USD_PER_MTOK",
        default_value = price::OUTPUT_USD_PER_MTOK_DEFAULT,
        value_parser = price::parse_usd
    )]
    pub analysis_price_output_usd_micros: u64,
}

/// Source: Bedrock API reference, `InferenceConfiguration`.
fn parse_temperature(text: &str) -> Result<f32, String> {
    let temperature = text.parse().ok().filter(|temperature| (0.0..=1.0).contains(temperature));
    temperature.ok_or_else(|| "a number from 0 to 1 is expected".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn temperature_is_from_0_to_1() {
        for (text, temperature) in [("0", 0.0), ("0.25", 0.25), ("1", 1.0)] {
            assert_eq!(parse_temperature(text), Ok(temperature));
        }
        for text in ["", "-0.1", "1.1", "NaN", "inf", "warm"] {
            assert!(parse_temperature(text).unwrap_err().contains("0 to 1"), "{text}");
        }
    }

    #[test]
    fn prices_are_dollars_and_their_defaults_are_those_of_the_default_model() {
        let url = "https://sqs.us-east-1.amazonaws.com/1/q";
        let arguments = [
            "analysis",
            "--attempts-table",
            "e",
            "--queue-url",
            url,
            "--dead-letter-queue-url",
            url,
            "--conversations-table",
            "c",
            "--images-table",
            "i",
            "--effects-table",
            "e",
            "--logs-bucket",
            "l",
            "--event-bus",
            "b",
        ];
        let config = Config::parse_from(arguments);
        let prices = (config.analysis_price_input_usd_micros, config.analysis_price_output_usd_micros);
        assert_eq!(prices, (1_100_000, 5_500_000));
        let dear = [&arguments[..], &["--analysis-price-output-usd-per-mtok", "15"]].concat();
        assert_eq!(Config::parse_from(dear).analysis_price_output_usd_micros, 15_000_000);
        let wrong = [&arguments[..], &["--analysis-price-input-usd-per-mtok", "cheap"]].concat();
        let refused = Config::try_parse_from(wrong).unwrap_err().to_string();
        assert!(refused.contains("cheap") && refused.contains("US dollars"), "{refused}");
    }
}
