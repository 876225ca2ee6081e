//! One large file that does not shrink: in, out, and a range of it.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use dkdc_lake::{Edit, FileName, Lake};

use super::super::Plan;
use super::{Noise, megabytes};
use crate::Result;
use crate::measure::{alternate, median, micros};
use crate::report::{Limit, Outcome, Report};

const ROUNDS: usize = 3;
/// Bytes in one blob of the peer.
const BLOB: usize = 1 << 20;

pub(super) fn run(plan: &Plan, report: &mut Report, room: &Path) -> Result<()> {
    let mb = if plan.quick { 100 } else { 1000 };
    let shown = format!("{mb} MB");
    let file = room.join("large");
    let mut noise = Noise(5);
    let mut out = File::create(&file)?;
    for _ in 0..mb {
        out.write_all(&noise.fill(1_000_000))?;
    }
    out.sync_all()?;
    let name = FileName::new("large");
    let db = room.join("lake.db");
    let seconds = alternate(
        ROUNDS,
        &mut [
            &mut || {
                remove(&db)?;
                let started = Instant::now();
                let lake = Lake::open(&db)?;
                lake.put(&name, &Edit::new(), File::open(&file)?)?;
                // Closing checkpoints.
                drop(lake);
                Ok(micros(started, 1) / 1e6)
            },
            &mut || plain(&file, &room.join("plain.db")),
            &mut || {
                let started = Instant::now();
                let mut copy = File::create(room.join("copy"))?;
                std::io::copy(&mut File::open(&file)?, &mut copy)?;
                copy.sync_all()?;
                Ok(micros(started, 1) / 1e6)
            },
        ],
    )?;
    let speed = |seconds: f64| f64::from(mb) / seconds;
    let mut add = |operation: &str, ours: f64, peer: f64, against, limit| {
        report.add(Outcome {
            operation: operation.to_owned(),
            size: shown.clone(),
            unit: "MB/s",
            dkdc: speed(ours),
            peer: speed(peer),
            against,
            limit,
        });
    };
    add(
        "a large file in",
        seconds[0],
        seconds[1],
        "plain SQLite, blobs of 1 MiB",
        Limit::AtLeast(0.8),
    );
    add(
        "a large file in",
        seconds[0],
        seconds[2],
        "a file and fsync",
        Limit::None,
    );
    fs::remove_file(room.join("copy"))?;
    remove(&room.join("plain.db"))?;
    for cold in [true, false] {
        let seconds = alternate(
            ROUNDS,
            &mut [
                &mut || {
                    let mut command = Command::new(&plan.dkdc);
                    command.arg("--db").arg(&db).args(["lake", "cat", "large"]);
                    out_of(&mut command, &db, cold, &room.join("out"))
                },
                &mut || {
                    out_of(
                        Command::new("cat").arg(&file),
                        &file,
                        cold,
                        &room.join("out"),
                    )
                },
            ],
        )?;
        let operation = if cold {
            "a large file out, cold"
        } else {
            "a large file out, warm"
        };
        add(
            operation,
            seconds[0],
            seconds[1],
            "cat, into a file",
            Limit::AtLeast(0.7),
        );
    }
    range(report, &shown, &db, &name, &file)?;
    insertion(report, &shown, &db, &file)
}

fn remove(db: &Path) -> Result<()> {
    for ending in ["", "-wal", "-shm"] {
        let mut name = db.as_os_str().to_owned();
        name.push(ending);
        if Path::new(&name).exists() {
            fs::remove_file(name)?;
        }
    }
    Ok(())
}

/// The same bytes as blobs of plain SQLite, checkpoint included.
fn plain(file: &Path, db: &Path) -> Result<f64> {
    remove(db)?;
    let started = Instant::now();
    let mut conn = crate::peer::open(db)?;
    conn.pragma_update(None, "synchronous", "FULL")?;
    conn.execute_batch("CREATE TABLE blobs(number INTEGER PRIMARY KEY, data BLOB)")?;
    let mut from = File::open(file)?;
    let mut buffer = Vec::with_capacity(BLOB);
    let mut more = true;
    while more {
        let tx = conn.transaction()?;
        let mut insert = tx.prepare("INSERT INTO blobs(data) VALUES (?)")?;
        for _ in 0..8 {
            buffer.clear();
            more = (&mut from).take(BLOB as u64).read_to_end(&mut buffer)? > 0;
            if !more {
                break;
            }
            insert.execute([&buffer])?;
        }
        drop(insert);
        tx.commit()?;
    }
    conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    drop(conn);
    Ok(micros(started, 1) / 1e6)
}

/// Seconds that a command takes to write into a file.
fn out_of(command: &mut Command, source: &Path, cold: bool, to: &Path) -> Result<f64> {
    if to.exists() {
        fs::remove_file(to)?;
    }
    if cold {
        // What `posix_fadvise` with DONTNEED does, for all of a file.
        let status = Command::new("dd")
            .arg(format!("if={}", source.display()))
            .args(["iflag=nocache", "count=0", "status=none"])
            .status()?;
        if !status.success() {
            return Err("dd did not drop the file from memory".into());
        }
    } else {
        std::io::copy(&mut File::open(source)?, &mut std::io::sink())?;
    }
    let started = Instant::now();
    let status = command
        .stdin(Stdio::null())
        .stdout(File::create(to)?)
        .status()?;
    if !status.success() {
        return Err(format!("{command:?} failed").into());
    }
    Ok(micros(started, 1) / 1e6)
}

/// 4 KB from the middle, in a living process.
fn range(report: &mut Report, shown: &str, db: &Path, name: &FileName, file: &Path) -> Result<()> {
    let lake = Lake::open(db)?;
    let size = fs::metadata(file)?.len();
    let mut noise = Noise(9);
    let mut ours = Vec::new();
    let mut theirs = Vec::new();
    for _ in 0..50 {
        let at = noise.next() % (size - 4096);
        let mut range = [0; 4096];
        let started = Instant::now();
        let mut content = lake.read(name)?;
        content.seek(SeekFrom::Start(at))?;
        content.read_exact(&mut range)?;
        ours.push(micros(started, 1) / 1000.0);
        let mut expected = [0; 4096];
        let started = Instant::now();
        let mut from = File::open(file)?;
        from.seek(SeekFrom::Start(at))?;
        from.read_exact(&mut expected)?;
        theirs.push(micros(started, 1) / 1000.0);
        if range != expected {
            return Err("a range is not what it was".into());
        }
    }
    report.add(Outcome {
        operation: "4 KB of a large file".to_owned(),
        size: shown.to_owned(),
        unit: "ms",
        dkdc: median(&mut ours),
        peer: median(&mut theirs),
        against: "open, seek, read, close",
        limit: Limit::Above(5.0),
    });
    Ok(())
}

/// What a new version takes that has 1 KB more in its middle.
fn insertion(report: &mut Report, shown: &str, db: &Path, file: &Path) -> Result<()> {
    let lake = Lake::open(db)?;
    let half = fs::metadata(file)?.len() / 2;
    let stored = || Ok::<_, crate::Failure>(lake.state().status()?.blob_stored_bytes);
    let before = stored()?;
    let mut first = File::open(file)?;
    let mut second = File::open(file)?;
    second.seek(SeekFrom::Start(half))?;
    let kilobyte = Noise(33).fill(1000);
    let content = (&mut first).take(half).chain(&kilobyte[..]).chain(second);
    lake.put(&FileName::new("large"), &Edit::new(), content)?;
    #[expect(clippy::cast_precision_loss, reason = "sizes are far below 2^52")]
    let added = (stored()? - before) as f64 / 1e6;
    report.add(Outcome {
        operation: "1 KB more in its middle, stored".to_owned(),
        size: shown.to_owned(),
        unit: "MB",
        dkdc: added,
        peer: megabytes(file)?,
        against: "the whole file",
        limit: Limit::AtMost(0.001),
    });
    Ok(())
}
