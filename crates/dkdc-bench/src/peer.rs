//! The peers: plain SQLite, as one would write it by hand for one purpose.
//!
//! Same library, WAL, page size, page cache and durability as dkdc's; cached
//! statements; nothing else. They keep no history by record, check nothing and
//! hash nothing.

#![expect(
    clippy::disallowed_methods,
    reason = "a peer is SQLite without the log; its files are its own"
)]

use std::path::Path;
use std::time::Duration;

use dkdc_state::Durability;
use rusqlite::{Connection, OptionalExtension, params};

use crate::Result;
use crate::sample::Text;

/// As in dkdc: 64 MiB.
const CACHE_KIB: i64 = 64 << 10;
/// As in dkdc: plain SQLite's own 1000 would make the peers slower.
const CHECKPOINT_PAGES: i64 = 4000;

const COLUMNS: &str = "user_id TEXT, subject TEXT, body TEXT, priority INTEGER, status TEXT, \
                       description TEXT, labels TEXT";
const NAMES: &str = "user_id, subject, body, priority, status, description, labels";

/// A connection set up as dkdc's are.
pub(crate) fn open(path: &Path) -> Result<Connection> {
    let conn = Connection::open(path)?;
    conn.pragma_update(None, "page_size", 4096)?;
    conn.pragma_update(None, "journal_mode", "WAL")?;
    conn.pragma_update(None, "cache_size", -CACHE_KIB)?;
    conn.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    conn.busy_timeout(Duration::from_secs(30))?;
    Ok(conn)
}

fn durability(conn: &Connection, durability: Durability) -> Result<()> {
    let synchronous = match durability {
        Durability::Full => "FULL",
        Durability::Relaxed => "NORMAL",
    };
    Ok(conn.pragma_update(None, "synchronous", synchronous)?)
}

/// Peer A: one append-only table.
pub(crate) struct Log {
    conn: Connection,
}

const APPEND: &str = "INSERT INTO todos(id, user_id, subject, body, priority, status, description, \
                      labels) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";

impl Log {
    pub(crate) fn create(path: &Path) -> Result<Log> {
        let conn = open(path)?;
        conn.execute_batch(&format!(
            "CREATE TABLE todos(idx INTEGER PRIMARY KEY, id TEXT NOT NULL, {COLUMNS}) STRICT"
        ))?;
        let log = Log { conn };
        log.durability(Durability::Full)?;
        Ok(log)
    }

    /// Adds the indexes that dkdc's todos declare.
    pub(crate) fn index(&self) -> Result<()> {
        Ok(self.conn.execute_batch(
            "CREATE INDEX by_priority ON todos(priority, idx DESC);
             CREATE INDEX by_user ON todos(user_id, priority, idx DESC);",
        )?)
    }

    pub(crate) fn durability(&self, level: Durability) -> Result<()> {
        durability(&self.conn, level)
    }

    /// One version in a transaction of its own; an update is no different.
    pub(crate) fn append(&self, todo: &Text) -> Result<()> {
        let mut statement = self.conn.prepare_cached(APPEND)?;
        insert(&mut statement, todo)
    }

    pub(crate) fn append_all(&mut self, todos: &[Text]) -> Result<()> {
        let tx = self.conn.transaction()?;
        let mut statement = tx.prepare_cached(APPEND)?;
        for todo in todos {
            insert(&mut statement, todo)?;
        }
        drop(statement);
        Ok(tx.commit()?)
    }
}

fn insert(statement: &mut rusqlite::Statement<'_>, todo: &Text) -> Result<()> {
    statement.execute(params![
        todo.id,
        todo.user_id,
        todo.subject,
        todo.body,
        todo.priority,
        todo.status,
        todo.description,
        todo.labels
    ])?;
    Ok(())
}

/// Peer B: one table, keyed by id, that holds the latest row.
pub(crate) struct Latest {
    conn: Connection,
    get: String,
}

impl Latest {
    /// SQLite keeps the rows in the key's tree (`clustered`: WITHOUT ROWID) or
    /// the key in a tree beside them; which is faster depends on the rows.
    pub(crate) fn create(path: &Path, clustered: bool) -> Result<Latest> {
        let conn = open(path)?;
        durability(&conn, Durability::Relaxed)?;
        let options = if clustered {
            "STRICT, WITHOUT ROWID"
        } else {
            "STRICT"
        };
        conn.execute_batch(&format!(
            "CREATE TABLE todos(id TEXT PRIMARY KEY NOT NULL, {COLUMNS}) {options}"
        ))?;
        let get = format!("SELECT id, {NAMES} FROM todos WHERE id = ?1");
        Ok(Latest { conn, get })
    }

    pub(crate) fn fill(&mut self, todos: &[Text]) -> Result<()> {
        let tx = self.conn.transaction()?;
        let mut statement = tx.prepare_cached(APPEND)?;
        for todo in todos {
            insert(&mut statement, todo)?;
        }
        drop(statement);
        Ok(tx.commit()?)
    }

    pub(crate) fn get(&self, id: &str) -> Result<Option<Text>> {
        let mut statement = self.conn.prepare_cached(&self.get)?;
        let found = statement.query_row([id], |row| {
            Ok(Text {
                id: row.get(0)?,
                user_id: row.get(1)?,
                subject: row.get(2)?,
                body: row.get(3)?,
                priority: row.get(4)?,
                status: row.get(5)?,
                description: row.get(6)?,
                labels: row.get(7)?,
            })
        });
        Ok(found.optional()?)
    }

    pub(crate) fn contains(&self, id: &str) -> Result<bool> {
        let mut statement = self
            .conn
            .prepare_cached("SELECT 1 FROM todos WHERE id = ?1")?;
        Ok(statement.exists([id])?)
    }
}
