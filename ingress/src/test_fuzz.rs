//! For tests: the number of cases of property tests over hostile input.

use proptest::prelude::ProptestConfig;

/// Overrides the number of cases of every such property.
const CASES_VARIABLE: &str = "NOVA_FUZZ_CASES";

/// `default` cases, or the number in the environment.
pub(crate) fn cases(default: u32) -> ProptestConfig {
    let given = std::env::var(CASES_VARIABLE).ok().map(|given| given.parse());
    let cases =
        given.transpose().unwrap_or_else(|_| panic!("{CASES_VARIABLE} is a number")).unwrap_or(default);
    ProptestConfig { cases, ..ProptestConfig::default() }
}
