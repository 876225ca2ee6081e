//! Tells the program which profile it is built with: cargo says so only here.

use std::env;

fn main() {
    let value = |name: &str| env::var(name).unwrap_or_else(|_| "unknown".to_owned());
    let profile = format!("{}, opt-level {}", value("PROFILE"), value("OPT_LEVEL"));
    println!("cargo::rustc-env=DKDC_BENCH_PROFILE={profile}");
    println!("cargo::rerun-if-changed=build.rs");
}
