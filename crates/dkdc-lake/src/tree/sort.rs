//! What is to be done for each file that a walk finds.
//!
//! The walk, which is the disk's work, goes on beside the reading of what the lake has,
//! and beside all that is done for the files found so far.

use std::collections::HashMap;
use std::panic::resume_unwind;
use std::path::PathBuf;
use std::sync::mpsc::Sender;

use dkdc_state::Versioned;

use super::known::{Known, Seen, known};
use super::stat::Stat;
use super::walk::Found;
use super::{AddOptions, Done, Telling};
use crate::error::Result;
use crate::lake::Lake;

/// A file that is to be read.
pub(super) struct Job {
    pub(super) below: String,
    pub(super) path: PathBuf,
    pub(super) current: Option<Seen>,
}

/// A file of which there is only something to tell.
pub(super) struct Told {
    below: String,
    fate: Fate,
}

enum Fate {
    Unchanged,
    /// Of so many bytes; nothing is written.
    New(u64),
    Changed(u64),
    Skipped(&'static str),
    Failed(String),
}

impl Told {
    pub(super) fn failed(below: String, why: impl ToString) -> Told {
        let fate = Fate::Failed(why.to_string());
        Told { below, fate }
    }

    pub(super) fn tell(&self, telling: &mut Telling<'_>) {
        let (done, bytes) = match &self.fate {
            Fate::Unchanged => (Done::Unchanged, 0),
            Fate::New(bytes) => (Done::New, *bytes),
            Fate::Changed(bytes) => (Done::Changed, *bytes),
            Fate::Skipped(why) => (Done::Skipped(why), 0),
            Fate::Failed(why) => (Done::Failed(why), 0),
        };
        telling.tell(&self.below, done, bytes);
    }
}

/// Current files of the lake, by where they are below a folder's path.
pub(super) type Current = HashMap<String, Versioned<Known>>;

/// Says for each file that is found what is to be done, or only told, until nobody asks
/// for more. Returns what the lake has and was not found.
pub(super) fn sort(
    lake: &Lake,
    options: &AddOptions,
    path: Option<&str>,
    walk: impl Iterator<Item = Found>,
    (to_read, to_tell): (&Sender<Job>, &Sender<Told>),
) -> Result<Current> {
    let user = options.user.as_deref();
    let has = move || -> Result<Current> {
        let known = known(lake, user, path)?.into_iter();
        Ok(known.map(|file| (file.below(path), file)).collect())
    };
    let mut walk = walk.fuse();
    std::thread::scope(|scope| {
        let asked = scope.spawn(has);
        // What is found until it is known what the lake has.
        let mut waiting = Vec::new();
        while !asked.is_finished()
            && let Some(found) = walk.next()
        {
            waiting.push(found);
        }
        let current = asked.join().unwrap_or_else(|panic| resume_unwind(panic));
        let mut current = current?;
        for found in waiting.into_iter().chain(walk) {
            let is_wanted = match job(found, &mut current, options) {
                Ok(job) => to_read.send(job).is_ok(),
                Err(told) => to_tell.send(told).is_ok(),
            };
            if !is_wanted {
                break;
            }
        }
        Ok(current)
    })
}

fn job(found: Found, current: &mut Current, options: &AddOptions) -> Result<Job, Told> {
    let (below, path, stat) = match found {
        Found::File { below, path, stat } => (below, path, stat),
        Found::Skipped { below, why } => {
            let fate = Fate::Skipped(why);
            return Err(Told { below, fate });
        }
        Found::Failed { below, why } => return Err(Told::failed(below, why)),
    };
    let known = current.remove(&below);
    let same = known.as_ref().is_some_and(|known| is_same(known, &stat));
    if same && !options.reread {
        let fate = Fate::Unchanged;
        return Err(Told { below, fate });
    }
    if options.dry_run {
        let of = known.map_or(Fate::New as fn(u64) -> Fate, |_| Fate::Changed);
        let fate = of(stat.size);
        return Err(Told { below, fate });
    }
    options.gauge.expect(stat.size);
    Ok(Job {
        below,
        path,
        current: known.map(Seen::of),
    })
}

fn is_same(known: &Versioned<Known>, stat: &Stat) -> bool {
    u64::try_from(known.size) == Ok(stat.size)
        && known.mode == stat.mode
        && known.mtime.is_some()
        && known.mtime == stat.mtime
        // From the future: it says nothing about when it was changed.
        && known.mtime <= Some(known.idx().timestamp())
}
