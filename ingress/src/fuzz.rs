//! For tests: how many cases a property over hostile input is tried with.

use proptest::prelude::ProptestConfig;

/// So many cases of each such property, in place of its own number.
const CASES_VARIABLE: &str = "NOVA_FUZZ_CASES";

/// `own` cases, which the check of every commit can afford, or as many as the environment asks for.
pub(crate) fn cases(own: u32) -> ProptestConfig {
    let asked = std::env::var(CASES_VARIABLE).ok().map(|asked| asked.parse());
    let cases = asked.transpose().unwrap_or_else(|_| panic!("{CASES_VARIABLE} is a number")).unwrap_or(own);
    ProptestConfig { cases, ..ProptestConfig::default() }
}
