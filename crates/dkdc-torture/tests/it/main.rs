//! What a store survives, each a test named after the promise. Every random
//! choice comes from a seed, which a failure prints.

#![expect(clippy::print_stdout, reason = "shown of a test that fails")]

mod any_bytes_are_refused_or_kept;
mod damage_is_detected;
mod durability_is_what_it_says;
mod faults_lose_nothing;
mod hazards_are_refused;
mod sealing_can_be_stopped_anywhere;
#[path = "../../../dkdc-state/tests/it/seed.rs"]
mod seed;
#[path = "../../../dkdc-state/tests/it/skipped.rs"]
mod skipped;
mod support;
mod the_disk_is_full;
