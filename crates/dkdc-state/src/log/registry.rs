//! One store per process and file.
//!
//! Two SQLite handles of one process would be safe, but two *copies* of SQLite
//! are not, and separate group commits would only wait for each other. So a
//! second `State::open` of the same file, by whatever path, shares the first
//! one's store. Keyed by device and inode.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};

use super::identity::FileKey;
use super::{Config, Store, open};
use crate::error::{Error, Result};
use crate::state::Durability;

static OPEN: LazyLock<Mutex<HashMap<FileKey, Weak<Store>>>> = LazyLock::new(Mutex::default);

/// Opens the store at `path`, or shares the one this process has open.
pub(crate) fn open(path: &Path, config: Config) -> Result<Arc<Store>> {
    let resolved = open::resolve(path, &config)?;
    // Held while opening: two threads that open one new file must end up with
    // one store.
    let mut stores = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    let known = super::identity::file_key(&resolved).and_then(|key| stores.get(&key));
    if let Some(store) = known.and_then(Weak::upgrade) {
        return share(store, &config);
    }
    stores.retain(|_, store| store.strong_count() > 0);
    let store = Arc::new(open::open(&resolved, config)?);
    stores.insert(store.identity.key(), Arc::downgrade(&store));
    Ok(store)
}

/// A second handle must be able to do what it was opened for.
fn share(store: Arc<Store>, config: &Config) -> Result<Arc<Store>> {
    if store.config.read_only && !config.read_only {
        return Err(Error::ReadOnly {
            path: store.path.clone(),
            why: "this process has it open read-only".to_owned(),
        });
    }
    // Whoever asks for more than the first one gets it, for all.
    if config.durability == Durability::Full && store.config.durability == Durability::Relaxed {
        store.group.make_full(&store)?;
    }
    Ok(store)
}
