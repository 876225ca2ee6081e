//! Cases of properties, all of them made from one seed ([`seed`](crate::seed)).

use proptest::test_runner::{Config, RngSeed};

/// So many cases of a property; should one fail, what is printed has them again.
/// Nothing is kept of a failure: the seed is all there is to it.
pub(crate) fn cases(cases: u32) -> Config {
    Config {
        cases,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(crate::seed::seed()),
        ..Config::default()
    }
}
