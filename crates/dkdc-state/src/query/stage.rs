//! What stands ready for questions: the views of every table, made of the
//! mirror's files as they were last seen.
//!
//! A question sees the views as they were when its transaction began, whatever
//! others need meanwhile: DuckDB keeps versions of its catalog as of its rows.

use std::sync::{Mutex, PoisonError};

use duckdb::Connection;

use super::engine::refused;
use super::scan::Pinned;
use super::views;
use crate::error::Result;
use crate::mirror::Pieces;
use crate::record::Idx;

/// What the views are made of.
#[derive(Default)]
pub(super) struct Stage {
    ready: Mutex<Ready>,
}

#[derive(Default)]
struct Ready {
    /// The newest event.
    event: Option<Idx>,
    /// By table number minus one.
    pieces: Vec<Pieces>,
}

impl Stage {
    /// Begins a question's transaction, in which the views are right for its
    /// snapshot.
    pub(super) fn enter(&self, connection: &Connection, pinned: &Pinned) -> Result<()> {
        let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        ready.refresh(connection, pinned)?;
        // At once, by `immediate_transaction_mode`: what others make from here
        // on is not seen.
        connection.execute_batch("BEGIN").map_err(refused)?;
        drop(ready);
        let tables = pinned.catalog.tables.iter().zip(&pinned.pieces);
        let older = tables.filter(|(_, pieces)| {
            let current = pieces.current.as_ref();
            current.is_some_and(|(_, upto)| *upto > pinned.idx())
        });
        let hidden: String = older
            .map(|(meta, pieces)| views::hide_by_older(meta, pieces))
            .collect();
        if !hidden.is_empty() {
            connection.execute_batch(&hidden).map_err(refused)?;
        }
        Ok(())
    }
}

impl Ready {
    /// Makes the views those of the tables there are now.
    fn refresh(&mut self, connection: &Connection, pinned: &Pinned) -> Result<()> {
        let event = Some(pinned.catalog.event);
        let all = self.event != event;
        if !all && self.pieces == pinned.pieces {
            return Ok(());
        }
        let mut sql = String::new();
        if self.event.is_none() {
            sql += "CREATE SCHEMA IF NOT EXISTS history;\n";
        }
        for (at, (meta, pieces)) in pinned.catalog.tables.iter().zip(&pinned.pieces).enumerate() {
            if all || self.pieces.get(at) != Some(pieces) {
                sql += &views::create(meta, pieces);
            }
        }
        // When this fails, they are made again.
        self.event = None;
        connection.execute_batch(&sql).map_err(refused)?;
        self.event = event;
        self.pieces.clone_from(&pinned.pieces);
        Ok(())
    }
}
