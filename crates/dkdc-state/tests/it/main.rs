//! The promises of dkdc-state, each a test named after it.

mod derive;
mod smoke;
#[cfg(feature = "query")]
mod sql;
