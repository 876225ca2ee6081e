//! In which order names and removals of whole files reach the disk, by the system
//! calls of a process that takes something away: `strace` tells.

use std::collections::HashMap;
use std::path::Path;
use std::process::Command;

use super::backup_of;
use crate::Result;

/// System calls that make or take names, that sync, and that say what is done.
const CALLS: &str = "fsync,fdatasync,rename,renameat,renameat2,unlink,unlinkat,write";

/// A backup is synced before it gets its name, and the name before it is said; what is
/// removed of the mirror for an erase stays removed once that is said.
pub(super) fn judge(program: &Path, place: &Path) -> Result<()> {
    let store = place.join("data.db");
    let told = place.with_extension("strace");
    let traced = Command::new("strace")
        .args(["-f", "-qqq", "-y", "-s", "4096", "-e"])
        .arg(format!("trace={CALLS}"))
        .arg("-o")
        .arg(&told)
        .arg(program)
        .arg("keep")
        .arg(&store)
        .output()?;
    if !traced.status.success() {
        let said = String::from_utf8_lossy(&traced.stdout);
        return Err(format!("{}: {said}", traced.status).into());
    }
    let calls = calls(&std::fs::read_to_string(told)?);
    let said = |step: &str| {
        let at = calls.iter().position(|call| {
            call.starts_with("write(1<") && call.contains(&format!("\"{step}\\n\""))
        });
        at.ok_or_else(|| format!("{step} was not said"))
    };
    let is_sync = |call: &str, of: &str| {
        (call.starts_with("fsync(") || call.starts_with("fdatasync(")) && call.contains(of)
    };
    // The name's own folder, and no file in it.
    let folder = |path: &Path| format!("<{}>", path.display());

    let backup = backup_of(&store);
    let name = format!("\"{}\"", backup.display());
    let named = calls
        .iter()
        .position(|call| call.starts_with("rename") && call.contains(&name))
        .ok_or("the backup got no name")?;
    let draft = format!("<{}.draft-", backup.display());
    if !calls[..named].iter().any(|call| is_sync(call, &draft)) {
        return Err("the backup had its name before it was synced".into());
    }
    let until = said("backup")?;
    if until < named
        || !calls[named..until]
            .iter()
            .any(|call| is_sync(call, &folder(place)))
    {
        return Err("the backup was said to be done before its name was synced".into());
    }

    let mirror = place.join("data.db-mirror");
    let inside = format!("\"{}/", mirror.display());
    let until = said("erase")?;
    let removed = calls[..until]
        .iter()
        .rposition(|call| call.starts_with("unlink") && call.contains(&inside))
        .ok_or("an erase removed no file of the mirror")?;
    if !calls[removed..until]
        .iter()
        .any(|call| is_sync(call, &folder(&mirror)))
    {
        return Err("erased was said before the removal of the mirror's files was synced".into());
    }
    Ok(())
}

/// The calls that succeeded, in the order in which they ended.
fn calls(told: &str) -> Vec<String> {
    let mut begun = HashMap::new();
    let mut ended = Vec::new();
    for line in told.lines() {
        let Some((thread, call)) = line.split_once(' ') else {
            continue;
        };
        let call = call.trim_start();
        let whole = if let Some(call) = call.strip_suffix(" <unfinished ...>") {
            begun.insert(thread, call.to_owned());
            continue;
        } else if let Some((_, end)) = call.split_once(" resumed>") {
            begun.remove(thread).unwrap_or_default() + end
        } else {
            call.to_owned()
        };
        let result = whole.rsplit_once(" = ");
        if result.is_some_and(|(_, result)| !result.starts_with('-')) {
            ended.push(whole);
        }
    }
    ended
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_in_the_order_in_which_they_ended() {
        let told = "\
7  fsync(3</a> <unfinished ...>
8  unlink(\"/b\") = 0
8  unlink(\"/c\") = -1 ENOENT (No such file or directory)
7  <... fsync resumed>) = 0
";
        assert_eq!(calls(told), ["unlink(\"/b\") = 0", "fsync(3</a>) = 0"]);
    }
}
