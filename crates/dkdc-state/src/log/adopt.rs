//! stub
use std::path::Path;
use rusqlite::Connection;
use crate::error::Result;
pub(crate) fn recognise(_: &Connection) -> Result<Result<(), String>> { Ok(Err("stub".into())) }
pub(crate) fn adopt(_: &Connection, _: &Path, _: i64) -> Result<()> { Ok(()) }
