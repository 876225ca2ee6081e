//! What a question needs of the mirror: files that are held for it, and the
//! ranges of the log that they lack.

use std::path::PathBuf;

use super::{Held, Mirror};
use crate::log::manifest::Manifest;
use crate::record::Idx;

/// From where the versions of one table are read, up to any snapshot: files
/// for what can be trusted, the log for the rest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pieces {
    /// The rows that were current at a version.
    pub(crate) current: Option<Current>,
    /// Files of history, by absolute paths.
    pub(crate) files: Vec<Piece>,
    /// Where a file holds older rows than are wanted: what is wanted is newer.
    pub(crate) newer_than: Option<Idx>,
    /// Ranges of the log: after the one, up to the other.
    pub(crate) ranges: Vec<(Idx, Idx)>,
}

/// The file of a table's current rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Current {
    pub(crate) path: PathBuf,
    /// The version at which they were current.
    pub(crate) upto: Idx,
    pub(crate) bytes: u64,
}

/// One file of history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) path: PathBuf,
    pub(crate) after: Idx,
    pub(crate) upto: Idx,
}

impl Pieces {
    /// What is newer than a version.
    pub(crate) fn newer(&self, than: Idx) -> Pieces {
        let files = self.files.iter().filter(|piece| piece.upto > than);
        let files: Vec<Piece> = files.cloned().collect();
        let ranges = self.ranges.iter().filter(|(_, upto)| *upto > than);
        Pieces {
            current: None,
            newer_than: files.iter().any(|piece| piece.after < than).then_some(than),
            files,
            ranges: ranges
                .map(|(after, upto)| ((*after).max(than), *upto))
                .collect(),
        }
    }
}

impl Mirror {
    /// The pieces of one table. Its files stay while `held` has them.
    pub(crate) fn pieces(&self, manifest: &Manifest, table: u32, held: &mut Vec<Held>) -> Pieces {
        let mut pieces = Pieces::default();
        let mut at = Idx::from_micros(i64::MIN);
        for sealed in manifest.history(table) {
            match self.hold(sealed) {
                Some(file) => {
                    pieces.files.push(Piece {
                        path: file.path.clone(),
                        after: sealed.after,
                        upto: sealed.upto,
                    });
                    held.push(file);
                }
                None => pieces.ranges.push((at, sealed.upto)),
            }
            at = sealed.upto;
        }
        pieces.ranges.push((at, Idx::from_micros(i64::MAX)));
        if let Some(sealed) = manifest.current(table)
            && let Some(file) = self.hold(sealed)
        {
            pieces.current = Some(Current {
                path: file.path.clone(),
                upto: sealed.upto,
                bytes: sealed.bytes,
            });
            held.push(file);
        }
        pieces
    }
}
