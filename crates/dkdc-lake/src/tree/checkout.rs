//! Files of the lake into a folder.
//!
//! What must hold: [`super::target`]'s promises; a file that is there already,
//! with this size and time or this content, is left alone, so that an interrupted
//! run goes on where it was; a file that cannot be written does not keep the
//! others out.

mod staging;

use std::collections::HashMap;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::path::Path;

use dkdc_state::Versioned;
use rustix::fs::{FileType, Stat};

use super::target::{self, Target};
use super::{
    CheckoutOptions, Chosen, Done, Gauge, Telling, TreeReport, below, chosen, on_disk, plain,
};
use crate::error::Result;
use crate::file::File;
use crate::id::uuid;
use crate::lake::Lake;
use crate::name::FileName;
use crate::read::not_found;
use staging::{Folders, Place, Staging};

/// Files, and bytes, that are synced together.
const FILES: usize = 20_000;
const BYTES: u64 = 256 << 20;
/// Threads that write.
const WRITERS: usize = 2;

/// A file, and where it goes.
struct Job {
    file: File,
    below: String,
    folder: Option<String>,
    name: String,
}

/// What became of a job.
enum Outcome {
    Same,
    /// Under way, under this name; replacing what is there, or not.
    Written {
        name: String,
        there: bool,
    },
    /// Under way, under its own name in a folder that the target has not.
    Staged,
    Failed(String),
}

impl Lake {
    /// Writes the files of a path, now or as of a moment, into a folder, which is
    /// made if need be. A file that is there already and is the same is left
    /// alone; one that differs is replaced if the options say so, and else told
    /// as failed. Nothing outside the folder is written, no link in it is
    /// followed, and no file is there half-written under its own name.
    ///
    /// ```
    /// use dkdc_lake::{CheckoutOptions, Edit, Lake};
    /// # let folder = tempfile::tempdir()?;
    /// # let lake = Lake::open(folder.path().join("data.db"))?;
    /// lake.put(&"reports/2026/june.csv".parse()?, &Edit::new(), &b"a,b\n1,2\n"[..])?;
    /// let to = folder.path().join("out");
    /// let report = lake.checkout(&to, &CheckoutOptions::new("reports"), &mut |_, _| {})?;
    /// assert_eq!(report.new, 1);
    /// assert_eq!(std::fs::read(to.join("2026/june.csv"))?, b"a,b\n1,2\n");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotFound`](crate::Error::NotFound) when no file is there; [`Error::Disk`](crate::Error::Disk) when the folder
    /// cannot be written.
    pub fn checkout(
        &self,
        to: &Path,
        options: &CheckoutOptions,
        tell: &mut dyn FnMut(&str, Done<'_>),
    ) -> Result<TreeReport> {
        let mut telling = Telling::new(tell);
        let mut jobs = self.jobs(options)?;
        if options.dry_run {
            for job in &jobs {
                let bytes = u64::try_from(job.file.size).unwrap_or(0);
                telling.tell(&job.below, Done::New, bytes);
            }
            return Ok(telling.report);
        }
        let bytes = jobs.iter().map(|job| job.file.data.size).sum();
        options.gauge.expect(bytes);
        let failed = |error| on_disk(to, error);
        let target = Target::open(to, &uuid()?).map_err(failed)?;
        if target.ignores_case {
            jobs = without_collisions(jobs, &mut telling);
        }
        let mut rest = &jobs[..];
        while !rest.is_empty() {
            let mut bytes = 0;
            let fits = rest.iter().take(FILES).take_while(|job| {
                let before = bytes;
                bytes += u64::try_from(job.file.size).unwrap_or(0);
                before < BYTES
            });
            let (batch, later) = rest.split_at(fits.count().max(1));
            self.write_files(&target, batch, options, &mut telling)
                .map_err(failed)?;
            rest = later;
        }
        target.sync().map_err(failed)?;
        Ok(telling.report)
    }

    fn jobs(&self, options: &CheckoutOptions) -> Result<Vec<Job>> {
        let user = options.user.as_deref();
        let Chosen {
            mut files, path, ..
        } = match options.at {
            Some(at) => chosen(self.at(at)?.table(), user, &options.path)?,
            None => chosen(self.table(), user, &options.path)?,
        };
        // Of an empty lake everything is nothing.
        if files.is_empty() && plain(&options.path)?.is_some() {
            return Err(not_found(&FileName::parse(&options.path)?));
        }
        files.sort_unstable_by(|one, other| {
            (&one.path, &one.filename).cmp(&(&other.path, &other.filename))
        });
        Ok(files
            .into_iter()
            .map(|file| job(file, path.as_deref()))
            .collect())
    }

    /// Writes files under way, syncs them together, and gives them their names.
    fn write_files(
        &self,
        target: &Target,
        jobs: &[Job],
        options: &CheckoutOptions,
        telling: &mut Telling<'_>,
    ) -> io::Result<()> {
        let staging = Staging::plan(target, jobs.iter().map(|job| job.folder.as_deref()));
        let share = jobs.len().div_ceil(WRITERS).max(1);
        let mut outcomes: Vec<Outcome> = std::thread::scope(|scope| {
            let writers = jobs.chunks(share).enumerate().map(|(writer, jobs)| {
                let staging = &staging;
                scope.spawn(move || {
                    let mut folders = Folders::default();
                    let write = |(number, job): (usize, &Job)| {
                        let place = staging.place(job.folder.as_deref());
                        let outcome = match folders.get(target, &place) {
                            Err(error) => Err(error),
                            Ok(folder) if place.is_staged() => {
                                self.stage(folder, job, &options.gauge)
                            }
                            Ok(folder) => {
                                let name = format!("{writer}-{number}");
                                self.write_beside(target, folder, job, name, options)
                            }
                        };
                        outcome.unwrap_or_else(|error| Outcome::Failed(error.to_string()))
                    };
                    jobs.iter().enumerate().map(write).collect::<Vec<_>>()
                })
            });
            let writers: Vec<_> = writers.collect();
            let joined = writers.into_iter().flat_map(|writer| {
                let outcome = writer.join();
                outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            });
            joined.collect()
        });
        target.sync()?;
        let published = staging.publish(target);
        let mut folders = (Folders::default(), Folders::default());
        for (job, outcome) in jobs.iter().zip(&mut outcomes) {
            if let Err(error) = publish(target, job, outcome, &staging, &published, &mut folders) {
                *outcome = Outcome::Failed(error.to_string());
            }
        }
        for (job, outcome) in jobs.iter().zip(&outcomes) {
            let done = match outcome {
                Outcome::Same => Done::Unchanged,
                Outcome::Written { there: true, .. } => Done::Changed,
                Outcome::Written { there: false, .. } | Outcome::Staged => Done::New,
                Outcome::Failed(why) => Done::Failed(why),
            };
            telling.tell(&job.below, done, u64::try_from(job.file.size).unwrap_or(0));
        }
        Ok(())
    }

    /// Writes a file for a folder of the target that is there, where it may be
    /// itself.
    fn write_beside(
        &self,
        target: &Target,
        folder: &OwnedFd,
        job: &Job,
        name: String,
        options: &CheckoutOptions,
    ) -> io::Result<Outcome> {
        let found = target::look(folder, &job.name)?;
        if found.as_ref().is_some_and(|stat| target.open.has(stat)) {
            return Ok(Outcome::Failed("it is a store that is open".to_owned()));
        }
        let there = match found {
            None => false,
            Some(stat) if is_same(&job.file, folder, &job.name, &stat)? => {
                options.gauge.add(job.file.data.size);
                return Ok(Outcome::Same);
            }
            Some(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Directory => {
                return Ok(Outcome::Failed("a folder has its name".to_owned()));
            }
            Some(_) if options.replace => true,
            Some(_) => return Ok(Outcome::Failed("it is there and differs".to_owned())),
        };
        if let Some(why) = target::refused(folder, &job.name, found.as_ref().filter(|_| there))? {
            return Ok(Outcome::Failed(why.to_owned()));
        }
        self.write(target.under_way(), &name, &job.file, &options.gauge)?;
        Ok(Outcome::Written { name, there })
    }

    /// Writes a file into a folder under way that becomes one of the target.
    fn stage(&self, folder: &OwnedFd, job: &Job, gauge: &Gauge) -> io::Result<Outcome> {
        self.write(folder, &job.name, &job.file, gauge)?;
        Ok(Outcome::Staged)
    }

    fn write(&self, folder: &OwnedFd, name: &str, file: &File, gauge: &Gauge) -> io::Result<()> {
        let mode = file.mode.and_then(|mode| u32::try_from(mode & 0o777).ok());
        let mut to = target::create(folder, name, mode.unwrap_or(0o666))?;
        let written = self
            .copy(file, &mut to, gauge)
            .and_then(|()| match file.mtime {
                Some(mtime) => to.set_modified(mtime.into()),
                None => Ok(()),
            });
        if written.is_err() {
            target::discard(folder, name);
        }
        written
    }

    fn copy(&self, file: &File, to: &mut std::fs::File, gauge: &Gauge) -> io::Result<()> {
        let mut content = self.read_file(file).map_err(io::Error::other)?;
        content.each(|bytes| {
            to.write_all(bytes)?;
            gauge.add(bytes.len() as u64);
            Ok(())
        })
    }
}

/// Gives a file under way its name, unless its folder was given its own.
fn publish(
    target: &Target,
    job: &Job,
    outcome: &Outcome,
    staging: &Staging,
    published: &[bool],
    (from, to): &mut (Folders, Folders),
) -> io::Result<()> {
    let path = job.folder.as_deref();
    let place = Place::Target(path);
    match outcome {
        Outcome::Same | Outcome::Failed(_) => Ok(()),
        Outcome::Written { name, there } => {
            let under_way = (target.under_way(), name.as_str());
            target::publish(under_way, (to.get(target, &place)?, &job.name), *there)
        }
        Outcome::Staged => {
            let staged = staging.place(path);
            if staged.number().is_some_and(|number| published[number]) {
                return Ok(());
            }
            let under_way = (from.get(target, &staged)?, job.name.as_str());
            target::publish(under_way, (to.get(target, &place)?, &job.name), false)
        }
    }
}

fn job(file: Versioned<File>, base: Option<&str>) -> Job {
    let below = below(&file, base);
    let (folder, name) = match below.rsplit_once('/') {
        Some((folder, name)) => (Some(folder.to_owned()), name.to_owned()),
        None => (None, below.clone()),
    };
    Job {
        file: file.record,
        below,
        folder,
        name,
    }
}

/// Whether what is there is the file already: by size and time, else by content.
fn is_same(file: &File, folder: &OwnedFd, name: &str, stat: &Stat) -> io::Result<bool> {
    let regular = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
    if !regular || stat.st_size != file.size {
        return Ok(false);
    }
    let there = target::read(folder, name)?;
    let time = there.metadata()?.modified()?;
    let time = jiff::Timestamp::try_from(time).ok();
    if file.mtime.is_some() && time.map(crate::file::whole_microseconds) == file.mtime {
        return Ok(true);
    }
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(there)?;
    Ok(hasher.finalize().to_hex().as_str() == file.hash)
}

/// Of names that are one to the target, the first.
fn without_collisions(jobs: Vec<Job>, telling: &mut Telling<'_>) -> Vec<Job> {
    let mut seen: HashMap<String, String> = HashMap::new();
    let mut kept = Vec::new();
    for job in jobs {
        match seen.get(&job.below.to_lowercase()) {
            Some(other) => {
                let why = format!("to this file system it has the name of {other}");
                telling.tell(&job.below, Done::Failed(&why), 0);
            }
            None => {
                seen.insert(job.below.to_lowercase(), job.below.clone());
                kept.push(job);
            }
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_names_that_differ_in_case_only_the_first_is_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        let lake = Lake::open(folder.path().join("data.db")).expect("a lake");
        for name in ["a/Read.me", "a/README", "A/read.ME"] {
            let name = name.parse().expect("a name");
            lake.put(&name, &crate::Edit::new(), &b"x"[..])
                .expect("put");
        }
        let mut failed = Vec::new();
        let mut tell = |name: &str, done: Done<'_>| {
            assert!(matches!(done, Done::Failed(_)));
            failed.push(name.to_owned());
        };
        let jobs = lake.jobs(&CheckoutOptions::new("")).expect("files");
        let kept = without_collisions(jobs, &mut Telling::new(&mut tell));
        let kept: Vec<&str> = kept.iter().map(|job| job.below.as_str()).collect();
        assert_eq!(
            (kept, failed),
            (vec!["A/read.ME", "a/README"], vec!["a/Read.me".to_owned()])
        );
    }
}
