//! Many versions of a SQLite file of which a few pages change each time.

use std::fs;
use std::path::Path;
use std::process::Command;

use dkdc_lake::{Edit, FileName, Lake};
use rusqlite::params;

use super::super::Plan;
use super::super::command::run_one;
use super::{Noise, megabytes, there_is};
use crate::Result;
use crate::report::{Limit, Outcome, Report};

const PAGE: usize = 4096;

/// A row fills most of a page, so that an update changes one.
fn make(path: &Path, mb: usize) -> Result<usize> {
    let mut conn = crate::peer::open(path)?;
    conn.pragma_update(None, "journal_mode", "DELETE")?;
    conn.execute_batch("CREATE TABLE t(id INTEGER PRIMARY KEY, body TEXT, noise BLOB)")?;
    let pages = mb * 1_000_000 / PAGE;
    let mut noise = Noise(3);
    let tx = conn.transaction()?;
    for id in 0..pages {
        let body = format!("row {id}, ").repeat(250);
        let body = &body[..1500];
        tx.execute(
            "INSERT INTO t VALUES (?, ?, ?)",
            params![i64::try_from(id)?, body, noise.fill(2300)],
        )?;
    }
    tx.commit()?;
    Ok(pages)
}

fn change(path: &Path, pages: usize, noise: &mut Noise) -> Result<()> {
    let mut conn = crate::peer::open(path)?;
    conn.pragma_update(None, "journal_mode", "DELETE")?;
    let tx = conn.transaction()?;
    for _ in 0..pages / 100 {
        let id = i64::try_from(noise.next() % pages as u64)?;
        tx.execute(
            "UPDATE t SET noise = ? WHERE id = ?",
            params![noise.fill(2300), id],
        )?;
    }
    Ok(tx.commit()?)
}

pub(super) fn run(plan: &Plan, report: &mut Report, room: &Path) -> Result<()> {
    let (mb, versions) = if plan.quick { (10, 20) } else { (50, 100) };
    let file = room.join("data.sqlite");
    let pages = make(&file, mb)?;
    let lake = Lake::open(room.join("lake.db"))?;
    let name = FileName::new("data.sqlite");
    let restic = there_is("restic", "version");
    let shell = |script: &str| {
        let mut command = Command::new("sh");
        command
            .args(["-ec", script])
            .current_dir(room)
            .env("RESTIC_PASSWORD", "bench")
            .env("RESTIC_CACHE_DIR", room.join("cache"));
        run_one(&mut command)
    };
    if restic {
        shell("restic -q init -r restic")?;
    }
    let mut noise = Noise(4);
    let mut first = 0.0;
    for version in 0..versions {
        if version > 0 {
            change(&file, pages, &mut noise)?;
        }
        lake.put(&name, &Edit::new(), fs::File::open(&file)?)?;
        if version == 0 {
            #[expect(clippy::cast_precision_loss, reason = "sizes are far below 2^52")]
            let stored = lake.state().status()?.blob_stored_bytes as f64;
            first = stored / 1e6;
        }
        if restic {
            shell("restic -q backup -r restic data.sqlite")?;
        }
    }
    drop(lake);
    let stored = megabytes(&room.join("lake.db"))?;
    #[expect(clippy::cast_precision_loss, reason = "a few thousand")]
    let changed = ((versions - 1) * (pages / 100) * PAGE) as f64 / 1e6;
    let mut add = |peer, against, limit| {
        report.add(Outcome {
            operation: format!("{versions} versions, 1% changed, stored"),
            size: format!("{mb} MB"),
            unit: "MB",
            dkdc: stored,
            peer,
            against,
            limit,
        });
    };
    if restic {
        add(
            megabytes(&room.join("restic"))?,
            "restic",
            Limit::AtMost(1.0),
        );
    }
    add(
        changed * 8.0 + first,
        "8x what changed and one copy",
        Limit::AtMost(1.0),
    );
    Ok(())
}
