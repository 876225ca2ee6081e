//! The module `dkdc_state._core`: dkdc-state, as the Python packages beside it
//! use it.
//!
//! What people see is in Python (`python/`); here is what must be Rust: values
//! in and out, calls that let other threads run while they wait, and Arrow.
//! What must hold: no call waits with Python's lock held, and nothing that was
//! open when the process forked is used, or even closed, in the child.

mod args;
mod arrow;
mod bulk;
mod changes;
mod dicts;
mod errors;
mod handle;
mod incoming;
mod lake;
mod snapshot;
mod state;
mod table;
mod transaction;
mod value;

use pyo3::prelude::*;

/// Only for the packages beside it: `dkdc_state` has what is public.
#[pymodule]
mod _core {
    #[pymodule_export]
    use crate::arrow::Stream;
    #[pymodule_export]
    use crate::changes::Changes;
    #[pymodule_export]
    use crate::handle::is_open;
    #[pymodule_export]
    use crate::lake::{Lake, uuid};
    #[pymodule_export]
    use crate::snapshot::{Snapshot, SnapshotTable};
    #[pymodule_export]
    use crate::state::State;
    #[pymodule_export]
    use crate::table::Table;
    #[pymodule_export]
    use crate::transaction::{Transaction, TxTable};
}
