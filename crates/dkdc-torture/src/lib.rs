//! `dkdc-torture`: breaks a store in every way it must survive, and judges what
//! is left.
//!
//! - [`vfs`] stands between SQLite and the system: it counts what SQLite does to
//!   its files, kills the process or fails at the n-th, and records all of it.
//! - [`power`] makes of a recording the files that a power loss may leave.
//! - [`work`] writes at random and says in a [`ledger`] outside the store what
//!   it is about to do and what was acknowledged.
//! - [`bodies`] are what fuzz targets do with bytes that anybody may give.
//! - [`oracle`] compares a store with ledgers: what must hold after every fault.
//! - [`poison`] is a handle whose disk has failed it once.
//! - [`small`] is a disk that can be filled.
//! - [`rounds`] puts these together; each round is a fault and a judgement.
//!
//! Every random choice comes from one seed ([`random`]), which is printed.

pub mod bodies;
pub mod ledger;
pub mod oracle;
pub mod poison;
pub mod power;
pub mod random;
pub mod reader;
pub mod rounds;
pub mod small;
pub mod vfs;
pub mod work;

/// Anything that ends a run.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;
/// A result whose error ends a run.
pub type Result<T, E = Failure> = std::result::Result<T, E>;
