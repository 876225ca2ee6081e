//! A folder into the lake.
//!
//! What must hold: a file is read again unless its size, time and mode are those
//! of its current version; a time that a later change could still have is not
//! relied on; no transaction waits for a file to be read; a file that cannot be
//! read does not keep the others out. What is in memory grows with the number of files,
//! not with their sizes.

use std::fs::{self, Metadata};
use std::io::Read as _;
use std::path::Path;
use std::sync::mpsc::{Receiver, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use dkdc_state::{ErrorKind, Packed, TxTable, Versioned};
use jiff::Timestamp;

use super::known::Seen;
use super::sort::{Current, Job, Told, sort};
use super::stat::Stat;
use super::walk;
use super::{AddOptions, Done, Gauge, Telling, TreeReport, on_disk, plain};
use crate::content::{Content, SMALL, Taken};
use crate::error::{Error, Result};
use crate::file::{File, NewFile};
use crate::id::uuid;
use crate::kind::kind_of;
use crate::lake::Lake;
use crate::name::FileName;
use crate::put::Edit;
use crate::read;

/// Files, and bytes of small ones, in one transaction.
const FILES: usize = 1000;
const BYTES: u64 = 4 << 20;
/// As many that were read and wait to be written.
const AHEAD: usize = 1;
/// Threads that read, hash and compress.
const READERS: usize = 2;
/// Two changes so far apart have different times on every file system in use.
const TICK: Duration = Duration::from_millis(50);

/// A file that was read.
struct Ready {
    job: Job,
    taken: Taken,
    mode: Option<i64>,
    mtime: Option<Timestamp>,
    /// Its record, if the lake did not have it: made beside writing, too.
    new: Option<File>,
}

/// The path in the lake that a folder's files go below, and whose they are.
type Below<'p> = (Option<&'p str>, Option<&'p str>);

/// A file that was read, or of which there is only something to tell.
type Read = Result<Ready, Told>;

impl Lake {
    /// Adds the files of a folder and of those in it: new ones, and new versions
    /// of those that changed. One whose size, time and mode are as the lake has
    /// them costs a `stat`. `tell` hears of each file, by its path below the
    /// folder; one that cannot be read is told and does not stop the others.
    ///
    /// ```
    /// use dkdc_lake::{AddOptions, Lake};
    /// # let folder = tempfile::tempdir()?;
    /// # let lake = Lake::open(folder.path().join("data.db"))?;
    /// let tree = folder.path().join("reports");
    /// std::fs::create_dir_all(tree.join("2026"))?;
    /// std::fs::write(tree.join("2026/june.csv"), "a,b\n1,2\n")?;
    /// let options = AddOptions::new("reports");
    /// assert_eq!(lake.add(&tree, &options, &mut |_, _| {})?.new, 1);
    /// assert_eq!(lake.add(&tree, &options, &mut |_, _| {})?.unchanged, 1);
    /// assert_eq!(lake.read_to_vec(&"reports/2026/june.csv".parse()?)?, b"a,b\n1,2\n");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Disk`] when the folder cannot be read, [`Error::InvalidName`] for
    /// a path or a pattern that is none, the state's errors.
    pub fn add(
        &self,
        folder: &Path,
        options: &AddOptions,
        tell: &mut dyn FnMut(&str, Done<'_>),
    ) -> Result<TreeReport> {
        let mut telling = Telling::new(tell);
        let path = plain(&options.path)?;
        let path = path.as_deref();
        let place = (path, options.user.as_deref());
        let walk = walk::walk(folder, options, self.state().path())?;
        let left = std::thread::scope(|scope| {
            let (to_read, jobs) = channel();
            let (to_tell, told) = channel();
            let find = move || sort(self, options, path, walk, (&to_read, &to_tell));
            let sorting = scope.spawn(find);
            // Nothing more is found when all who read are gone.
            let jobs = Arc::new(Mutex::new(jobs));
            let (send, batches) = sync_channel(AHEAD);
            for _ in 0..READERS {
                let (send, jobs) = (send.clone(), Arc::clone(&jobs));
                scope.spawn(move || {
                    loop {
                        let batch = self.read_batch(&jobs, place, &options.gauge);
                        if batch.is_empty() || send.send(batch).is_err() {
                            return;
                        }
                    }
                });
            }
            drop((send, jobs));
            for batch in batches {
                told.try_iter()
                    .for_each(|told: Told| told.tell(&mut telling));
                let mut ready = Vec::with_capacity(batch.len());
                for read in batch {
                    match read {
                        Ok(file) => ready.push(file),
                        Err(told) => told.tell(&mut telling),
                    }
                }
                self.write_batch(&ready, place, &mut telling)?;
            }
            told.iter().for_each(|told| told.tell(&mut telling));
            let sorted = sorting.join();
            sorted.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })?;
        if options.delete {
            self.delete_gone(folder, left, options.dry_run, &mut telling)?;
        }
        Ok(telling.report)
    }

    /// Reads as many of the files as one transaction writes; none when all are read.
    fn read_batch(
        &self,
        jobs: &Mutex<Receiver<Job>>,
        place: Below<'_>,
        gauge: &Gauge,
    ) -> Vec<Read> {
        let next = || jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let (mut batch, mut bytes) = (Vec::new(), 0);
        while batch.len() < FILES
            && bytes < BYTES
            && let Ok(job) = next()
        {
            let below = job.below.clone();
            let read = self.read_job(job, place, gauge);
            let read = read.map_err(|error| Told::failed(below, error));
            if let Ok(ready) = &read {
                bytes += ready.taken.content.size().min(SMALL);
            }
            batch.push(read);
        }
        batch
    }

    fn read_job(&self, job: Job, place: Below<'_>, gauge: &Gauge) -> Result<Ready> {
        let failed = |error| on_disk(&job.path, error);
        let mut file = open(&job.path).map_err(failed)?;
        let meta = file.metadata().map_err(failed)?;
        if !meta.is_file() {
            return Err(failed(std::io::Error::other(
                "it is no regular file any more",
            )));
        }
        wait_for_tick(&meta);
        let taken = if meta.len() <= SMALL {
            let capacity = usize::try_from(meta.len()).unwrap_or(0) + 1;
            let mut bytes = Vec::with_capacity(capacity);
            let read = (&mut file).take(SMALL + 1).read_to_end(&mut bytes);
            gauge.add(read.map_err(failed)? as u64);
            Taken {
                kind: kind_of(&bytes),
                content: Content::Small(Packed::new(&bytes)),
            }
        } else {
            let content = gauge.of(&mut file);
            Content::take(self.state(), &FileName::new(&job.below), content)?
        };
        // A time before a change that came while it was read is not kept.
        let (before, after) = (Stat::of(&meta), file.metadata().map_err(failed)?);
        let after = Stat::of(&after);
        let unmoved = after.size == taken.content.size() && after.mtime == before.mtime;
        let mut ready = Ready {
            mode: before.mode,
            mtime: before.mtime.filter(|_| unmoved),
            taken,
            job,
            new: None,
        };
        if ready.job.current.is_none() {
            ready.new = Some(first(&ready, place)?);
        }
        Ok(ready)
    }

    fn write_batch(
        &self,
        batch: &[Ready],
        place: Below<'_>,
        telling: &mut Telling<'_>,
    ) -> Result<()> {
        if batch.is_empty() {
            return Ok(());
        }
        let written = self.state().transaction(|tx| {
            let files = tx.table::<File>()?;
            for ready in batch {
                ready.taken.content.put(tx)?;
            }
            files.append_all(batch.iter().filter_map(|ready| ready.new.as_ref()))?;
            let write = |ready: &Ready| match &ready.job.current {
                None => Ok(true),
                Some(seen) => {
                    let current = still(&files, seen, &name_of(ready, place)?)?;
                    write(&files, ready, Some(current), place)
                }
            };
            batch.iter().map(write).collect::<Result<Vec<bool>>>()
        });
        let written = match written {
            Ok(written) => written,
            // Somebody else wrote one of them meanwhile: each by itself, then.
            Err(error) if is_race(&error) => return self.write_each(batch, place, telling),
            Err(error) => return Err(error),
        };
        for (ready, written) in batch.iter().zip(written) {
            tell_written(ready, ready.job.current.is_some(), written, telling);
        }
        Ok(())
    }

    fn write_each(
        &self,
        batch: &[Ready],
        place: Below<'_>,
        telling: &mut Telling<'_>,
    ) -> Result<()> {
        for ready in batch {
            let written = self.state().transaction(|tx| {
                let files = tx.table::<File>()?;
                ready.taken.content.put(tx)?;
                let current = read::find(&files, &name_of(ready, place)?)?;
                let was_there = current.is_some();
                Ok::<_, Error>((was_there, write(&files, ready, current, place)?))
            });
            match written {
                Ok((was_there, written)) => tell_written(ready, was_there, written, telling),
                Err(error) if error.kind() == ErrorKind::Input => {
                    telling.tell(&ready.job.below, Done::Failed(&error.to_string()), 0);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Deletes what is in the lake and not on the disk.
    fn delete_gone(
        &self,
        folder: &Path,
        left: Current,
        dry_run: bool,
        telling: &mut Telling<'_>,
    ) -> Result<()> {
        // What is excluded now stays, and what could not be looked at.
        let gone = |below: &String| match fs::symlink_metadata(folder.join(below)) {
            Ok(meta) => !meta.is_file(),
            Err(error) => matches!(
                error.kind(),
                std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory
            ),
        };
        let gone = left.into_iter().filter(|(below, _)| gone(below));
        let (names, gone): (Vec<String>, Vec<Seen>) =
            gone.map(|(below, file)| (below, Seen::of(file))).unzip();
        if !dry_run && !gone.is_empty() {
            self.state().transaction(|tx| {
                let files = tx.table::<File>()?;
                let delete = |file: &Seen| files.delete_if(&file.id, file.idx).map(drop);
                gone.iter().try_for_each(delete)
            })?;
        }
        for name in names {
            telling.tell(&name, Done::Deleted, 0);
        }
        Ok(())
    }
}

fn tell_written(ready: &Ready, was_there: bool, written: bool, telling: &mut Telling<'_>) {
    let done = match (was_there, written) {
        (_, false) => Done::Unchanged,
        (true, true) => Done::Changed,
        (false, true) => Done::New,
    };
    telling.tell(&ready.job.below, done, ready.taken.content.size());
}

fn name_of(ready: &Ready, (path, user): Below<'_>) -> Result<FileName> {
    let below = &ready.job.below;
    let whole = path.map_or(below.clone(), |path| format!("{path}/{below}"));
    let mut name = FileName::parse(&whole)?.plain()?;
    name.user = user.map(str::to_owned);
    Ok(name)
}

/// The first record of a file.
fn first(ready: &Ready, place: Below<'_>) -> Result<File> {
    let new = NewFile::new(name_of(ready, place)?).or_kind(ready.taken.kind);
    Ok(edit(ready).first(new, uuid()?, ready.taken.content.blob()))
}

fn edit(ready: &Ready) -> Edit {
    Edit::new().mode(ready.mode).mtime(ready.mtime)
}

/// Writes a file's version; false when it is like that already.
fn write(
    files: &TxTable<'_, '_, '_, File>,
    ready: &Ready,
    current: Option<Versioned<File>>,
    place: Below<'_>,
) -> Result<bool> {
    match current {
        Some(current) => {
            let record = edit(ready).over(&current, ready.taken.content.blob());
            if record == current.record {
                return Ok(false);
            }
            files.update_if(&record, current.idx())?;
        }
        None => {
            files.append(&first(ready, place)?)?;
        }
    }
    Ok(true)
}

/// The version that was looked at, unless somebody has written another since.
fn still(
    files: &TxTable<'_, '_, '_, File>,
    seen: &Seen,
    name: &FileName,
) -> Result<Versioned<File>> {
    let current = files.get(&seen.id)?.filter(|file| file.idx() == seen.idx);
    current.ok_or_else(|| read::not_found(name))
}

/// True for what another writer of the same files causes.
fn is_race(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Conflict | ErrorKind::AlreadyExists | ErrorKind::NotFound | ErrorKind::Input
    )
}

/// A change right after this one could have the same time: waits until none can,
/// so that what is read from here on is what the time stands for.
#[expect(
    clippy::disallowed_methods,
    reason = "the file system's time is compared with the system's; nothing is ordered by it"
)]
fn wait_for_tick(meta: &Metadata) {
    let Some(age) = meta
        .modified()
        .ok()
        .and_then(|time| std::time::SystemTime::now().duration_since(time).ok())
    else {
        return;
    };
    if let Some(left) = TICK.checked_sub(age) {
        std::thread::sleep(left);
    }
}

/// Opens a file, and neither a link nor a pipe that took its place.
#[cfg(unix)]
fn open(path: &Path) -> std::io::Result<fs::File> {
    use rustix::fs::{Mode, OFlags};
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    Ok(fs::File::from(rustix::fs::open(
        path,
        flags,
        Mode::empty(),
    )?))
}

#[cfg(not(unix))]
fn open(path: &Path) -> std::io::Result<fs::File> {
    fs::File::open(path)
}
