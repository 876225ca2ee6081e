//! Many small files, as whole processes.

use std::cell::Cell;
use std::fs;
use std::path::Path;
use std::process::Command;

use super::super::command::run_one;
use super::super::{Plan, size};
use super::{Noise, there_is};
use crate::Result;
use crate::measure::{alternate, each};
use crate::report::{Limit, Outcome, Report};

const ROUNDS: usize = 3;

/// A tree of files of 1 to 10 KB: half of each is words, half does not shrink.
fn make(folder: &Path, count: usize) -> Result<()> {
    let mut noise = Noise(77);
    for number in 0..count {
        let below = folder.join(format!("{:02}", number / 200));
        if number.is_multiple_of(200) {
            fs::create_dir_all(&below)?;
        }
        let length = 1000 + usize::try_from(noise.next() % 9000)?;
        let mut content = noise.fill(length / 2);
        content.resize(length, b'w');
        fs::write(below.join(format!("{number}.dat")), content)?;
    }
    // Older than what any tool takes for just now.
    std::thread::sleep(std::time::Duration::from_secs(2));
    Ok(())
}

/// What programs are run in: each round of each side has new names, and nothing is
/// removed meanwhile, since ext4 takes much longer to make files for some minutes
/// after many were removed, whoever makes them.
struct Room<'r> {
    path: &'r Path,
    dkdc: &'r Path,
}

impl Room<'_> {
    /// Milliseconds; what the side left unsynced is not the next one's.
    fn timed(&self, command: &mut Command) -> Result<f64> {
        let millis = run_one(command.current_dir(self.path))?;
        run_one(Command::new("sync").arg("-f").arg(self.path))?;
        Ok(millis)
    }

    fn dkdc(&self, db: &str, args: &[&str]) -> Result<f64> {
        self.timed(Command::new(self.dkdc).args(["--db", db]).args(args))
    }

    fn shell(&self, script: &str) -> Result<f64> {
        let mut command = Command::new("sh");
        command
            .args(["-ec", script])
            .env("RESTIC_PASSWORD", "bench")
            .env("RESTIC_CACHE_DIR", self.path.join("cache"))
            .env("GIT_CONFIG_GLOBAL", "/dev/null");
        self.timed(&mut command)
    }
}

/// The number of a side's round, for a name.
fn counted(round: &Cell<usize>) -> usize {
    round.replace(round.get() + 1)
}

pub(super) fn run(plan: &Plan, report: &mut Report, path: &Path) -> Result<()> {
    let count = if plan.quick { 2000 } else { 20_000 };
    let tree = path.join("tree");
    make(&tree, count)?;
    let room = Room {
        path,
        dkdc: &plan.dkdc,
    };
    let restic = there_is("restic", "version");
    let ins = ins(&room, restic)?;
    let outs = outs(&room, restic)?;
    let same = Command::new("diff")
        .current_dir(path)
        .args(["-r", "tree", "dkdc-out-0"])
        .status()?;
    if !same.success() {
        return Err("what was checked out is not what was added".into());
    }
    let peers = [
        ("git", Limit::AtMost(1.0)),
        ("restic", Limit::AtMost(1.0)),
        ("tar, synced", Limit::AtMost(3.0)),
    ];
    for (operation, medians) in [("small files in", ins), ("small files out", outs)] {
        for ((against, limit), peer) in peers.into_iter().zip(&medians[1..]) {
            if peer.is_nan() {
                report.skip(operation, "there is no program restic to compare with");
                continue;
            }
            report.add(Outcome {
                operation: operation.to_owned(),
                size: size(count),
                unit: "ms",
                dkdc: medians[0],
                peer: *peer,
                against,
                limit,
            });
        }
    }
    again(report, count, &room)?;
    reads(report, count, &path.join(STORE), &tree)
}

/// The store that the later rounds read.
const STORE: &str = "dkdc-0.db";

/// dkdc, git, restic and tar take the tree in.
fn ins(room: &Room<'_>, restic: bool) -> Result<Vec<f64>> {
    let rounds: [Cell<usize>; 4] = Default::default();
    alternate(
        ROUNDS,
        &mut [
            &mut || {
                let db = format!("dkdc-{}.db", counted(&rounds[0]));
                room.dkdc(&db, &["lake", "add", "tree"])
            },
            &mut || {
                let git = format!("git --git-dir git-{} --work-tree tree", counted(&rounds[1]));
                let identity = "-c user.name=b -c user.email=b@b";
                room.shell(&format!(
                    "{git} init -q; {git} add -A; {git} {identity} commit -qm x"
                ))
            },
            &mut || {
                let repository = format!("-r restic-{}", counted(&rounds[2]));
                if !restic {
                    return Ok(f64::NAN);
                }
                room.shell(&format!("restic -q init {repository}"))?;
                room.shell(&format!("restic -q backup {repository} tree"))
            },
            &mut || {
                let tar = format!("tree-{}.tar", counted(&rounds[3]));
                room.shell(&format!("tar cf {tar} tree; sync {tar}"))
            },
        ],
    )
}

/// The same take it out.
fn outs(room: &Room<'_>, restic: bool) -> Result<Vec<f64>> {
    let rounds: [Cell<usize>; 4] = Default::default();
    alternate(
        ROUNDS,
        &mut [
            &mut || {
                let to = format!("dkdc-out-{}", counted(&rounds[0]));
                room.dkdc(STORE, &["lake", "checkout", "tree", "--to", &to])
            },
            &mut || {
                let to = format!("git-out-{}", counted(&rounds[1]));
                room.shell(&format!(
                    "mkdir {to}; git --git-dir git-0 --work-tree {to} checkout -qf HEAD -- ."
                ))
            },
            &mut || {
                let to = format!("restic-out-{}", counted(&rounds[2]));
                if !restic {
                    return Ok(f64::NAN);
                }
                room.shell(&format!(
                    "restic -q restore latest -r restic-0 --target {to}"
                ))
            },
            &mut || {
                let to = format!("tar-out-{}", counted(&rounds[3]));
                room.shell(&format!(
                    "mkdir {to}; tar xf tree-0.tar -C {to}; sync -f {to}"
                ))
            },
        ],
    )
}

/// A second add, of nothing new.
fn again(report: &mut Report, count: usize, room: &Room<'_>) -> Result<()> {
    let medians = alternate(
        7,
        &mut [
            &mut || room.dkdc(STORE, &["lake", "add", "tree"]),
            &mut || {
                let mut find = Command::new("find");
                room.timed(find.args(["tree", "-type", "f", "-printf", "%s %T@ %p\\n"]))
            },
        ],
    )?;
    report.add(Outcome {
        operation: "the same files again".to_owned(),
        size: size(count),
        unit: "ms",
        dkdc: medians[0],
        peer: medians[1],
        against: "find, with stat",
        limit: Limit::AtMost(3.0),
    });
    Ok(())
}

/// Files of 10 KB by name, warm.
fn reads(report: &mut Report, count: usize, db: &Path, tree: &Path) -> Result<()> {
    let lake = dkdc_lake::Lake::open(db)?;
    let mut noise = Noise(78);
    let content: Vec<Vec<u8>> = (0..500).map(|_| noise.fill(10_000)).collect();
    let mut names = Vec::new();
    for (number, content) in content.iter().enumerate() {
        let name = format!("tree/00/ten-{number}.dat");
        fs::write(tree.join(format!("00/ten-{number}.dat")), content)?;
        lake.put(&name.parse()?, &dkdc_lake::Edit::new(), &content[..])?;
        names.push(name);
    }
    let medians = alternate(
        15,
        &mut [
            &mut || {
                each(&names, |name| {
                    let read = lake.read_to_vec(&name.parse()?)?;
                    (read.len() == 10_000)
                        .then_some(())
                        .ok_or_else(|| "short".into())
                })
            },
            &mut || {
                let root = tree.parent().unwrap_or(tree);
                each(&names, |name| {
                    let read = fs::read(root.join(name))?;
                    (read.len() == 10_000)
                        .then_some(())
                        .ok_or_else(|| "short".into())
                })
            },
        ],
    )?;
    report.add(Outcome {
        operation: "read 10 KB by name, verified".to_owned(),
        size: size(count),
        unit: "us",
        dkdc: medians[0],
        peer: medians[1],
        against: "open, read, close",
        limit: Limit::AtMost(4.0),
    });
    Ok(())
}
