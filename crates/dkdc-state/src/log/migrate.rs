//! From one format to the next.
//!
//! An ordered table of functions; step `n` makes format `n + 1` out of format
//! `n`. Creation is the first step. All steps that are due run in the caller's
//! one transaction, so that a crash leaves the old format or the new one.

use rusqlite::Connection;
use serde_json::json;

use super::format::{self, APPLICATION_ID, FORMAT};
use super::{DbResult, damaged, event, hash, open};
use crate::error::Result;
use crate::record::Idx;

/// One step, and the tables that it makes.
struct Step {
    run: fn(&Connection) -> Result<()>,
    makes: &'static [&'static str],
}

/// Format 1 is the oldest; [`create`] makes the newest.
const STEPS: [Step; 2] = [
    Step {
        run: content_in_pieces,
        makes: &["_dkdc_reused"],
    },
    Step {
        run: pruned_and_requests,
        makes: &format::TABLE_NAMES_3,
    },
];

/// Format 2: content may be compressed or in pieces, and may be put again.
fn content_in_pieces(conn: &Connection) -> Result<()> {
    let reused = "CREATE TABLE _dkdc_reused(number INTEGER PRIMARY KEY, put INTEGER NOT NULL) \
                  STRICT;\n";
    conn.execute_batch(&(reused.to_owned() + &format::guards("_dkdc_reused")))
        .db()
}

/// Format 3: rows may be pruned, and requests are remembered.
fn pruned_and_requests(conn: &Connection) -> Result<()> {
    conn.execute_batch(format::TABLES_3).db()?;
    for table in format::TABLE_NAMES_3 {
        conn.execute_batch(&format::guards(table)).db()?;
    }
    Ok(())
}

/// Makes an empty store inside the connection's transaction. History begins
/// `begins`, for a file that brings its own, or now.
pub(crate) fn create(conn: &Connection, now: i64, begins: Option<Idx>) -> Result<()> {
    // A clock that was never set; numbers begin after `Idx::ZERO`.
    let now = now.max(1);
    conn.pragma_update(None, "application_id", APPLICATION_ID)
        .db()?;
    conn.pragma_update(None, "user_version", FORMAT).db()?;
    conn.execute_batch(format::STORE_TABLES).db()?;
    conn.execute_batch(format::TABLES_3).db()?;
    for table in format::STORE_TABLE_NAMES {
        conn.execute_batch(&format::guards(table)).db()?;
    }
    let mut id = [0; 16];
    hash::random(&mut id)?;
    let id = uuid::Builder::from_random_bytes(id).into_uuid();
    let first = begins.unwrap_or(Idx(now));
    conn.execute(
        "INSERT INTO _dkdc_store(one, id, created, begins) VALUES (1, ?1, ?2, ?3)",
        (id.to_string(), now, first.as_micros()),
    )
    .db()?;
    // An adopted store gets its event from the adoption, after its rows.
    if begins.is_none() {
        let detail = json!({"store": id.to_string(), "format": FORMAT});
        event::insert(conn, &id, Idx(now), event::EventKind::Create, None, &detail)?;
    }
    Ok(())
}

/// Runs the steps that are due.
pub(crate) fn migrate(conn: &Connection) -> Result<()> {
    let from = open::version(conn)?;
    let done = usize::try_from(from - 1).unwrap_or(0);
    for step in STEPS.iter().skip(done) {
        for table in step.makes {
            let made: bool = conn
                .query_row(
                    "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = ?1)",
                    [table],
                    |row| row.get(0),
                )
                .db()?;
            if made {
                return Err(damaged(format!(
                    "its header says format {from}, but it has {table}, which came later"
                )));
            }
        }
        (step.run)(conn)?;
    }
    conn.pragma_update(None, "user_version", FORMAT).db()
}
