//! The promises of dkdc-state, each a test named after it.

mod derive;
mod smoke;
mod support;
mod the_model;
mod workers;
