//! The promises of dkdc-state, each a test named after it.

mod derive;
mod smoke;
