//! Rounds: each a store, faults of one kind, and judgements.

mod crowd;
pub mod damage;
pub mod disk;
pub mod ends;
pub mod keeping;
mod kills;
mod planned;
mod process;
pub mod requests;
pub mod sealing;

use std::fmt;
use std::ops::AddAssign;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::{Duration, Instant};

use crate::oracle::Judged;
use crate::random::Random;
use crate::{Failure, Result};

pub use planned::{sweep, sweep_full};

/// Kinds of rounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Writers in several processes are killed, stopped and started again at
    /// random; the mirror's files are harmed meanwhile.
    Kills,
    /// One writer dies again and again at a planned operation of SQLite's, also
    /// while it recovers.
    Deaths,
    /// The same under `Durability::Relaxed`.
    RelaxedDeaths,
    /// Operations fail with EIO, and the writer goes on.
    Eio,
    /// The disk is full, and is freed again.
    Full,
    /// Reads are done by half and interrupted, as a system may, and are asked for again.
    Reads,
    /// A file seems to end in the middle of what is read, by writers and by a reader.
    Ends,
    /// The power goes off under `Durability::Full`.
    Power,
    /// The power goes off under `Durability::Relaxed`.
    Relaxed,
    /// The power goes off while something is taken away.
    PowerKeeping,
    /// One workload dies at each of a dozen operations in a row.
    Sweep,
    /// Sealing dies, or is told of errors, at its system calls.
    Sealing,
    /// Whatever takes something away dies in the middle.
    Keeping,
    /// Requests are made again after a death.
    Requests,
    /// Files are harmed behind the store's back.
    Damage,
    /// A small file system is full in earnest.
    Disk,
    /// Eight processes of eight threads.
    Crowd,
}

/// All of them.
pub const KINDS: [(&str, Kind); 17] = [
    ("kills", Kind::Kills),
    ("deaths", Kind::Deaths),
    ("relaxed-deaths", Kind::RelaxedDeaths),
    ("eio", Kind::Eio),
    ("full", Kind::Full),
    ("reads", Kind::Reads),
    ("ends", Kind::Ends),
    ("power", Kind::Power),
    ("relaxed", Kind::Relaxed),
    ("power-keeping", Kind::PowerKeeping),
    ("sweep", Kind::Sweep),
    ("sealing", Kind::Sealing),
    ("keeping", Kind::Keeping),
    ("requests", Kind::Requests),
    ("damage", Kind::Damage),
    ("disk", Kind::Disk),
    ("crowd", Kind::Crowd),
];

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = KINDS.iter().find(|(_, kind)| kind == self);
        f.pad(kind.map_or("?", |kind| kind.0))
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Kind, String> {
        let kind = KINDS.iter().find(|(name, _)| *name == text);
        kind.map(|kind| kind.1).ok_or_else(|| {
            let names = KINDS.map(|kind| kind.0);
            format!("rounds are: {}", names.join(", "))
        })
    }
}

/// What was done and what was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Rounds that were run.
    pub rounds: u64,
    /// Rounds, or parts of them, that this machine cannot run: nothing was shown by
    /// those.
    pub not_run: u64,
    /// What the last of those lacked.
    pub lacked: Option<&'static str>,
    /// Processes killed from outside, at random.
    pub kills: u64,
    /// Processes stopped for a while.
    pub stops: u64,
    /// Processes that died at a planned operation.
    pub deaths: u64,
    /// Operations that failed as planned.
    pub errors: u64,
    /// Power losses.
    pub losses: u64,
    /// Files of the mirror that were cut, altered or removed under a reader.
    pub harmed: u64,
    /// Bits flipped in files, and files cut, that were found or changed nothing.
    pub flips: u64,
    /// Snapshots that readers found whole meanwhile.
    pub snapshots: u64,
    /// Times a store was judged.
    pub judgements: u64,
    /// Acknowledged operations: all of them found.
    pub acknowledged: u64,
    /// Unacknowledged operations that were there, whole.
    pub present: u64,
    /// Unacknowledged operations that were not there.
    pub absent: u64,
    /// Acknowledged operations that a power loss took under
    /// `Durability::Relaxed`, summed over all losses.
    pub relaxed: u64,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Tally) {
        self.rounds += other.rounds;
        self.not_run += other.not_run;
        self.lacked = other.lacked.or(self.lacked);
        self.kills += other.kills;
        self.stops += other.stops;
        self.deaths += other.deaths;
        self.errors += other.errors;
        self.losses += other.losses;
        self.harmed += other.harmed;
        self.flips += other.flips;
        self.snapshots += other.snapshots;
        self.judgements += other.judgements;
        self.acknowledged += other.acknowledged;
        self.present += other.present;
        self.absent += other.absent;
        self.relaxed += other.relaxed;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = [
            ("rounds", self.rounds),
            ("rounds not run", self.not_run),
            ("kills at random", self.kills),
            ("kills at a planned operation", self.deaths),
            ("writers stopped for a while", self.stops),
            ("I/O errors and full disks", self.errors),
            ("power losses", self.losses),
            ("mirror files harmed under a reader", self.harmed),
            ("bits flipped, files cut", self.flips),
            ("snapshots read meanwhile", self.snapshots),
            ("judgements", self.judgements),
            ("unacknowledged writes: there, whole", self.present),
            ("unacknowledged writes: not there", self.absent),
            ("taken by power losses, as Relaxed may", self.relaxed),
            ("acknowledged writes", self.acknowledged),
        ];
        for (what, count) in lines {
            writeln!(f, "{what:38} {count:>10}")?;
        }
        if let Some(lacked) = self.lacked {
            writeln!(f, "{:38} {lacked}", "not run for lack of")?;
        }
        // A loss ends the run: it is never counted.
        write!(f, "{:38} {:>10}", "acknowledged writes lost", 0)
    }
}

/// Operations of each of a crowd's threads.
const CROWD: u64 = 100;

/// Where rounds take place.
#[derive(Clone, Debug)]
pub struct Run {
    /// The program `dkdc-torture`.
    pub program: PathBuf,
    /// Where stores are made.
    pub folder: PathBuf,
}

/// One round: its store, its ledgers, its random choices.
struct Round<'r> {
    run: &'r Run,
    folder: tempfile::TempDir,
    random: Random,
    tally: Tally,
}

impl Round<'_> {
    fn store(&self) -> PathBuf {
        self.folder.path().join("data.db")
    }

    fn ledgers(&self) -> PathBuf {
        self.folder.path().join("ledgers")
    }

    /// It was not run, since this machine has no such thing.
    fn lacks(&mut self, what: &'static str) {
        self.tally = Tally {
            not_run: 1,
            lacked: Some(what),
            ..Tally::default()
        };
    }

    /// A part of it was not run, since this machine has no such thing.
    fn lacks_in_part(&mut self, what: &'static str) {
        self.tally.not_run = 1;
        self.tally.lacked = Some(what);
    }

    /// Judges the store. Acknowledgements are counted once, at the end.
    fn judge(&mut self) -> Result<Judged> {
        self.tally.judgements += 1;
        crate::oracle::judge(&self.store(), &self.ledgers())
    }

    fn last_judgement(&mut self) -> Result<()> {
        let judged = self.judge()?;
        self.tally.acknowledged += judged.acknowledged;
        self.tally.present += judged.present;
        self.tally.absent += judged.absent;
        Ok(())
    }
}

impl Run {
    /// One round of a kind.
    ///
    /// # Errors
    /// What does not hold, with how to have the round again; its files stay.
    pub fn round(&self, kind: Kind, seed: u64) -> Result<Tally> {
        self.one((kind, seed, None), |round| match kind {
            Kind::Kills => kills::run(round),
            Kind::Deaths | Kind::RelaxedDeaths => planned::deaths(round, kind),
            Kind::Eio | Kind::Full | Kind::Reads => planned::errors(round, kind),
            Kind::Ends => planned::errors(round, kind).and_then(|()| ends::run(round)),
            Kind::Power | Kind::Relaxed | Kind::PowerKeeping => planned::power(round, seed, kind),
            Kind::Sweep => planned::sweep_some(round),
            Kind::Sealing => sealing::run(round),
            Kind::Keeping => keeping::run(round),
            Kind::Requests => requests::run(round),
            Kind::Damage => damage::run(round),
            Kind::Disk => disk::run(round),
            Kind::Crowd => crowd::run(round, CROWD),
        })
    }

    fn one(
        &self,
        which: (Kind, u64, Option<u64>),
        run: impl FnOnce(&mut Round<'_>) -> Result<()>,
    ) -> Result<Tally> {
        let folder = tempfile::Builder::new()
            .prefix("dkdc-torture-")
            .tempdir_in(&self.folder)?;
        let mut round = Round {
            run: self,
            folder,
            random: Random::new(which.1),
            tally: Tally {
                rounds: 1,
                ..Tally::default()
            },
        };
        std::fs::create_dir(round.ledgers())?;
        match run(&mut round) {
            Ok(()) => Ok(round.tally),
            Err(error) => {
                let kept = round.folder.keep();
                Err(told(which, &kept, &error))
            }
        }
    }

    /// Eight processes of eight threads, each with so many operations.
    ///
    /// # Errors
    /// As of any round.
    pub fn crowd(&self, seed: u64, operations: u64) -> Result<Tally> {
        let which = (Kind::Crowd, seed, Some(operations));
        self.one(which, |round| crowd::run(round, operations))
    }

    /// Rounds of all kinds until the time is over.
    ///
    /// # Errors
    /// The first round's that fails.
    pub fn minutes(&self, minutes: u64, seed: u64, say: &mut dyn FnMut(&str)) -> Result<()> {
        let begun = Instant::now();
        let end = Duration::from_secs(minutes * 60);
        say(&format!("seed {seed}, {minutes} minutes"));
        let mut random = Random::new(seed);
        let mut all = Tally::default();
        while begun.elapsed() < end {
            // Kills are what happens most.
            let kind = match random.below(KINDS.len() as u64 + 4) {
                0..4 => Kind::Kills,
                other => KINDS[usize::try_from(other - 4)?].1,
            };
            let seed = random.number();
            let round = self.round(kind, seed)?;
            all += round;
            if let Some(lacked) = round.lacked {
                let how = if round.rounds == 0 {
                    "not run"
                } else {
                    "run in part"
                };
                say(&format!("{kind} is {how}: no {lacked}"));
            }
            if round.rounds == 0 {
                continue;
            }
            let (done, faults) = (
                begun.elapsed().as_secs(),
                all.kills + all.deaths + all.losses + all.errors + all.harmed + all.flips,
            );
            say(&format!(
                "{:>3}:{:02}  round {:>5} {kind:14} {faults:>8} faults {:>10} acknowledged, 0 lost",
                done / 60,
                done % 60,
                all.rounds,
                all.acknowledged,
            ));
        }
        say(&format!("\nseed {seed}\n{all}"));
        Ok(())
    }
}

/// With the command that has the round again.
fn told(
    (kind, seed, operations): (Kind, u64, Option<u64>),
    kept: &Path,
    error: &Failure,
) -> Failure {
    let mut again = format!("cargo xtask torture --only {kind} --seed {seed}");
    if let Some(operations) = operations {
        again += &format!(" --operations {operations}");
    }
    format!(
        "{error}\nthe round's files are in {}; again: {again}",
        kept.display()
    )
    .into()
}
