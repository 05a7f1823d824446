//! PURE. The cost of an assessment: tokens times prices, exact, in millionths of a US dollar. Prices are configuration,
//! because AWS changes them and the model is configurable.

use events::contract::Cost;

/// The default price of a million input tokens: Claude Haiku 4.5 through a regional inference profile (`us.`), which
/// costs a tenth more than the global one at 1.00. Source: Amazon Bedrock pricing, as quoted in November 2026.
pub(super) const INPUT_USD_PER_MTOK_DEFAULT: &str = "1.10";

/// The default price of a million output tokens: same model, same source.
pub(super) const OUTPUT_USD_PER_MTOK_DEFAULT: &str = "5.50";

/// The maximum price of a million tokens, in US dollars.
const USD_MAX: u64 = 1_000;

/// Millionths in a dollar, and tokens in the unit of a price.
const MILLION: u64 = 1_000_000;

/// Prices of a million tokens, in millionths of a US dollar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Prices {
    pub(super) input_usd_micros: u64,
    pub(super) output_usd_micros: u64,
}

impl Prices {
    /// The cost of these tokens, rounded up.
    pub(super) fn cost(self, input_tokens: u64, output_tokens: u64) -> Cost {
        let part = |tokens: u64, price: u64| u128::from(tokens) * u128::from(price);
        let total = part(input_tokens, self.input_usd_micros) + part(output_tokens, self.output_usd_micros);
        Cost {
            usd_micros: u64::try_from(total.div_ceil(u128::from(MILLION))).unwrap_or(u64::MAX),
            input_usd_micros_per_mtok: self.input_usd_micros,
            output_usd_micros_per_mtok: self.output_usd_micros,
        }
    }
}

/// Parses a price in US dollars with at most six decimals, for example `1.10`, into millionths of a dollar.
///
/// # Errors
/// The expected format.
pub(super) fn parse_usd(text: &str) -> Result<u64, String> {
    let expected = || format!("US dollars from 0 to {USD_MAX} with at most six decimals are expected");
    let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(decimals) || decimals.len() > 6 {
        return Err(expected());
    }
    let dollars: u64 = whole.parse().map_err(|_| expected())?;
    let micros: u64 = format!("{decimals:0<6}").parse().map_err(|_| expected())?;
    let price = dollars.checked_mul(MILLION).and_then(|price| price.checked_add(micros));
    price.filter(|price| *price <= USD_MAX * MILLION).ok_or_else(expected)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn price_is_read_to_the_millionth_or_refused() {
        assert_eq!(parse_usd("1.10"), Ok(1_100_000));
        assert_eq!(parse_usd("15"), Ok(15_000_000));
        assert_eq!(parse_usd("0.000001"), Ok(1));
        assert_eq!(parse_usd("1000"), Ok(1_000_000_000));
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
