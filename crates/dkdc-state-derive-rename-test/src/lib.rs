//! Checks that `#[derive(Record)]` depends on nothing in scope where it stands:
//! not on the name `dkdc_state`, not on the prelude, not on who wrote the
//! struct's tokens. There is nothing here but tests.

#[cfg(test)]
mod tests;
