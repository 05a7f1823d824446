//! PURE. The cost of the models: tokens times prices, exact, in millionths of a US dollar. The prices of all models are here, with
//! their source. Those of assessments are defaults of a configuration, because AWS changes them and the model is configurable.

use crate::contract::{Cost, Usage};

/// Prices of a speech model for a million tokens, in millionths of a US dollar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpeechPrices {
    pub speech_input: u64,
    pub speech_output: u64,
    pub text_input: u64,
    pub text_output: u64,
}

/// Speech models, by what their ids contain. Sources: of the second generation aws.amazon.com/nova/pricing, as quoted in June 2026; of
/// the first one the code of the AWS workshop on Nova Sonic.
const SPEECH_MODELS: [(&str, SpeechPrices); 2] = [
    (
        "nova-2",
        SpeechPrices {
            speech_input: 3_000_000,
            speech_output: 12_000_000,
            text_input: 330_000,
            text_output: 2_750_000,
        },
    ),
    (
        "nova-sonic",
        SpeechPrices {
            speech_input: 3_400_000,
            speech_output: 13_600_000,
            text_input: 60_000,
            text_output: 240_000,
        },
    ),
];

/// The default price of a million input tokens: Claude Haiku 4.5 through a regional inference profile (`us.`), which
/// costs a tenth more than the global one at 1.00. Source: Amazon Bedrock pricing, as quoted in November 2026.
pub const INPUT_USD_PER_MTOK_DEFAULT: &str = "1.10";

/// The default price of a million output tokens: same model, same source.
pub const OUTPUT_USD_PER_MTOK_DEFAULT: &str = "5.50";

/// The maximum price of a million tokens, in US dollars.
const USD_MAX: u64 = 1_000;

/// The maximum spending limit, in US dollars.
const LIMIT_USD_MAX: u64 = 1_000_000;

/// Millionths in a dollar, and tokens in the unit of a price.
const MILLION: u64 = 1_000_000;

/// Prices of a million tokens, in millionths of a US dollar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prices {
    pub input_usd_micros: u64,
    pub output_usd_micros: u64,
}

impl Prices {
    /// The cost of these tokens, rounded up.
    #[must_use]
    pub fn cost(self, input_tokens: u64, output_tokens: u64) -> Cost {
        let part = |tokens: u64, price: u64| u128::from(tokens) * u128::from(price);
        let total = part(input_tokens, self.input_usd_micros) + part(output_tokens, self.output_usd_micros);
        Cost {
            usd_micros: u64::try_from(total.div_ceil(u128::from(MILLION))).unwrap_or(u64::MAX),
            input_usd_micros_per_mtok: self.input_usd_micros,
            output_usd_micros_per_mtok: self.output_usd_micros,
        }
    }
}

/// The cost of what a conversation has used, in millionths of a US dollar, rounded up. An unknown model costs as much as the first of
/// the list.
#[must_use]
pub fn speech_cost(model_id: &str, usage: &Usage) -> u64 {
    let known = SPEECH_MODELS.iter().find(|(name, _)| model_id.contains(name));
    let (_, prices) = known.unwrap_or(&SPEECH_MODELS[0]);
    let parts = [
        (usage.input.speech_tokens, prices.speech_input),
        (usage.output.speech_tokens, prices.speech_output),
        (usage.input.text_tokens, prices.text_input),
        (usage.output.text_tokens, prices.text_output),
    ];
    let total: u128 = parts.iter().map(|(tokens, price)| u128::from(*tokens) * u128::from(*price)).sum();
    u64::try_from(total.div_ceil(u128::from(MILLION))).unwrap_or(u64::MAX)
}

/// An amount for people with all its decimals, at least two: `$0.0125`, `$5.00`.
#[must_use]
pub fn exact_usd(usd_micros: u64) -> String {
    let decimals = format!("{:06}", usd_micros % MILLION);
    let (cents, rest) = decimals.split_at(2);
    format!("${}.{cents}{}", usd_micros / MILLION, rest.trim_end_matches('0'))
}

/// Parses a price in US dollars with at most six decimals, for example `1.10`, into millionths of a dollar.
///
/// # Errors
/// The expected format.
pub fn parse_usd(text: &str) -> Result<u64, String> {
    parse_up_to(text, USD_MAX)
}

/// Parses a spending limit in the same way.
///
/// # Errors
/// The expected format.
pub fn parse_limit(text: &str) -> Result<u64, String> {
    parse_up_to(text, LIMIT_USD_MAX)
}

fn parse_up_to(text: &str, usd_max: u64) -> Result<u64, String> {
    let expected = || format!("US dollars from 0 to {usd_max} with at most six decimals are expected");
    let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(decimals) || decimals.len() > 6 {
        return Err(expected());
    }
    let dollars: u64 = whole.parse().map_err(|_| expected())?;
    let micros: u64 = format!("{decimals:0<6}").parse().map_err(|_| expected())?;
    let price = dollars.checked_mul(MILLION).and_then(|price| price.checked_add(micros));
    price.filter(|price| *price <= usd_max * MILLION).ok_or_else(expected)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::contract::StreamUsage;

    #[test]
    fn price_is_read_to_the_millionth_or_refused() {
        assert_eq!(parse_usd("1.10"), Ok(1_100_000));
        assert_eq!(parse_usd("15"), Ok(15_000_000));
        assert_eq!(parse_usd("0.000001"), Ok(1));
        assert_eq!(parse_usd("1000"), Ok(1_000_000_000));
        assert_eq!(parse_limit("1000000"), Ok(1_000_000_000_000));
        assert!(parse_limit("1000000.01").unwrap_err().contains("1000000"));
        for wrong in ["", ".", "1.", ".5", "-1", "1e3", "$1", "1,10", "1.1234567", "1000.000001", "٣"] {
            assert!(parse_usd(wrong).is_err(), "{wrong:?}");
        }
        assert!(parse_usd(INPUT_USD_PER_MTOK_DEFAULT) < parse_usd(OUTPUT_USD_PER_MTOK_DEFAULT));
    }

    #[test]
    fn cost_is_exact_and_rounded_up() {
        let prices = Prices { input_usd_micros: 1_100_000, output_usd_micros: 5_500_000 };
        assert_eq!(prices.cost(2_210, 640).usd_micros, 5_951);
        assert_eq!(prices.cost(0, 0).usd_micros, 0);
        assert_eq!(prices.cost(1, 0).usd_micros, 2);
        let cheap = Prices { input_usd_micros: 1, output_usd_micros: 1 };
        assert_eq!(cheap.cost(500_000, 500_000).usd_micros, 1);
        assert_eq!(cheap.cost(500_000, 500_001).usd_micros, 2);
    }

    #[test]
    fn speech_costs_what_its_model_does() {
        let million = StreamUsage { speech_tokens: 1_000_000, text_tokens: 1_000_000 };
        let usage = Usage { input: million, output: million };
        assert_eq!(speech_cost("amazon.nova-2-sonic-v1:0", &usage), 18_080_000);
        assert_eq!(speech_cost("amazon.nova-sonic-v1:0", &usage), 17_300_000);
        assert_eq!(speech_cost("another", &usage), 18_080_000);
        let one = StreamUsage { speech_tokens: 1, text_tokens: 0 };
        assert_eq!(speech_cost("amazon.nova-2-sonic-v1:0", &Usage { input: one, ..Usage::default() }), 3);
        let most = StreamUsage { speech_tokens: u64::MAX, text_tokens: u64::MAX };
        assert_eq!(speech_cost("x", &Usage { input: most, output: most }), u64::MAX);
    }

    #[test]
    fn amount_is_shown_with_all_its_decimals() {
        assert_eq!(
            [0, 5_000_000, 1_230_000, 12_498, 1].map(exact_usd),
            ["$0.00", "$5.00", "$1.23", "$0.012498", "$0.000001"]
        );
    }

    proptest! {
        #[test]
        fn no_tokens_at_any_price_overflow(tokens: (u64, u64), input in 0..=USD_MAX * MILLION) {
            let prices = Prices { input_usd_micros: input, output_usd_micros: input };
            let cost = prices.cost(tokens.0, tokens.1).usd_micros;
            let least = u128::from(tokens.0) * u128::from(input) / u128::from(MILLION);
            prop_assert!(u128::from(cost) >= least.min(u128::from(u64::MAX)));
        }
    }
}
