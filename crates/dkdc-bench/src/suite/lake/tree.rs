//! Many small files, as whole processes.

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

fn fresh(path: &Path) -> Result<()> {
    if path.is_dir() {
        fs::remove_dir_all(path)?;
    } else if path.exists() {
        fs::remove_file(path)?;
    }
    Ok(())
}

pub(super) fn run(plan: &Plan, report: &mut Report, room: &Path) -> Result<()> {
    let count = if plan.quick { 2000 } else { 20_000 };
    let tree = room.join("tree");
    make(&tree, count)?;
    let db = room.join("lake.db");
    let dkdc = |args: &[&str]| {
        let mut command = Command::new(&plan.dkdc);
        command.current_dir(room).arg("--db").arg(&db).args(args);
        run_one(&mut command)
    };
    let shell = |script: &str| {
        let mut command = Command::new("sh");
        command
            .args(["-ec", script])
            .current_dir(room)
            .env("RESTIC_PASSWORD", "bench")
            .env("RESTIC_CACHE_DIR", room.join("cache"))
            .env("GIT_CONFIG_GLOBAL", "/dev/null");
        run_one(&mut command)
    };
    let git = "git -C tree --git-dir ../git -c user.name=b -c user.email=b@b";
    let git_in = format!(
        "git init -q git --bare; {git} --work-tree . add -A; {git} --work-tree . commit -qm x"
    );
    let git_out = "mkdir out-git; git --git-dir git --work-tree out-git checkout -qf HEAD -- .";
    let ins = alternate(
        ROUNDS,
        &mut [
            &mut || {
                for name in ["lake.db", "lake.db-wal", "lake.db-shm", "lake.db-mirror"] {
                    fresh(&room.join(name))?;
                }
                dkdc(&["lake", "add", "tree"])
            },
            &mut || {
                fresh(&room.join("git"))?;
                shell(&git_in)
            },
            &mut || {
                fresh(&room.join("restic"))?;
                if !there_is("restic", "version") {
                    return Ok(f64::NAN);
                }
                shell("restic -q init -r restic")?;
                shell("restic -q backup -r restic tree")
            },
            &mut || {
                fresh(&room.join("tree.tar"))?;
                shell("tar cf tree.tar tree; sync tree.tar")
            },
        ],
    )?;
    let outs = alternate(
        ROUNDS,
        &mut [
            &mut || {
                fresh(&room.join("out-dkdc"))?;
                dkdc(&["lake", "checkout", "tree", "--to", "out-dkdc"])
            },
            &mut || {
                fresh(&room.join("out-git"))?;
                shell(git_out)
            },
            &mut || {
                fresh(&room.join("out-restic"))?;
                if !there_is("restic", "version") {
                    return Ok(f64::NAN);
                }
                shell("restic -q restore latest -r restic --target out-restic")
            },
            &mut || {
                fresh(&room.join("out-tar"))?;
                shell("mkdir out-tar; tar xf tree.tar -C out-tar; sync -f out-tar")
            },
        ],
    )?;
    let same = Command::new("diff")
        .current_dir(room)
        .args(["-r", "tree", "out-dkdc"])
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
    again(report, count, room, &dkdc)?;
    reads(report, count, &db, &tree)
}

/// A second add, of nothing new.
fn again(
    report: &mut Report,
    count: usize,
    room: &Path,
    dkdc: &dyn Fn(&[&str]) -> Result<f64>,
) -> Result<()> {
    let medians = alternate(
        7,
        &mut [&mut || dkdc(&["lake", "add", "tree"]), &mut || {
            let mut find = Command::new("find");
            find.current_dir(room);
            run_one(find.args(["tree", "-type", "f", "-printf", "%s %T@ %p\\n"]))
        }],
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
