//! `cargo +nightly fuzz run csv`: see crates/dkdc-torture/src/bodies.rs.
#![no_main]

#[path = "../../crates/dkdc-torture/src/bodies.rs"]
#[expect(dead_code, reason = "each target has one of the bodies")]
mod bodies;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = bodies::import(std::path::Path::new("dkdc"), "csv", bytes);
});
