//! Where the random choices of a test come from: one number, printed with the
//! command that makes the same choices again.

use std::hash::{BuildHasher, Hasher, RandomState};

/// The variable that the printed command sets.
const GIVEN: &str = "DKDC_SEED";

/// The number that was given, else one by chance. What is printed is shown of a
/// test that fails.
pub(crate) fn seed() -> u64 {
    let seed = given().unwrap_or_else(|| RandomState::new().build_hasher().finish());
    println!("again: {}", command(seed));
    seed
}

fn given() -> Option<u64> {
    let text = std::env::var(GIVEN).ok()?;
    let seed = text.parse();
    Some(seed.unwrap_or_else(|error| panic!("{GIVEN}={text}: {error}")))
}

/// What runs this test, and no other of its name, with the same choices.
fn command(seed: u64) -> String {
    let target = match env!("CARGO_CRATE_NAME") {
        "it" => "--test it",
        _ => "--lib",
    };
    // With `--test-threads=1` the tests have no thread, and so no name: all are run.
    let thread = std::thread::current();
    let test = thread.name().filter(|name| *name != "main");
    let test = test.map(|name| format!(" {name} -- --exact"));
    let test = test.unwrap_or_default();
    format!("{GIVEN}={seed} cargo test --workspace --exclude dkdc-py {target}{test}")
}
