//! Opening the database file: what it is, how its connections are set up.
//!
//! Nothing here reads the file except SQLite itself (see [`super::identity`]).

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, RwLock};
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::access::{self, Pooled, foreign};
use super::catalog::Catalog;
use super::format::{APPLICATION_ID, FORMAT};
use super::group::Group;
use super::identity::{FileKey, Identity, file_key};
use super::{Config, DbResult, Store, adopt, locate, migrate, network, recent, vfs};
use crate::error::{Error, Result};
use crate::mirror::keeper::Background;
use crate::record::Idx;
use crate::state::Durability;

/// The first SQLite whose WAL cannot be reset under a reader.
const SQLITE_MIN: i32 = 3_051_003;
/// 64 MiB of page cache.
pub(super) const CACHE_KIB: i64 = 64 << 10;
/// A commit that finds so much in the log moves it into the file itself, 64 MiB:
/// most of it has been moved by then, beside it ([`super::idle`]).
const CHECKPOINT_PAGES: i64 = 16_000;

/// The real path of the file, which need not exist yet.
pub(crate) fn resolve(path: &Path, config: &Config) -> Result<PathBuf> {
    let not_a_store = |why: &str| {
        Err(Error::NotAStore {
            path: path.to_owned(),
            why: why.to_owned(),
        })
    };
    if path == Path::new(":memory:") {
        return not_a_store("a store is a file");
    }
    let io = |source| Error::io(path, source);
    let followed = follow(path);
    let path = followed.as_deref().unwrap_or(path);
    match fs::metadata(path) {
        Ok(meta) if meta.is_dir() => not_a_store("it is a folder"),
        Ok(meta) if !meta.is_file() => not_a_store("it is no regular file"),
        Ok(_) => fs::canonicalize(path).map_err(io),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            if !config.create || config.read_only {
                return Err(Error::NoStore {
                    path: path.to_owned(),
                });
            }
            let Some(name) = path.file_name() else {
                return not_a_store("the path names no file");
            };
            let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
            let folder = folder.unwrap_or(Path::new("."));
            let real = fs::canonicalize(folder).map_err(|source| Error::io(folder, source))?;
            Ok(real.join(name))
        }
        Err(error) => Err(io(error)),
    }
}

/// Where a symbolic link leads, also when nothing is there yet: SQLite puts the
/// `-wal` beside that.
fn follow(path: &Path) -> Option<PathBuf> {
    let mut at = None;
    // As many as the system follows.
    for _ in 0..40 {
        let link = at.as_deref().unwrap_or(path);
        let Ok(target) = fs::read_link(link) else {
            break;
        };
        at = Some(match link.parent() {
            Some(folder) => folder.join(target),
            None => target,
        });
    }
    at
}

/// Opens the store at a resolved path.
pub(crate) fn open(path: &Path, config: Config) -> Result<Store> {
    assert!(
        rusqlite::version_number() >= SQLITE_MIN,
        "BUG: linked with SQLite {}",
        rusqlite::version()
    );
    let busy = config.busy_timeout;
    open_located(path, config).map_err(|error| locate(path, busy, error))
}

fn open_located(path: &Path, config: Config) -> Result<Store> {
    network::refuse(path)?;
    access::refuse_journal(path)?;
    if !config.read_only {
        network::refuse_mounted(path)?;
    }
    let replaced = |why: &str| Error::Replaced {
        path: path.to_owned(),
        why: why.to_owned(),
    };
    // Before SQLite opens it, or right after SQLite made it.
    let before = file_key(path);
    let (read_only, first) = access::connect(path, &config)?;
    let key = before
        .or_else(|| file_key(path))
        .ok_or_else(|| replaced("it was removed while it was opened"))?;
    let catalog = if read_only.is_none() {
        prepare(&first.conn, path, &config)?
    } else {
        let tx = read_transaction(&first.conn)?;
        recognise(&tx, path, false)?;
        let catalog = Catalog::read(&tx)?;
        first.verify(path)?;
        catalog
    };
    if file_key(path) != Some(key) {
        return Err(replaced("another file took its place while it was opened"));
    }
    let keeper = Background::new(path, config.clone(), key);
    let store = Store {
        path: path.to_owned(),
        read_only,
        immutable: first.frozen.is_some(),
        identity: Identity::new(path.to_owned(), key),
        group: Group::new(first.conn),
        readers: Mutex::default(),
        catalog: RwLock::new(Arc::new(catalog)),
        poison: OnceLock::new(),
        idle: OnceLock::new(),
        keeper: Arc::new(keeper),
        config,
        #[cfg(feature = "query")]
        engine: Mutex::default(),
        #[cfg(feature = "query")]
        tails: crate::query::Tails::default(),
    };
    if store.read_only.is_none() {
        // A process that died may have left a full `-wal`.
        store.wrote();
    }
    Ok(store)
}

/// Whoever is told learns the path as they gave it, not as SQLite was given it.
fn without_path(path: &Path, error: Error) -> Error {
    match error {
        Error::Sqlite {
            path: of,
            code,
            message,
        } => {
            let shown = format!(": {}", path.display());
            let message = message.strip_suffix(&shown).unwrap_or(&message).to_owned();
            Error::Sqlite {
                path: of,
                code,
                message,
            }
        }
        other => other,
    }
}

/// A connection, set up as all of ours are.
pub(super) fn connection(path: &Path, flags: OpenFlags, config: &Config) -> Result<Connection> {
    let conn = bare(path, flags, config, false)?;
    conn.execute_batch(recent::TABLES).db()?;
    Ok(conn)
}

/// The same without the tables of its own, which take a schema that can be read.
#[expect(
    clippy::disallowed_methods,
    reason = "the log opens SQLite's connections here"
)]
fn bare(path: &Path, flags: OpenFlags, config: &Config, damaged: bool) -> Result<Connection> {
    let flags = flags | OpenFlags::SQLITE_OPEN_URI;
    let conn = Connection::open_with_flags_and_vfs(path, flags, vfs::whole_reads()?).db();
    let conn = conn.map_err(|error| without_path(path, error))?;
    // With this, SQLite passes over what it cannot read of a schema.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_WRITABLE_SCHEMA, damaged)
        .db()?;
    conn.busy_timeout(config.busy_timeout).db()?;
    // The guards in the file are for other programs: see `format::guards`.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)
        .db()?;
    // A plan never depends on bound values: else SQLite prepares a cached
    // statement again whenever they change, four times the cost of a `get`.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)
        .db()?;
    // A quoted name that is no column is an error, not a text.
    for quoted_text in [
        DbConfig::SQLITE_DBCONFIG_DQS_DML,
        DbConfig::SQLITE_DBCONFIG_DQS_DDL,
    ] {
        conn.set_db_config(quoted_text, false).db()?;
    }
    conn.pragma_update(None, "trusted_schema", false).db()?;
    conn.pragma_update(None, "mmap_size", 0).db()?;
    conn.pragma_update(None, "cache_size", -CACHE_KIB).db()?;
    conn.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)
        .db()?;
    conn.set_prepared_statement_cache_capacity(256);
    Ok(conn)
}

/// The connection to the copy of a damaged file: what of its schema cannot be read is
/// not there, and the rest is.
pub(super) fn damaged(path: &Path, config: &Config) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    bare(path, flags, config, true)
}

/// One more reader of an open store.
pub(crate) fn reader(store: &Store) -> Result<Pooled> {
    let reader = if store.immutable {
        access::frozen_reader(&store.path, &store.config)
    } else {
        access::reader(&store.path, &store.config)
    };
    let reader = reader.map_err(|error| store.locate(error))?;
    is_file(&store.path, store.identity.key())?;
    Ok(reader)
}

/// Another file at the path is another store, or none.
pub(super) fn is_file(path: &Path, key: FileKey) -> Result<()> {
    if file_key(path) == Some(key) {
        return Ok(());
    }
    Err(Error::Replaced {
        path: path.to_owned(),
        why: "it was removed, renamed or replaced".to_owned(),
    })
}

/// What a file is, by its header and its tables.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    Empty,
    Store,
    Original,
}

/// Sets up the connection that writes, and the file if it is new.
fn prepare(conn: &Connection, path: &Path, config: &Config) -> Result<Catalog> {
    let found = recognise(&*read_transaction(conn)?, path, true)?;
    if found == Found::Empty && !config.create {
        return Err(Error::NotAStore {
            path: path.to_owned(),
            why: "it is empty".to_owned(),
        });
    }
    if found == Found::Empty {
        // Before the first page; every process that creates says the same.
        conn.pragma_update(None, "page_size", 4096).db()?;
        conn.pragma_update(None, "auto_vacuum", "INCREMENTAL")
            .db()?;
    }
    if found == Found::Original {
        // Before anything else is changed: what is not adopted stays as it is.
        make(conn, path, config)?;
    }
    into_wal(conn, config.busy_timeout)?;
    let full = match config.durability {
        Durability::Full => "FULL",
        Durability::Relaxed => "NORMAL",
    };
    conn.pragma_update(None, "synchronous", full).db()?;
    conn.pragma_update(None, "secure_delete", "FAST").db()?;
    if cfg!(target_os = "macos") {
        conn.pragma_update(None, "fullfsync", true).db()?;
        conn.pragma_update(None, "checkpoint_fullfsync", true)
            .db()?;
    }
    if found == Found::Empty || version(conn)? < FORMAT {
        make(conn, path, config)?;
    }
    Catalog::read(&*read_transaction(conn)?)
}

/// What is read in several statements must be of one moment: another process
/// may be making the store, or a table.
fn read_transaction(conn: &Connection) -> Result<rusqlite::Transaction<'_>> {
    rusqlite::Transaction::new_unchecked(conn, TransactionBehavior::Deferred).db()
}

/// A store in a file that is empty, in a transaction that is not committed yet,
/// whose history begins then. The file is synced by whoever publishes it.
pub(super) fn fresh(path: &Path, config: &Config, begins: Idx) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = connection(path, flags, config)?;
    conn.pragma_update(None, "page_size", 4096).db()?;
    conn.pragma_update(None, "auto_vacuum", "INCREMENTAL")
        .db()?;
    conn.pragma_update(None, "journal_mode", "OFF").db()?;
    conn.pragma_update(None, "synchronous", "OFF").db()?;
    conn.execute_batch("BEGIN IMMEDIATE").db()?;
    migrate::create(&conn, config.clock.now(), Some(begins))?;
    Ok(conn)
}

/// Makes the file a store of the newest format, in one transaction.
fn make(conn: &Connection, path: &Path, config: &Config) -> Result<()> {
    let tx = rusqlite::Transaction::new_unchecked(conn, TransactionBehavior::Immediate).db()?;
    // Another process may have made the store meanwhile.
    match recognise(&tx, path, true)? {
        Found::Empty => migrate::create(&tx, config.clock.now(), None)?,
        Found::Original => adopt::adopt(&tx, path, config.clock.now())?,
        Found::Store => {}
    }
    migrate::migrate(&tx)?;
    tx.commit().db()
}

/// Switching to WAL needs the file alone for a moment, and does not wait by
/// itself while others do the same.
fn into_wal(conn: &Connection, timeout: Duration) -> Result<()> {
    let deadline = Instant::now() + timeout;
    loop {
        let mode: rusqlite::Result<String> =
            conn.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0));
        match mode {
            Ok(mode) if mode == "wal" => return Ok(()),
            Ok(_) if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(2)),
            Err(error) if is_busy(&error) && Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(2));
            }
            Ok(mode) => {
                return Err(Error::Sqlite {
                    path: PathBuf::new(),
                    code: 0,
                    message: format!("the file stays in journal mode {mode}"),
                });
            }
            Err(error) => return Err(error).db(),
        }
    }
}

fn is_busy(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{DatabaseBusy, DatabaseLocked};
    matches!(
        error.sqlite_error_code(),
        Some(DatabaseBusy | DatabaseLocked)
    )
}

/// The format that the file's header names.
pub(super) fn version(conn: &Connection) -> Result<i64> {
    conn.query_row("PRAGMA user_version", [], |row| row.get(0))
        .db()
}

/// Tells a store from other files, and refuses what is neither.
fn recognise(conn: &Connection, path: &Path, may_write: bool) -> Result<Found> {
    let application: i64 = conn
        .query_row("PRAGMA application_id", [], |row| row.get(0))
        .db()
        .map_err(|error| foreign(path, error))?;
    let refuse = |why: String| {
        Err(Error::NotAStore {
            path: path.to_owned(),
            why,
        })
    };
    if application == APPLICATION_ID {
        let found = version(conn)?;
        return if found > FORMAT {
            Err(Error::NewerFormat {
                path: path.to_owned(),
                found,
                supported: FORMAT,
            })
        } else if found < FORMAT && !may_write {
            refuse(format!(
                "its format {found} is older: open it once for writing"
            ))
        } else {
            Ok(Found::Store)
        };
    }
    let tables: i64 = conn
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .db()?;
    // SQLite takes a file of one byte for an empty one.
    let one_byte = fs::metadata(path).is_ok_and(|meta| meta.len() == 1);
    if application == 0 && tables == 0 && one_byte {
        return refuse("it is no SQLite database".to_owned());
    }
    if application == 0 && tables == 0 && may_write {
        return Ok(Found::Empty);
    }
    if application == 0 && tables == 0 {
        return refuse("it is empty".to_owned());
    }
    match adopt::recognise(conn)? {
        _ if application != 0 => refuse("it is another program's SQLite database".to_owned()),
        Err(why) => refuse(format!("it is another program's SQLite database ({why})")),
        Ok(()) if may_write => Ok(Found::Original),
        Ok(()) => refuse(
            "it was written by the original packages: open it once for writing to adopt it"
                .to_owned(),
        ),
    }
}

/// How long the mirror's keeper waits for another process's write at a time:
/// writers of this process wait meanwhile, too.
const KEEPER_WAITS: Duration = Duration::from_millis(100);

/// The connection that keeps the mirror of the file with this key.
pub(crate) fn keeper(path: &Path, config: &Config, key: FileKey) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = connection(path, flags, config)?;
    if file_key(path) != Some(key) {
        return Err(Error::Replaced {
            path: path.to_owned(),
            why: "it was removed, renamed or replaced".to_owned(),
        });
    }
    conn.busy_timeout(KEEPER_WAITS).db()?;
    conn.pragma_update(None, "synchronous", "FULL").db()?;
    conn.pragma_update(None, "cache_size", -2048).db()?;
    Ok(conn)
}

/// The connection that checkpoints while the store is idle.
pub(crate) fn checkpointer(path: &Path, key: FileKey, config: &Config) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = connection(path, flags, config)?;
    is_file(path, key)?;
    // Another process's writes are not waited for: there is a next time.
    conn.busy_timeout(Duration::ZERO).db()?;
    conn.pragma_update(None, "synchronous", "FULL").db()?;
    conn.pragma_update(None, "cache_size", -256).db()?;
    if cfg!(target_os = "macos") {
        conn.pragma_update(None, "checkpoint_fullfsync", true)
            .db()?;
    }
    Ok(conn)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::State;

    #[test]
    fn the_idle_checkpoint_is_of_the_very_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("data.db");
        let options = State::options();
        let state = options.clone().open(&path).expect("a store");
        let key = state.store().identity.key();
        let open = || checkpointer(&path, key, options.config()).map(|_| ());
        open().expect("the very file");
        fs::remove_file(&path).expect("a file");
        fs::write(&path, "").expect("another file");
        let refused = open();
        assert!(
            matches!(refused, Err(Error::Replaced { .. })),
            "{refused:?}"
        );
    }
}
